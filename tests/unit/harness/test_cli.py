"""The command ``harness``."""

import json
import os
import resource
import subprocess
import sys

import pandas as pd
import pytest

import suites
from harness.cli import main
from harness.results import Results
from harness.spec import registered

HEAVY = ("numpy", "pandas", "pyarrow", "scipy", "sklearn", "rich", "yaml", "jax", "arviz")


@pytest.fixture
def run(capsys):
    """Give a function that runs the command: status, what it printed, what it said."""

    def go(*arguments) -> tuple[int, str, str]:
        try:
            status = main([str(a) for a in arguments])
        except SystemExit as err:
            status = err.code or 0
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return go


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    rows = [
        (f"a/m{i}", f"s{j}", f"q{q}", (i + j * q) % 2)
        for i in range(4)
        for j in range(3)
        for q in range(6)
    ]
    path = tmp_path_factory.mktemp("table") / "arena.csv"
    frame = pd.DataFrame(rows, columns=["model", "scenario", "item", "correct"])
    frame.to_csv(path, index=False)
    return path


# -- help ------------------------------------------------------------------------------------------


def spent() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def test_help_is_quick_and_imports_nothing_heavy():
    program = (
        "import sys; from harness.cli import main\n"
        "try: main(['--help'])\n"
        f"finally: print(*[m for m in {HEAVY} if m in sys.modules], file=sys.stderr)"
    )
    costs = []
    for _ in range(3):
        before = spent()
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True
        )
        costs.append(spent() - before)
        assert done.stderr.split() == []
        assert "COMMAND" in done.stdout
    assert min(costs) < 0.3


@pytest.mark.parametrize("command", [(), ("ls",), ("frames",), ("evaluate",), ("list",)])
def test_every_command_has_help(run, command):
    status, out, _ = run(*command, "--help")
    assert status == 0
    assert "usage: harness" in out


def test_the_version_is_printed(run):
    status, out, _ = run("--version")
    assert status == 0
    assert out.startswith("benchcast ")


def test_the_command_is_installed():
    command = os.path.join(os.path.dirname(sys.executable), "harness")
    done = subprocess.run([command, "list", "tasks"], capture_output=True, text=True, check=True)
    assert "heldout-run" in done.stdout
    assert done.stderr == ""


# -- JSON ------------------------------------------------------------------------------------------


def test_ls_gives_json(run, demo):
    status, out, _ = run("ls", "demo/my-suite", "--json")
    content = json.loads(out)
    assert status == 0
    assert set(content) == {"runs", "scenarios", "models", "notes", "problems"}
    assert len(content["runs"]) == 4
    row = content["runs"][0]
    assert (row["metric"], row["part"], row["n"]) == ("exact_match", "test", 6)
    assert row["metric_reason"]
    assert row["recomputed"] is None


def test_ls_verifies(run, demo):
    _, out, _ = run("ls", "demo/my-suite", "--json", "--verify")
    for row in json.loads(out)["runs"]:
        assert row["recomputed"] == pytest.approx(row["value"])
        assert (row["n_scored"], row["binary"]) == (6, True)


def test_ls_shows_the_grid(run, table):
    status, out, _ = run("ls", table)
    assert status == 0
    assert "12 runs: 4 models × 3 scenarios, 12 of 12 cells filled." in out
    assert "0 problems." in out


@pytest.mark.parametrize(
    ("options", "runs"),
    [
        (["--model", "a/m1"], 3),
        (["--model", "a/m1", "--model", "a/m2"], 6),
        (["--exclude-model", "a/m[12]"], 6),
        (["--scenario", "s0", "--exclude-model", "a/m0"], 3),
        (["--min-instances", "6"], 12),
        (["--min-instances", "7"], 0),
    ],
)
def test_ls_selects(run, table, options, runs):
    status, out, _ = run("ls", table, "--json", *options)
    assert status == 0
    assert len(json.loads(out)["runs"]) == runs


@pytest.mark.parametrize("what", ["predictors", "tasks", "metrics", "rules"])
def test_list_gives_json(run, what):
    status, out, _ = run("list", what, "--json")
    rows = json.loads(out)
    assert status == 0
    assert rows
    assert all(row["name"] for row in rows)
    if what == "predictors":
        assert {row["name"] for row in rows} == set(registered())
        assert all(row["summary"].endswith(".") for row in rows)
    status, out, _ = run("list", what)
    assert all(str(row["name"]) in out for row in rows)


def test_doctor_gives_json(run):
    status, out, _ = run("doctor", "--json")
    content = json.loads(out)
    assert status == 0
    assert content["packages"]["benchcast"] != "missing"
    assert "scenario-mean" in content["registered"]["predictors"]
    status, out, _ = run("doctor")
    assert status == 0
    assert "packages" in out


