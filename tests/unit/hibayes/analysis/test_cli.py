"""The commands: what they do, and how they end."""

import json
import subprocess
import sys

import pytest
import yaml

from hibayes.analysis_state import AnalysisState
from hibayes.cli import communicate, full, load, model, process
from hibayes.cli.main import main


@pytest.fixture
def config(sections, tmp_path, fits):
    """Give a function that writes a configuration and gives its path."""

    def write(**changes):
        path = tmp_path / "config.yaml"
        path.write_text(yaml.safe_dump(sections | changes))
        return str(path)

    return write


def checks(sections, *listed):
    return sections["check"] | {"checkers": list(listed)}


def test_full(config, tmp_path, capsys):
    out = tmp_path / "a" / "b"
    assert full.main(["--config", config(), "--out", str(out), "--no-tui"]) == 0
    assert capsys.readouterr().out.startswith(f"Saved to {out}: 3 rows, 1 model(s); 2 pass.")
    state = AnalysisState.load(out)
    assert list(state.communicate) == ["count"]
    assert sorted(state.logs) == ["communicate", "load", "model", "process"]
    assert json.loads((out / "results.json").read_text())["tally"]["pass"] == 2
    assert sorted(json.loads((out / "configuration.json").read_text())) == [
        "check", "communicate", "data_loader", "data_process", "model",
    ]  # fmt: skip


def test_the_stages_one_by_one_give_what_full_gives(config, tmp_path):
    given = ["--config", config()]
    assert full.main([*given, "--out", str(tmp_path / "full")]) == 0
    places = [str(tmp_path / name) for name in ("load", "process", "model", "comm")]
    assert load.main([*given, "--out", places[0]]) == 0
    commands = (process.main, model.main, communicate.main)
    for run, before, out in zip(commands, places, places[1:], strict=False):
        assert run([*given, "--analysis-state", before, "--out", out]) == 0
    kept = [json.loads((tmp_path / f / "manifest.json").read_text()) for f in ("full", "comm")]
    for name in ("results.json", "features.npz", "models/coin_a/metadata.json"):
        assert kept[0]["files"][name] == kept[1]["files"][name]
    assert kept[0]["files"].keys() == kept[1]["files"].keys()


def test_one_folder_for_all_stages(config, tmp_path):
    given, out = ["--config", config()], str(tmp_path / "out")
    assert load.main([*given, "--out", out]) == 0
    for run in (process.main, model.main, communicate.main, communicate.main):
        assert run([*given, "--analysis-state", out, "--out", out]) == 0
    assert list(AnalysisState.load(out).communicate) == ["count"]


def test_one_command_with_subcommands(config, tmp_path):
    given, out = ["--config", config()], str(tmp_path / "out")
    assert main(["full", *given, "--out", out]) == 0
    assert main(["comm", *given, "--analysis-state", out, "--out", out]) == 0
    assert main(["communicate", *given, "--analysis-state", out, "--out", out]) == 0


def test_a_second_run_is_not_mixed_with_the_first(config, tmp_path, sections):
    out = tmp_path / "out"
    assert full.main(["--config", config(), "--out", str(out)]) == 0
    (tmp_path / "scores.csv").write_text("score,model\n1,a\n")
    other = sections["model"] | {"models": ["coin"]}
    assert full.main(["--config", config(model=other), "--out", str(out)]) == 0
    state = AnalysisState.load(out)
    assert [m.model_name for m in state.models] == ["coin"]
    assert [len(x["obs"]) for x in (state.features, state.models[0].features)] == [1, 1]
    assert not (out / "models" / "coin_a").exists()


def test_stages_run_into_an_old_folder_keep_nothing_of_it(config, tmp_path):
    old, new = str(tmp_path / "old"), [str(tmp_path / name) for name in ("l", "p")]
    assert full.main(["--config", config(), "--out", old]) == 0
    (tmp_path / "scores.csv").write_text("score,model\n1,a\n")
    given = ["--config", config()]
    assert load.main([*given, "--out", new[0]]) == 0
    assert process.main([*given, "--analysis-state", new[0], "--out", new[1]]) == 0
    for run in (model.main, communicate.main):
        assert run([*given, "--analysis-state", new[1], "--out", old]) == 0
        state = AnalysisState.load(old)
        found = (state.data, state.processed_data, state.features["obs"])
        assert [len(each) for each in found] == [1, 1, 1]
        new[1] = old


@pytest.mark.parametrize(
    ("checker", "fail_on", "code"),
    [
        ({"always": {"result": "fail"}}, None, 0), ({"always": {"result": "fail"}}, "fail", 1),
        ("breaks", None, 1), ("breaks", "never", 0), ("always", "fail", 0),
    ],
)  # fmt: skip
def test_exit_codes_of_checks(config, tmp_path, sections, checker, fail_on, code, capsys):
    options = ["--fail-on", fail_on] if fail_on else []
    file = config(check=checks(sections, checker))
    assert full.main(["--config", file, "--out", str(tmp_path / "o"), *options]) == code
    if checker == "breaks":
        assert "coin_a: breaks error: RuntimeError: out of order" in capsys.readouterr().out


def test_a_communicator_that_breaks_down_gives_exit_code_1(config, tmp_path, sections, capsys):
    broken = sections["communicate"] | {"communicators": ["breaks_too"]}
    assert full.main(["--config", config(communicate=broken), "--out", str(tmp_path / "o")]) == 1
    assert "breaks_too error: ZeroDivisionError" in capsys.readouterr().out


