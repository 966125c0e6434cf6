"""`item_kernels`: kernels of the models' responses to items."""

import numpy as np
import pandas as pd
import pytest

from hibayes.analysis_state import AnalysisState
from hibayes.hierarchical.cells import Grid
from hibayes.hierarchical.kernels import Answers, Kernels
from hibayes.process import item_kernels
from suites.errors import UsageError


def samples(seed=0):
    """Rows of samples: three models, two scenarios of items, two epochs of some."""
    rng = np.random.default_rng(seed)
    rows = [
        {"model": m, "scenario": s, "id": str(i), "epoch": e, "score": float(rng.integers(2))}
        for m in ("b", "a", "c")
        for s in ("x", "y")
        for i in range(12)
        for e in range(1 + (i == 0))
    ]
    return pd.DataFrame(rows)


def made(frame, **arguments):
    state = AnalysisState(data=frame)
    return item_kernels(**arguments)(state)


def test_the_kernels_are_those_of_the_responses():
    frame = samples()
    state = made(frame)
    runs = frame.drop_duplicates(["model", "scenario"])
    grid = Grid.of(runs["model"], runs["scenario"], np.full(6, 0.5), np.full(6, 12))
    answers = Answers.of(grid, frame["model"], frame["scenario"], frame["id"], frame["score"])
    kernels = Kernels.of(answers.tables, 3)
    np.testing.assert_allclose(state.features["factor_kernel"], kernels.factors, rtol=1e-12)
    np.testing.assert_allclose(state.features["residual_kernel"], kernels.residual, rtol=1e-12)
    assert state.features["factor_kernel"].dtype == np.float64
    assert state.coords["kernel_model"] == ["a", "b", "c"]
    pd.testing.assert_frame_equal(state.processed_data, frame)


def test_columns_can_have_other_names_and_scores_be_grades():
    frame = samples()
    expected = made(frame).features["factor_kernel"]
    other = frame.rename(columns={"scenario": "task_name", "id": "question", "score": "grade"})
    other["grade"] = np.where(frame["score"] == 1, "C", "I")
    state = made(other, scenario="task_name", item="question", score="grade")
    np.testing.assert_array_equal(state.features["factor_kernel"], expected)


def test_the_order_of_rows_and_rows_without_a_score_do_not_matter():
    frame = samples()
    expected = made(frame).features["residual_kernel"]
    more = pd.concat([frame, frame.iloc[:3].assign(id="new", score=np.nan)]).sample(
        frac=1.0, random_state=1
    )
    found = made(more.reset_index(drop=True)).features["residual_kernel"]
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"score": 5.0}, "scores must be from 0 to 1, and 78 of 78"),
        ({"score": np.nan}, "no row has a number"),
        ({"id": None}, "no 'id' in 78"),
    ],
)
def test_what_has_no_kernels_is_refused(change, said):
    with pytest.raises(UsageError, match=said):
        made(samples().assign(**change))


def test_a_column_that_is_not_there_is_named():
    with pytest.raises(UsageError, match=r"\['scenario'\].*'task_name'"):
        made(samples().rename(columns={"scenario": "task_name"}))


@pytest.mark.parametrize(("source", "scenario"), [("demo/inspect", "task_name"),
                                                  ("demo/standin-v1", "scenario")])  # fmt: skip
def test_items_of_logs_and_suites_are_named_by_their_id(source, scenario):
    from hibayes.load import DataLoaderConfig, get_sample_df

    frame = get_sample_df(DataLoaderConfig.from_dict({"paths": {"files_to_process": [source]}}))
    assert not frame["id"].isna().any()
    # an item is answered by several models, or the kernels would be empty
    assert frame.groupby([scenario, "id"])["model"].nunique().median() > 5
    state = made(frame, scenario=scenario)
    kernel = state.features["factor_kernel"]
    assert kernel.shape == (frame["model"].nunique(),) * 2
    off = kernel[~np.eye(len(kernel), dtype=bool)]
    assert off.max() > off.min() + 0.05
