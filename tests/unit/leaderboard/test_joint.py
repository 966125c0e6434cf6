"""Predictions judged together: terminal, JSON and page."""

import json

import pandas as pd
import pytest
from page_elements import Page

from harness.joint_ranking import joint_summary
from leaderboard import words
from leaderboard.joint import joint_at
from leaderboard.page import build

RULES = ["energy_score", "pairwise_brier", "kendall_tau"]


@pytest.fixture(scope="module")
def page(together, tmp_path_factory):
    site = build(together, tmp_path_factory.mktemp("site"))
    return Page(site.read_text(encoding="utf-8"))


def test_the_terminal_shows_what_the_summary_holds(run, together):
    status, out, err = run("show", together.path, "--joint")
    assert (status, err) == (0, "")
    assert max(map(len, out.splitlines())) <= 100
    assert "Energy score over 9 models" in out
    assert "Pairwise Brier and Kendall τ over 8 scenarios" in out
    tables = out.split("judged together: ")[1:]
    assert len(tables) == 2
    summary = joint_summary(together)
    for (k, part), text in zip(summary.groupby("k"), tables, strict=True):
        assert f"k = {k}, judged together" in out
        rows = [line for line in text.split("\n\n")[0].splitlines() if line[0].isalpha()]
        names = list(dict.fromkeys(part["predictor"]))
        for line, name in zip(rows[-len(names) :], names, strict=True):
            assert line.split()[0] == name.split("(")[0]
            for row in part[part["predictor"] == name].to_dict("records"):
                assert words.number(row["value"], rule=row["rule"]) in line.split()
                ends = [words.number(row[f"value_{e}"], rule=row["rule"]) for e in ("low", "high")]
                assert row["value_low"] != row["value_low"] or f"[{', '.join(ends)}]" in text


def test_it_is_shown_only_when_asked_for(run, together):
    assert "judged together" not in run("show", together.path)[1]


def test_who_gave_joint_draws_is_said(run, together):
    text = " ".join(run("show", together.path, "--joint", "--k", "0")[1].split())
    names = [p["name"] for p in together.manifest["predictors"]]
    joint = next(name for name in names if name.startswith("Together") and "False" not in name)
    assert f"Draws that belong together: {joint}. Predictions of others count as inde" in text
    summary = joint_summary(together, k=0).assign(joint=0.0)
    assert "No predictor gave draws" in joint_at(summary, 0).draws


def test_many_k_show_the_smallest_and_say_so(run, make_folder):
    folder = make_folder(ks=(0, 1, 2, 5))
    targets = pd.read_parquet(folder / "targets.parquet")
    models = sorted(set(targets["model"]))
    rows = [
        (name, 0, 0, k, "model", model, "energy_score", 1.0 + k + i, 8, False)
        for i, name in enumerate(("scenario-mean", "hierarchical"))
        for k in (0, 1, 2, 5)
        for model in models
    ]
    columns = ["predictor", "seed", "fold", "k", "by", "group", "rule", "value", "targets", "joint"]
    pd.DataFrame(rows, columns=columns).to_parquet(folder / "groups.parquet")
    out = run("show", folder, "--joint")[1]
    assert "k = 0, judged together" in out
    assert "k = 5, judged together" not in out
    assert "Another k: leaderboard show … --joint --k K" in out
    assert "k = 5, judged together" in run("show", folder, "--joint", "--k", "5")[1]


def test_json_always_has_the_summary(run, together):
    document = json.loads(run("show", together.path, "--json")[1])
    summary = joint_summary(together)
    assert [row["predictor"] for row in document["joint"]] == summary["predictor"].tolist()
    assert set(document["joint"][0]) == set(summary.columns)
    one = json.loads(run("show", together.path, "--json", "--k", "3")[1])
    assert {row["k"] for row in one["joint"]} == {3}


def test_results_without_the_table_show_nothing(run, folder):
    status, out, _ = run("show", folder, "--joint")
    assert status == 0
    assert "No predictions were judged together." in out
    assert json.loads(run("show", folder, "--json")[1])["joint"] == []


def test_several_tasks_show_theirs_below_their_names(run, vector_folder, together, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        for file in together.path.iterdir():
            (tmp_path / name / file.name).write_bytes(file.read_bytes())
    tasks = [{"task": name, "heading": f"Task {name}", "folder": name} for name in ("one", "two")]
    (tmp_path / "tasks.json").write_text(json.dumps({"tasks": tasks}), encoding="utf-8")
    out = run("show", tmp_path, "--joint")[1]
    after = out[out.index("\nTask one\n") :]
    assert after.index("k = 0, judged together") < after.index("\nTask two\n")
    assert after.count("judged together") == 2
    document = json.loads(run("show", tmp_path, "--json")[1])
    assert all(len(ranking["joint"]) for ranking in document["rankings"].values())


def test_the_page_has_a_table_at_each_k(page, together):
    assert page.faults == []
    section = page.all("section", id="joint")[0]
    tables = [e for e in page.all("table") if section in e["parents"]]
    assert len(tables) == 2
    summary = joint_summary(together)
    for table, k in zip(tables, (0, 3), strict=True):
        part = summary[summary["k"] == k]
        names = list(dict.fromkeys(part["predictor"]))
        rows = [e for e in page.all("tr") if table in e["parents"] and "tbody" in e["path"]]
        assert [r["text"].split("(")[0].split()[0] for r in rows] == [
            name.split("(")[0] for name in names
        ]
        for name, line in zip(names, rows, strict=True):
            own = part[part["predictor"] == name].set_index("rule").loc[RULES]
            wanted = []
            for rule, row in own.iterrows():
                wanted.append(row["value"])
                has = part.loc[part["rule"] == rule, "difference"].notna().any()
                if has and name != together.manifest["reference"]:
                    wanted.append(row["difference"])
            found = [float(e["attrs"]["value"]) for e in page.all("data") if line in e["parents"]]
            assert found == pytest.approx(wanted, rel=1e-12, nan_ok=True)
            assert line["text"].split()[-1] in ("yes", "no")
    assert "Draws that belong together" in section["text"]


def test_methods_explain_the_rules(page):
    terms = page.all("section", id="methods")[0]["text"]
    for rule in RULES:
        assert words.RULE_NAMES[rule] in terms


def test_a_page_of_older_results_has_no_such_section(results, tmp_path):
    page = Page(build(results, tmp_path).read_text(encoding="utf-8"))
    assert page.all("section", id="joint") == []
    assert "Energy score" not in page.all("section", id="methods")[0]["text"]


def test_who_has_too_few_groups_is_named(together):
    summary = joint_summary(together, k=0)
    summary.loc[0, ["compared", "n_groups"]] = [False, 2]
    name = words.clean(summary["predictor"].iloc[0])
    assert joint_at(summary, 0).apart == [
        f"{name}: Energy score at k = 0 over 2 models only, so it is not compared with the others."
    ]
