"""Models of three levels: each axis of the fit, of its table and its plot has its own labels."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("jax", reason="needs JAX: pip install 'benchcast[bayes]'")
pytest.importorskip("numpyro", reason="needs NumPyro: pip install 'benchcast[bayes]'")
pytest.importorskip("arviz", reason="needs ArviZ: pip install 'benchcast[bayes]'")
pytest.importorskip("matplotlib", reason="needs matplotlib: pip install 'benchcast[plot]'")

from scipy.special import expit

from hibayes import arviz_bridge
from hibayes.analysis_state import AnalysisState, ModelAnalysisState
from hibayes.communicate import forest_plot, summary_table
from hibayes.model import ModelConfig, fit, three_level_group_binomial_exponential
from hibayes.process import extract_features, extract_observed_feature

LEVELS = {
    "group": ["safety", "ability"],
    "subgroup": ["chem", "bio", "cyber"],
    "subsubgroup": ["easy", "hard", "expert", "trap"],
}
TRIALS = 400


def cells():
    """Some of the cells: the first group has all subgroups, a subgroup 2 to 4 subsubgroups."""
    rows = []
    rng = np.random.default_rng(5)
    for g, s, t in itertools.product(*map(range, (2, 3, 4))):
        if (g == 1 and s == 2) or t >= (2 + s if g == 0 else 4 - s):
            continue
        # no two levels of a kind have like effects, so that exchanged labels are seen
        p = expit([1.2, -0.9][g] + [0.8, -0.7, 0.1][s] * (1 if g == 0 else -1) + 0.5 * t - 0.6)
        labels = [names[i] for names, i in zip(LEVELS.values(), (g, s, t), strict=True)]
        rows.append([*labels, int(rng.binomial(TRIALS, p)), TRIALS])
    return pd.DataFrame(rows, columns=[*LEVELS, "n_correct", "n_total"])


@pytest.fixture(scope="module")
def fitted():
    table = cells().sample(frac=1.0, random_state=0).reset_index(drop=True)
    state = AnalysisState(table)
    for worker in (
        extract_observed_feature("n_correct"),
        extract_features(list(LEVELS), ["n_total"], category_order=LEVELS),
    ):
        state = worker(state)
    settings = {"samples": 200, "warmup": 200, "chains": 2, "seed": 1}
    model = ModelAnalysisState(
        three_level_group_binomial_exponential(), ModelConfig.from_dict({"fit": settings}),
        features=state.features, coords=state.coords, dims=state.dims,
    )  # fmt: skip
    fit(model)
    state.add_model(model)
    return state


def test_the_posterior_is_labelled_along_every_axis(fitted):
    data = arviz_bridge.dataset(fitted.models[0].inference_data, "posterior")
    axes = list(LEVELS)
    for depth, name in enumerate(axes, start=1):
        for variable in (f"{name}_effects", f"z_{name}"):
            assert data[variable].dims[2:] == tuple(axes[:depth])
            for axis in axes[:depth]:
                assert data[variable].coords[axis].values.tolist() == LEVELS[axis]
    assert data["subsubgroup_effects"].shape == (2, 200, 2, 3, 4)


def test_labels_stand_for_the_cells_that_the_data_name(fitted):
    effects = arviz_bridge.dataset(fitted.models[0].inference_data, "posterior")[
        "subsubgroup_effects"
    ]
    shares = expit(effects).mean(("chain", "draw"))
    for row in fitted.data.to_dict("records"):
        found = shares.sel({axis: row[axis] for axis in LEVELS})
        assert float(found) == pytest.approx(row["n_correct"] / TRIALS, abs=0.06)


def test_the_table_and_the_plot_name_every_cell(fitted):
    kinds = list(LEVELS.values())
    names = [
        f"{axis}_effects[{', '.join(labels)}]"
        for depth, axis in enumerate(LEVELS, start=1)
        for labels in itertools.product(*kinds[:depth])
    ]
    variables = [f"{axis}_effects" for axis in LEVELS]
    summary_table(vars=variables, round_to=None)(fitted)
    forest_plot(vars=variables, combined=True)(fitted)
    table = next(v for k, v in fitted.communicate.items() if k.endswith("_summary"))
    figure = next(v for k, v in fitted.communicate.items() if k.endswith("_forest"))
    assert table.index.tolist() == names
    assert [tick.get_text() for tick in figure.axes[0].get_yticklabels()] == names
    effects = arviz_bridge.dataset(fitted.models[0].inference_data, "posterior")[
        "subsubgroup_effects"
    ]
    for g, s, t in itertools.product(*kinds):
        mean = float(effects.sel(group=g, subgroup=s, subsubgroup=t).mean())
        row = f"subsubgroup_effects[{g}, {s}, {t}]"
        assert table.loc[row, "mean"] == pytest.approx(mean, rel=1e-5)
