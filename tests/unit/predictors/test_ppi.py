"""`Ppi`: an unbiased mean, whatever the other models are worth."""

import numpy as np
import pandas as pd
import pytest

from harness.data_splits import SequesteredTestSplit, TrainSplit
from predictors.ppi import Ppi
from suites.errors import UsageError

KEYS = {"scenario": "s", "metric": "acc", "lower": 0.0, "upper": 1.0, "binary": True}


def responses(models=16, items=60, seed=0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    ease = rng.normal(0, 1, (models, 1)) + rng.normal(0, 3, items)
    return (rng.random((models, items)) < 1 / (1 + np.exp(-ease))).astype(float)


def train_of(y) -> TrainSplit:
    rows = [(f"r{m}", f"q{i}", v) for m, row in enumerate(y) for i, v in enumerate(row)]
    known = pd.DataFrame(rows, columns=["run", "instance", "value"])
    names = [f"r{m}" for m in range(len(y))]
    runs = pd.DataFrame({"run": names, "model": names, "value": np.mean(y, axis=1)}).assign(**KEYS)
    return TrainSplit(runs=runs, responses=known.assign(metric="acc"))


def asked(y, samples, model="new") -> SequesteredTestSplit:
    """One target for each sample of items."""
    names = [f"t{i}" for i in range(len(samples))]
    targets = pd.DataFrame({"target": names, "model": model, "n": len(y)}).assign(**KEYS)
    rows = [
        (name, f"q{i}", y[i]) for name, sample in zip(names, samples, strict=True) for i in sample
    ]
    shown = pd.DataFrame(rows, columns=["target", "instance", "value"])
    return SequesteredTestSplit(targets=targets, responses=shown, k=len(samples[0]))


def answers(predictor, train, test):
    predictor.fit(train)
    return predictor.predict(train, test)


@pytest.fixture(scope="module")
def drawn():
    """What is said after each of many samples of ten of a model's sixty items."""
    y, rng = responses(), np.random.default_rng(1)
    samples = [rng.choice(60, 10, replace=False) for _ in range(600)]
    found = answers(Ppi(pool_size=1e6), train_of(y[1:]), asked(y[0], samples))
    pmf = np.array([p.pmf for p in found])
    return y[0], samples, pmf


def test_its_mean_over_samples_is_the_truth_and_varies_less_than_theirs(drawn):
    y, samples, pmf = drawn
    means = pmf @ np.arange(61) / 60
    error = means - y.mean()
    assert abs(error.mean()) < 3 * error.std() / np.sqrt(len(error))
    plain = np.array([y[sample].mean() for sample in samples])
    assert error.std() < 0.85 * plain.std()


def test_its_intervals_cover(drawn):
    y, _, pmf = drawn
    below = np.cumsum(pmf, axis=1)
    count = round(y.sum())
    inside = (below[:, count] > 0.05) & (below[:, count - 1] < 0.95)
    assert 0.86 < inside.mean() < 0.97


def test_without_other_models_it_is_the_sample_mean():
    y = np.tile([0.0, 1.0], 30)
    test = asked(y, [np.arange(8)])
    empty = TrainSplit(runs=train_of([y]).runs.head(0), responses=train_of([y]).responses.head(0))
    (found,) = answers(Ppi(), empty, test)
    assert found.pmf.argmax() == pytest.approx(30, abs=1)


def test_of_its_own_model_it_uses_nothing():
    y = responses()
    sample = [np.arange(6)]
    other = y.copy()
    other[0] = 1 - other[0]
    (one,) = answers(Ppi(), train_of(y), asked(y[0], sample, model="r0"))
    (two,) = answers(Ppi(), train_of(other), asked(y[0], sample, model="r0"))
    np.testing.assert_allclose(one.pmf, two.pmf, atol=1e-12)


def test_with_all_responses_shown_nothing_is_left_to_predict():
    y = responses()
    (found,) = answers(Ppi(), train_of(y[1:]), asked(y[0], [np.arange(60)]))
    assert found.pmf.argmax() == y[0].sum()
    assert found.pmf.max() > 0.99


@pytest.mark.parametrize("size", [0.5, float("inf"), float("nan"), "ten", True])
def test_a_size_without_a_meaning_is_refused(size):
    with pytest.raises(UsageError, match="pool_size must be"):
        Ppi(pool_size=size)
