"""Results of several evaluations of one split, put together."""

import json

import pandas as pd
import pytest

import harness
from harness.cli import main
from harness.merging import merge
from harness.results import Results
from suites.errors import UsageError

OPTIONS = {"k": [0, 3], "folds": 3, "seeds": [0, 1], "isolation": "none"}
SOURCE = "demo/my-suite"


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("parts")
    for name in ("jeffreys", "beta-binomial"):
        harness.evaluate(SOURCE, name, out=folder / name, **OPTIONS)
    harness.evaluate(SOURCE, ["jeffreys", "beta-binomial"], out=folder / "both", **OPTIONS)
    return folder


def test_it_is_what_one_evaluation_of_all_finds(parts, tmp_path):
    merged = merge([parts / "jeffreys", parts / "beta-binomial"], tmp_path / "merged")
    both = Results.load(parts / "both")
    for table in ("targets", "split", "predictions", "scores", "status", "groups"):
        one, other = (
            getattr(r, table).astype(
                {c: str for c, t in getattr(r, table).dtypes.items() if t == "category"}
            )
            for r in (merged, both)
        )
        pd.testing.assert_frame_equal(one, other, check_exact=True)
    pd.testing.assert_frame_equal(merged.ranking(), both.ranking())
    assert [p["name"] for p in merged.manifest["predictors"]] == [
        p["name"] for p in both.manifest["predictors"]
    ]
    assert {p["isolation"] for p in merged.manifest["predictors"]} == {"none"}
    assert len(merged.manifest["merged"]) == 2


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"k": [0, 2]}, r"k \(\[0, 3\] and \[0, 2\]\)"),
        ({"seeds": 0}, "what each fold holds out"),
        ({"folds": 2}, "what each fold holds out"),
        ({"task": "new-model"}, r"task \(heldout-run and new-model\)"),
    ],
)
def test_results_of_another_split_are_refused_with_what_differs(parts, changed, message):
    other = harness.evaluate(SOURCE, "jeffreys", **{**OPTIONS, **changed})
    with pytest.raises(UsageError, match=message):
        merge([parts / "jeffreys", other])


def test_results_of_other_runs_are_refused(parts):
    other = harness.evaluate("demo/standin-v1", "jeffreys", **{**OPTIONS, "seeds": 0})
    with pytest.raises(UsageError, match=r"the responses .data., the runs or their values"):
        merge([parts / "jeffreys", other])


def test_two_predictors_of_one_name_must_be_one(parts, tmp_path):
    path = tmp_path / "mine.py"
    text = "from predictors.jeffreys import Jeffreys\n\n\nclass Mine(Jeffreys):\n    pass\n"
    found = []
    for more in ("", "# changed\n"):
        path.write_text(text + more)
        found.append(harness.evaluate(SOURCE, f"{path}:Mine", **OPTIONS))
    with pytest.raises(UsageError, match="a predictor Mine with other code"):
        merge(found)
    with pytest.raises(UsageError, match="at least two"):
        merge(found[:1])


def test_the_command_merges_and_ranks(parts, tmp_path, capsys):
    out = tmp_path / "merged"
    command = ["merge", str(parts / "jeffreys"), str(parts / "beta-binomial"), "--out", str(out)]
    assert main([*command, "--json"]) == 0
    ranking = json.loads(capsys.readouterr().out)["ranking"]
    assert {row["predictor"] for row in ranking} == {"scenario-mean", "jeffreys", "beta-binomial"}
    assert main(command) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert main([*command, "--overwrite"]) == 0
    assert main(["merge", str(parts / "jeffreys"), str(tmp_path), "--out", str(out)]) == 2
    assert "holds no results" in capsys.readouterr().err