@pytest.mark.parametrize("change", [{"chek": {}}, {"data_process": {"processors": ["no_such"]}}])
def test_a_faulty_configuration_is_exit_code_2_and_writes_nothing(config, tmp_path, capsys, change):
    assert full.main(["--config", config(**change), "--out", str(tmp_path / "o")]) == 2
    said = capsys.readouterr()
    assert said.err.startswith("hibayes: ")
    assert said.err.count("\n") == 1
    assert "did you mean" in said.err or "No registered no_such" in said.err
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize("run", [load.main, process.main, model.main, communicate.main, full.main])
def test_missing_options_are_exit_code_2(run):
    with pytest.raises(SystemExit) as ended:
        run([])
    assert ended.value.code == 2


def test_no_state_and_no_file_are_exit_code_2(config, tmp_path, capsys):
    out = ["--out", str(tmp_path / "o")]
    state = ["--analysis-state", str(tmp_path / "none")]
    assert process.main(["--config", config(), *state, *out]) == 2
    assert "no analysis state was saved there" in capsys.readouterr().err
    assert load.main(["--config", str(tmp_path / "none.yaml"), *out]) == 2


def test_values_are_set_from_outside(config, tmp_path):
    options = ["--set", "model.models.coin.config.tag=_b", "--seed", "5",
               "--set", "check.checkers.is_small.threshold=1"]  # fmt: skip
    assert full.main(["--config", config(), "--out", str(tmp_path / "o"), *options]) == 0
    found = AnalysisState.load(tmp_path / "o").models[0]
    assert (found.model_name, found.model_config.fit.seed) == ("coin_b", 5)
    assert found.checks[1]["result"] == "fail"


def test_a_dry_run_does_nothing(config, tmp_path, capsys, fits):
    assert full.main(["--config", config(), "--out", str(tmp_path / "o"), "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "coin (scale=1.0)" in said
    assert "Nothing was done" in said
    assert not (tmp_path / "o").exists()
    assert fits == []


def test_resume(config, tmp_path, fits, sections):
    out = ["--out", str(tmp_path / "o")]
    assert full.main(["--config", config(), *out]) == 0
    two = sections["model"] | {"models": [*sections["model"]["models"], "coin"]}
    assert full.main(["--config", config(model=two), *out, "--resume"]) == 0
    assert fits == ["coin_a", "coin"]
    assert [m.model_name for m in AnalysisState.load(tmp_path / "o").models] == ["coin_a", "coin"]
    assert full.main(["--config", config(model=two), *out, "--resume", "--no-frequent-save"]) == 0
    assert fits == ["coin_a", "coin"]


def test_resume_where_nothing_is(config, tmp_path, fits):
    assert full.main(["--config", config(), "--out", str(tmp_path / "o"), "--resume"]) == 0
    assert fits == ["coin_a"]


def test_questions_are_answered_later(config, tmp_path, sections, capsys):
    out = str(tmp_path / "o")
    assert full.main(["--config", config(check=checks(sections, "asks")), "--out", out]) == 0
    assert f"hibayes approve {out} coin_a/asks" in capsys.readouterr().out
    assert main(["approve", out]) == 0
    assert capsys.readouterr().out == "coin_a/asks: Is this fine?\n"
    assert main(["approve", out, "asks"]) == 0
    assert capsys.readouterr().out == "asks: pass.\n"
    assert main(["approve", out]) == 0
    assert capsys.readouterr().out == "Nothing waits for approval.\n"
    assert main(["approve", out, "asks", "--reject"]) == 2
    assert AnalysisState.load(out).models[0].checks[0]["approval"]["answer"] is True


def test_validate(config, sections, capsys, tmp_path):
    assert main(["validate", config()]) == 0
    assert "can be run; models: coin_a." in capsys.readouterr().out
    loader = {"paths": {"extracted_data": ["not/there.csv"]}}
    assert main(["validate", config(data_loader=loader)]) == 2
    assert "there is no not/there.csv" in capsys.readouterr().err
    assert main(["validate", config(platform={"chain_method": "x"})]) == 2


def test_explain(config, capsys):
    assert main(["explain", config(), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["check"]["checkers"][1] == {"name": "is_small", "arguments": {"threshold": 2}}
    assert found["model"]["models"][0]["config"]["fit"]["samples"] == 2000
    assert main(["explain", config()]) == 0
    assert "is_small (threshold=2)" in capsys.readouterr().out


def test_schema(capsys, sections):
    assert main(["schema", "--path", sections["check"]["path"]]) == 0
    found = json.loads(capsys.readouterr().out)
    names = found["properties"]["check"]["properties"]["checkers"]["oneOf"][1]["properties"]
    assert names["is_small"]["properties"] == {"threshold": {"default": 2}}
    assert names["r_hat"]["properties"]["threshold"]["default"] == 1.01
    assert not found["additionalProperties"]


def test_help_and_validation_import_nothing_heavy(sections, tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(sections))
    heavy = "jax", "numpyro", "arviz", "xarray", "matplotlib", "inspect_ai"
    script = f"""
import sys
import hibayes.analysis, hibayes.cli.main
from hibayes.registry import registry_names, TYPES
[registry_names(kind) for kind in TYPES]
assert hibayes.cli.main.main(["validate", {str(path)!r}]) == 0
print([name for name in {heavy} if name in sys.modules])
"""
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines()[-1] == "[]"
