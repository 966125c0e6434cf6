"""What a worker's process holds: no value that is to be predicted, in any object, however deep."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import harness
import suites

SEEKER = Path(__file__).parents[2] / "data" / "seeking" / "seeker.py"
METRICS = {"metrics": {"*": {"lower": 0, "upper": 1, "higher_is_better": True}}}


def items() -> pd.DataFrame:
    """Make responses of which no two are equal, nor any two means."""
    rng = np.random.default_rng(8)
    rows = [
        (f"maker{m % 3}/m{m}", f"s{s}", f"q{q}", rng.random())
        for m in range(6)
        for s in range(4)
        for q in range(7)
    ]
    return pd.DataFrame(rows, columns=["model", "scenario", "item", "score"])


def is_among(values, found) -> np.ndarray:
    """Say which values are among the found numbers, to the last few digits."""
    place = np.clip(np.searchsorted(found, values), 1, len(found) - 1)
    near = np.minimum(np.abs(found[place] - values), np.abs(found[place - 1] - values))
    return near < 1e-12


def sought(frame, tmp_path, task, predictor, k):
    """Evaluate, and give the evaluation and what was found at each call."""
    frame.to_parquet(tmp_path / "scores.parquet", index=False)
    (tmp_path / "notes").mkdir()
    results = harness.evaluate(
        suites.read(tmp_path / "scores.parquet", metrics=METRICS),
        f"{SEEKER}:{predictor}(folder={str(tmp_path / 'notes')!r})",
        task=task,
        k=k,
        folds=3,
        isolation="process",  # it writes down what it finds
    )
    status = results.status.astype({"predictor": str, "status": str})
    assert (status["status"] == "ok").all()
    notes = [np.load(path) for path in sorted((tmp_path / "notes").iterdir())]
    assert len(notes) == 3 * len(k)
    return results, notes


def test_no_value_of_a_held_out_run_is_there_and_train_values_are(tmp_path):
    results, notes = sought(items(), tmp_path, "heldout-run", "Seeker", [0, 3])
    truth = results.targets.set_index("target")["value"]
    for note in notes:
        held = truth[note["targets"]]
        assert not is_among(held.to_numpy(), note["found"]).any()
        known = truth[~truth.index.isin(note["targets"])]
        assert is_among(known.to_numpy(), note["found"]).all()


@pytest.mark.parametrize(
    ("task", "predictor"), [("new-model", "Seeker"), ("instance", "ResponseSeeker")]
)
def test_of_held_out_runs_only_shown_responses_are_there(tmp_path, task, predictor):
    frame = items()
    results, notes = sought(frame, tmp_path, task, predictor, [0, 3])
    cells = results.targets.set_index("target")[["model", "scenario"]]
    of_cell = frame.groupby(["model", "scenario"])["score"]
    for note in notes:
        names = {name.split("::")[0] for name in note["targets"]}
        for name in names:
            values = of_cell.get_group(tuple(cells.loc[name])).to_numpy()
            assert is_among(values, note["found"]).sum() == note["k"]


def test_of_values_alone_only_revealed_ones_are_there(tmp_path):
    frame = items().groupby(["model", "scenario"], as_index=False)["score"].mean()
    results, notes = sought(frame, tmp_path, "new-model", "ValueSeeker", [0, 1])
    truth = results.targets.set_index("target")["value"]
    for note in notes:
        assert not is_among(truth[note["targets"]].to_numpy(), note["found"]).any()
        known = truth[~truth.index.isin(note["targets"])]
        assert is_among(known.to_numpy(), note["found"]).all()
    assert sorted(len(note["targets"]) for note in notes) == [6] * 3 + [8] * 3