def test_evaluate_gives_json_and_results(run, table, tmp_path):
    out_folder = tmp_path / "out"
    status, out, err = run(
        "evaluate", table, "--predictor", "beta-binomial", "--predictor", "random",
        "--k", "0,2", "--folds", "3", "--seeds", "0,1", "--isolation", "none",
        "--out", out_folder, "--json",
    )  # fmt: skip
    content = json.loads(out)
    assert status == 0
    assert all("left" in line for line in err.splitlines())  # progress, where it takes its time
    assert content["out"] == str(out_folder)
    assert {row["predictor"] for row in content["ranking"]} == {
        "scenario-mean",
        "beta-binomial",
        "random",
    }
    results = Results.load(out_folder)
    assert results.manifest["command"][:2] == ["harness", "evaluate"]
    assert results.manifest["seeds"] == [0, 1]
    assert len(results.split) == 2 * 12


def test_evaluate_prints_a_ranking(run, table, tmp_path):
    status, out, _ = run(
        "evaluate", table, "--predictor", "scenario-mean", "--k", "0", "--folds", "3",
        "--isolation", "none", "--out", tmp_path / "out",
    )  # fmt: skip
    assert status == 0
    assert "scenario-mean" in out
    assert f"results: {tmp_path / 'out'}" in out


# -- what the user can mend ------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path, table):
    (tmp_path / "bad.yaml").write_text("name: [unclosed")
    (tmp_path / "wrong.yaml").write_text("name: mine\nhold_out: [modell]")
    (tmp_path / "text.txt").write_text("no table")
    (tmp_path / "mine.py").write_text("class Mine: pass")
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter").write_text("x")
    return {"here": tmp_path, "table": table, "out": tmp_path / "out"}


EVALUATE = ["evaluate", "{table}", "--isolation", "none", "--out", "{out}"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ls", "{here}/nowhere"], "there is nothing at"),
        (["ls", "{here}/*.parquet"], "there is nothing at"),
        (["ls", "{here}/text.txt"], "in the list"),
        (["ls", "demo/my-suit"], "did you mean 'my-suite'"),
        (["ls", "{table}", "--identity", "{here}/bad.yaml"], "cannot read the identity file"),
        (["ls", "{table}", "--identity", "{here}/wrong.yaml"], "unknown key 'name'"),
        (["ls", "{table}", "--table-spec", "{here}/bad.yaml"], "cannot read"),
        (["ls", "{table}", "--table-spec", "{here}/nowhere.yaml"], "cannot read"),
        (["ls", "{table}", "--error-policy", "ignore"], "unknown error policy 'ignore'"),
        (["ls", "{table}", "--reruns", "last"], "did you mean 'latest'"),
        (["frames", "{table}", "--table", "stats", "--out", "{out}.csv"], "have no stats"),
        (["frames", "{table}", "--table", "run", "--out", "{out}.csv"], "did you mean 'runs'"),
        (["frames", "{table}", "--table", "runs", "--out", "{out}.xlsx"], "must end in .parquet"),
        (
            ["frames", "{table}", "--table", "runs", "--out", "{out}.csv", "--columns", "modl"],
            "did you mean 'model'",
        ),
        (
            ["frames", "{table}", "--table", "runs", "--out", "{here}/no/folder/x.csv"],
            "no/folder",
        ),
        ([*EVALUATE, "--predictor", "scenario-men"], "did you mean 'scenario-mean'"),
        ([*EVALUATE, "--predictor", "random(a=b)"], "cannot read the settings"),
        ([*EVALUATE, "--predictor", "{here}/nowhere.py:Mine"], "there is no file"),
        ([*EVALUATE, "--predictor", "{here}/mine.py:Mine"], "is not a predictor class"),
        ([*EVALUATE, "--predictor", "no.such.module:Mine"], "No module named"),
        ([*EVALUATE, "--task", "heldout"], "did you mean 'heldout-run'"),
        ([*EVALUATE, "--task", "{here}/bad.yaml"], "is not YAML"),
        ([*EVALUATE, "--task", "{here}/wrong.yaml"], "did you mean 'model'"),
        ([*EVALUATE, "--k", "five"], "--k takes whole numbers"),
        ([*EVALUATE, "--k", "0,-1"], "at least 0"),
        ([*EVALUATE, "--k", ""], "k must be whole numbers"),
        ([*EVALUATE, "--seeds", "0.5"], "--seeds takes whole numbers"),
        ([*EVALUATE, "--seeds", "-1"], "seeds"),
        ([*EVALUATE, "--folds", "0"], "folds must be at least 1"),
        ([*EVALUATE, "--folds", "recipe"], "unknown fold column 'recipe'"),
        ([*EVALUATE, "--jobs", "0"], "jobs must be at least 1"),
        ([*EVALUATE, "--isolation", "jail"], "unknown isolation 'jail'"),
        ([*EVALUATE, "--timeout", "0"], "timeout"),
        ([*EVALUATE, "--timeout", "nan"], "timeout"),
        ([*EVALUATE, "--model", "nobody"], "nobody"),
        ([*EVALUATE, "--scenario", "s"], "did you mean 's"),
        ([*EVALUATE, "--metric", "acuracy"], "did you mean 'accuracy'"),
        ([*EVALUATE, "--condition", "12345678"], ""),
        ([*EVALUATE, "--min-instances", "7"], "no runs to evaluate"),
        ([*EVALUATE, "--exclude-model", "*"], "no runs to evaluate"),
        ([*EVALUATE[:-1], "{here}/thesis"], "holds no results"),
        ([*EVALUATE[:-1], "{here}/text.txt"], "holds no results"),
    ],
)
def test_what_the_user_can_mend_is_one_paragraph_and_status_2(run, files, arguments, message):
    before = sorted(files["here"].rglob("*"))
    status, out, err = run(*[a.format(**files) for a in arguments])
    assert status == 2
    assert out == ""
    assert err.startswith("harness: ")
    assert message in err
    assert "Traceback" not in err
    assert err.count("\n\n") == 0
    assert sorted(files["here"].rglob("*")) == before


