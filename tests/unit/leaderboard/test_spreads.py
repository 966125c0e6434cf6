"""Quantiles of all predictions at once are those of one distribution at a time."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from harness.distribution import Draws, discretise
from harness.prediction import RunPrediction
from harness.prediction_table import decode, encode
from leaderboard import spreads as module
from leaderboard.arrays import Arrays
from leaderboard.spreads import LEVELS, spreads

BOUNDS = {
    "counts": {"n": 40, "binary": True, "lower": 0.0, "upper": 1.0},
    "few": {"n": 3, "binary": True, "lower": 0.0, "upper": 100.0},
    "bounded": {"n": 40, "binary": False, "lower": 1.0, "upper": 5.0},
    "half": {"n": None, "binary": False, "lower": 0.0, "upper": None},
    "open": {"n": None, "binary": False, "lower": None, "upper": None},
}


def said(kind, facts, rng):
    """Make a prediction of a kind that goes beyond the bounds now and then; None if it cannot."""
    low = 0.0 if facts["lower"] is None else facts["lower"]
    width = 1.0 if facts["upper"] is None else facts["upper"] - low
    mean, sd = low + width * rng.uniform(-0.1, 1.1), width * rng.uniform(0.01, 0.5)
    if kind == "normal":
        return {"normal": (mean, sd)}
    if kind == "mean":
        return {"mean": mean}
    if kind == "quantiles":
        levels = np.sort(rng.choice(np.arange(1, 100), rng.integers(5, 12), replace=False)) / 100
        values = np.sort(rng.normal(mean, sd, len(levels)))
        values[1] = values[0]  # an atom
        return {"quantiles": dict(zip(levels.tolist(), values.tolist(), strict=True))}
    if kind == "samples":
        return {"samples": rng.normal(mean, sd, rng.integers(100, 120))}
    if kind == "beta" and facts["upper"] is not None:
        return {"beta": tuple(rng.uniform(0.2, 9.0, 2))}
    if kind == "pmf" and facts["binary"]:
        return {"pmf": rng.dirichlet(np.full(facts["n"] + 1, 0.2))}
    return None


def made(kind, seed=0, repeats=12):
    """Make targets, their table of predictions, and what a distribution each says."""
    rng = np.random.default_rng(seed)
    rows, predictions = [], []
    for name, facts in BOUNDS.items():
        for i in range(repeats):
            given = said(kind, facts, rng)
            if given is None:
                continue
            row = {"target": f"{name}-{i:02d}", "run": f"{name}-{i}", "name": "r", **facts}
            rows.append(row | {"metric": "m", "part": None, "perturbation": None, "value": 0.5})
            predictions.append(RunPrediction(target=row["target"], **given))
    targets = pd.DataFrame(rows).sort_values("target", ignore_index=True)
    answer = encode(predictions, targets)
    assert answer.status == {}
    facts = {r["target"]: SimpleNamespace(**{k: r[k] for k in BOUNDS["counts"]}) for r in rows}
    wanted = []
    for target, distribution, why in decode(answer.table, facts):
        assert why == ""
        fact = facts[target]
        if fact.binary and not isinstance(distribution, Draws):
            distribution = discretise(distribution, fact.n, fact.lower, fact.upper)  # as scored
        wanted.append(distribution.quantile(np.array(LEVELS)))
    return targets, answer.table, np.array(wanted)


def results_of(table, rows=1 << 18):
    """Give something whose predictions are read in batches of so many rows."""

    def batches(name, columns):
        assert name == "predictions"
        yield from table.select(list(columns)).to_batches(max_chunksize=rows)

    return SimpleNamespace(batches=batches)


def keyed(table, predictor="mine", seed=0, k=0):
    n = table.num_rows
    key = {
        "predictor": pa.array([predictor] * n),
        "seed": pa.array([seed] * n, pa.int32()),
        "k": pa.array([k] * n, pa.int32()),
    }
    return pa.table({**key, **{name: table.column(name) for name in table.column_names}})


def arrays_of(targets, valid=None, predictors=("mine",), seeds=(0,)):
    shape = (len(predictors), 1, len(seeds), len(targets))
    return Arrays(
        predictors=predictors,
        ks=(0,),
        seeds=seeds,
        targets=targets,
        rule="crps",
        unit="pp",
        loss=np.zeros((len(predictors), 1, len(targets))),
        valid=np.ones(shape, dtype=bool) if valid is None else valid,
        results=None,
    )


KINDS = ["normal", "mean", "quantiles", "samples", "beta", "pmf"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rows", [1 << 18, 7])
def test_they_are_those_of_the_distributions(kind, rows, monkeypatch):
    monkeypatch.setattr(module, "ROWS", 50 if rows == 7 else module.ROWS)
    targets, table, wanted = made(kind)
    found = spreads(results_of(keyed(table), rows), arrays_of(targets))
    assert found.shape == (1, 1, len(targets), len(LEVELS))
    np.testing.assert_allclose(found[0, 0], wanted, rtol=1e-12, atol=1e-12)


def test_the_order_of_a_predictions_rows_does_not_matter():
    targets, table, wanted = made("quantiles")
    backwards = keyed(table).take(list(range(table.num_rows))[::-1])
    found = spreads(results_of(backwards), arrays_of(targets))
    np.testing.assert_allclose(found[0, 0], wanted, rtol=1e-12, atol=1e-12)


def test_seeds_are_averaged_and_what_is_not_valid_is_left_out():
    targets, one, first = made("normal", seed=1)
    _, other, second = made("normal", seed=2)
    valid = np.ones((1, 1, 2, len(targets)), dtype=bool)
    valid[0, 0, 1, 0] = valid[0, 0, :, 1] = False
    both = pa.concat_tables([keyed(one), keyed(other, seed=1), keyed(other, seed=9)])
    found = spreads(results_of(both), arrays_of(targets, valid, seeds=(0, 1)))[0, 0]
    np.testing.assert_allclose(found[2:], (first + second)[2:] / 2)
    np.testing.assert_allclose(found[0], first[0])
    assert np.isnan(found[1]).all()


def test_a_type_of_a_later_version_has_no_quantiles():
    targets, table, _ = made("mean")
    kinds = pa.array(["later"] * table.num_rows)
    changed = keyed(table.set_column(1, "output_type", kinds))
    assert np.isnan(spreads(results_of(changed), arrays_of(targets))).all()


def test_results_without_predictions_have_none(results):
    arrays = Arrays.of(results, results.ranking(k=0))
    assert np.isnan(arrays.quantiles).all()


def test_those_of_a_folder_are_read_once(board):
    arrays = Arrays.of(board, board.ranking())
    assert not np.isnan(arrays.quantiles).any()
    assert arrays.quantiles is arrays.quantiles
    assert (np.diff(arrays.quantiles, axis=-1) >= 0).all()


def test_a_damaged_table_is_said(changed_board):
    from suites.errors import UsageError

    board = changed_board()
    (board.path / "predictions.parquet").write_bytes(b"PAR1 no more")
    with pytest.raises(UsageError, match=r"cannot read .*predictions\.parquet"):
        _ = Arrays.of(board, board.ranking()).quantiles
