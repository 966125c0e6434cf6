"""What may be seen of a held-out run's requests."""

import copy

import pandas as pd
import pytest

from harness.information import TARGET_COLUMNS, visible_state
from suites.schema import RUNS

STATE = "scenario_state.request_states."
ID = STATE + "instance.id"
SECRET = ("result.", "annotations", "instance.extra_data", "something_new")


@pytest.fixture(scope="module")
def states(demo):
    """Give a scenario_state of each kind of scenario: options, free text, perturbed, judged."""
    suite = next(s for s in demo.suites() if s.name == "standin-v1")
    kinds = {}
    for run in suite.runs():
        kinds.setdefault(run.name.partition(":")[0], run)
    frames = {kind: run.scenario_state() for kind, run in kinds.items()}
    assert any("annotations" in c for f in frames.values() for c in f.columns)
    assert any(".perturbation." in c for f in frames.values() for c in f.columns)
    return frames


def is_secret(column: str) -> bool:
    return any(column.startswith(STATE + start) for start in SECRET)


def has_tags(value) -> bool:
    return isinstance(value, list) and any(isinstance(r, dict) and "tags" in r for r in value)


@pytest.mark.parametrize("information", ["spec", "prompts"])
def test_no_answer_no_right_option_and_no_judgement_is_seen(states, information):
    for state in states.values():
        seen = visible_state(state, information, {str(state[ID].iloc[0])})
        assert not [c for c in seen.columns if is_secret(c)]
        assert not any(has_tags(v) for c in seen.columns for v in seen[c])
        assert "correct" not in seen.to_json()


@pytest.mark.parametrize("information", ["spec", "prompts", "completions"])
def test_rows_their_order_and_labels_are_kept(states, information):
    for state in states.values():
        mixed = state.sample(frac=1, random_state=1)
        shown = set(state[ID].unique()[:3])
        seen = visible_state(mixed, information, shown)
        assert seen.index.tolist() == mixed.index.tolist()
        assert seen[ID].tolist() == mixed[ID].tolist()


def test_duplicate_labels_are_kept(states):
    state = next(iter(states.values()))
    twice = pd.concat([state, state])
    seen = visible_state(twice, "completions", {str(state[ID].iloc[0])})
    assert seen.index.tolist() == twice.index.tolist()
    assert seen[ID].tolist() == twice[ID].tolist()


def test_descriptions_are_seen_and_texts_only_from_prompts_on(states):
    for state in states.values():
        spec = set(visible_state(state, "spec", ()).columns)
        prompts = set(visible_state(state, "prompts", ()).columns)
        wanted = {"run_spec.name", ID, STATE + "train_trial_index"}
        assert wanted <= spec < prompts
        assert {c for c in state.columns if "adapter_spec." in c} <= spec
        texts = {STATE + "instance.input.text", STATE + "instance.references"}
        assert texts & set(state.columns) <= prompts - spec
        assert STATE + "request.prompt" in prompts - spec


def test_columns_come_in_the_order_of_the_whole(states):
    for state in states.values():
        for information in ("spec", "prompts", "completions"):
            seen = visible_state(state, information, {str(state[ID].iloc[0])})
            assert seen.columns.tolist() == [c for c in state.columns if c in set(seen.columns)]


def test_the_mark_of_the_right_option_is_all_that_references_lose(states):
    state = next(s for s in states.values() if any(map(has_tags, s[STATE + "instance.references"])))
    seen = visible_state(state, "prompts", ())
    for before, after in zip(
        state[STATE + "instance.references"], seen[STATE + "instance.references"], strict=True
    ):
        assert [{k: v for k, v in r.items() if k != "tags"} for r in before] == after


def test_the_requests_of_shown_instances_are_seen_whole_and_only_those(states):
    for state in states.values():
        shown = set(state[ID].unique()[[0, -1]])
        seen = visible_state(state, "completions", shown)
        whole = state[ID].isin(shown)
        pd.testing.assert_frame_equal(
            pd.DataFrame(seen[whole]), pd.DataFrame(state[whole]), check_dtype=False
        )
        rest = seen[~whole]
        secret = [c for c in seen.columns if is_secret(c)]
        assert secret
        assert rest[secret].isna().all(axis=None)
        assert not any(has_tags(v) for c in rest.columns for v in rest[c])


def test_completions_without_shown_instances_are_prompts(states):
    state = next(iter(states.values()))
    pd.testing.assert_frame_equal(
        visible_state(state, "completions", ()), visible_state(state, "prompts", ())
    )


@pytest.mark.parametrize("information", ["spec", "prompts", "completions"])
def test_a_column_that_is_not_known_stays_hidden(states, information):
    state = next(iter(states.values())).copy()
    new = [STATE + "something_new", "truth", STATE + "instance.correct", STATE + "instance.idea"]
    new += [STATE + "result", STATE + "request_result.text", STATE + "output_mapping", STATE[:-1]]
    for column in new:
        state[column] = 0.123456789
    seen = visible_state(state, information, {str(state[ID].iloc[0])})
    others = seen[seen[ID] != state[ID].iloc[0]]
    for column in new:
        assert column not in others.columns or others[column].isna().all(), column


def test_what_is_not_given_cannot_be_changed_through_what_is(states):
    state = next(s for s in states.values() if any(map(has_tags, s[STATE + "instance.references"])))
    before = copy.deepcopy(state[STATE + "instance.references"].tolist())
    seen = visible_state(state, "prompts", ())
    for cell in seen[STATE + "instance.references"]:
        cell.clear()
    assert state[STATE + "instance.references"].tolist() == before


def test_an_empty_state_stays_empty(states):
    state = next(iter(states.values()))
    for information in ("spec", "prompts", "completions"):
        assert len(visible_state(state.iloc[:0], information, {"id0"})) == 0


def test_targets_are_described_by_columns_of_runs_without_anything_observed():
    columns = [c.name for c in RUNS]
    assert set(TARGET_COLUMNS) <= set(columns)
    observed = {"value", "recomputed", "n_scored", "n_error", "n_missing"}
    assert not observed & set(TARGET_COLUMNS)
    # whoever adds a column to the runs decides here whether it is part of a description
    assert set(columns) - set(TARGET_COLUMNS) - observed == {"source", "kind", "rerun"}