@pytest.mark.parametrize("option", [("--part", "test"), ("--perturbation", "typos")])
def test_a_selection_of_nothing_is_refused_after_the_problems(run, files, option):
    status, _, err = run(*[a.format(**files) for a in EVALUATE], *option)
    *problems, last = err.splitlines()
    assert status == 2
    assert last.startswith("harness: no runs to evaluate: reading found these problems: 12 × no-m")
    assert problems[0].startswith("problem: s0:model=a/m0: has no 'accuracy'")
    assert problems[-1] == "… 12 problems; `harness ls --verify` lists them."


@pytest.mark.parametrize(
    "arguments",
    [
        ["evaluate", "{table}"],
        ["evaluate", "{table}", "--out", "{out}", "--jobs", "many"],
        ["list", "predictor"],
        ["list"],
        ["lss", "{table}"],
        ["frames", "{table}", "--table", "runs"],
        [],
    ],
)
def test_wrong_arguments_are_told_with_the_usage(run, files, arguments):
    status, _, err = run(*[a.format(**files) for a in arguments])
    assert status == 2
    assert "usage: harness" in err
    assert "Traceback" not in err


def test_results_in_the_way_are_refused(run, files):
    arguments = [a.format(**files) for a in EVALUATE]
    arguments += ["--predictor", "scenario-mean", "--k", "0", "--json"]
    assert run(*arguments)[0] == 0
    status, _, err = run(*arguments)
    assert status == 2
    assert "holds results already" in err
    assert "--overwrite" in err
    assert run(*arguments, "--overwrite")[0] == 0


def test_debug_shows_where_it_went_wrong(run, files):
    with pytest.raises(suites.UsageError):
        main(["ls", str(files["here"] / "nowhere"), "--debug"])


def test_a_reader_who_leaves_early_is_no_error(table):
    command = [sys.executable, "-m", "harness.cli", "ls", str(table), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        said = process.stderr.read()
        assert process.wait(60) == 0
    assert said == b""


# -- frames ----------------------------------------------------------------------------------------

SHAPES = {
    "run_specs": (4, 39),
    "scenario_state": (28, 58),
    "stats": (648, 15),
    "per_instance_stats": (756, 13),
    "responses": (24, 17),
    "runs": (4, 25),
}


@pytest.mark.parametrize("ending", ["parquet", "csv"])
@pytest.mark.parametrize("name", SHAPES)
def test_every_table_of_the_demo_is_written_and_read_back(run, demo, tmp_path, name, ending):
    path = tmp_path / f"{name}.{ending}"
    status, out, err = run("frames", "demo/my-suite", "--table", name, "--out", path)
    assert (status, out) == (0, "")
    rows, columns = SHAPES[name]
    assert f"{rows} rows × {columns} columns" in err
    frame = pd.read_parquet(path) if ending == "parquet" else pd.read_csv(path)
    assert frame.shape == SHAPES[name]
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    suite = suites.read("demo/my-suite")
    whole = getattr(suite, name) if name == "runs" else None
    if whole is None:
        whole = suite.responses() if name == "responses" else suite.frame(name)
    assert frame.columns.tolist() == whole.columns.tolist()
    numbers = [c for c in whole.columns if whole[c].dtype.kind == "f"]
    for column in numbers:
        assert frame[column].to_numpy(float).tolist() == pytest.approx(
            whole[column].tolist(), nan_ok=True
        )


def test_lists_become_json_text_and_plain_words_stay(run, demo, tmp_path):
    run("frames", "demo/my-suite", "--table", "run_specs", "--out", tmp_path / "x.parquet")
    frame = pd.read_parquet(tmp_path / "x.parquet")
    assert "mmlu" in json.loads(frame["run_spec.groups"].iloc[0])
    assert frame["run_spec.scenario_spec.args.subject"].iloc[0] == "anatomy"


def test_columns_are_chosen_by_globs_in_the_order_of_the_table(run, demo, tmp_path):
    path = tmp_path / "x.csv"
    run("frames", "demo/my-suite", "--table", "stats", "--out", path,
        "--columns", "stats.name.*", "run_spec.name")  # fmt: skip
    assert pd.read_csv(path).columns.tolist() == [
        "run_spec.name",
        "stats.name.name",
        "stats.name.perturbation.computed_on",
        "stats.name.perturbation.fairness",
        "stats.name.perturbation.name",
        "stats.name.perturbation.robustness",
        "stats.name.split",
    ]
