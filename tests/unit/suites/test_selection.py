"""Which runs are kept."""

import pytest

from suites.errors import UsageError
from suites.selection import RERUNS, Selection


@pytest.mark.parametrize(
    ("selection", "kept"),
    [
        (Selection(), True),
        (Selection(models=["meta/llama-3-8b"]), True),
        (Selection(models=["meta/*"]), True),
        (Selection(models=["openai/*", "meta/*"]), True),
        (Selection(models=["openai/*"]), False),
        (Selection(models=["META/*"]), False),
        (Selection(scenarios=["mmlu:*"]), True),
        (Selection(scenarios=["mmlu"]), False),
        (Selection(scenarios=["mmlu:subject=[ab]*"]), True),
        (Selection(models=["meta/*"], scenarios=["gsm"]), False),
        (Selection(exclude_models=["meta/*"]), False),
        (Selection(models=["meta/*"], exclude_models=["*-8b"]), False),
        (Selection(exclude_scenarios=["mmlu*"]), False),
        (Selection(exclude_scenarios=["gsm"], exclude_models=["openai/*"]), True),
    ],
)
def test_globs_keep_and_leave_out(selection, kept):
    assert selection.keeps("meta/llama-3-8b", "mmlu:subject=anatomy") == kept


def test_a_name_with_brackets_is_matched_by_itself():
    assert Selection(models=["m[1]"]).keeps("m[1]", "s")
    assert Selection(models=["m[1]"]).keeps("m1", "s")


def test_one_glob_need_not_be_in_a_list():
    assert not Selection(models="meta/*").keeps("openai/gpt-4", "s")
    assert Selection(models="meta/*", exclude_scenarios="gsm").keeps("meta/llama", "mmlu")
    assert not Selection(exclude_scenarios="gsm").keeps("meta/llama", "gsm")


@pytest.mark.parametrize("reruns", RERUNS)
def test_reruns_are_one_of_four(reruns):
    assert Selection(reruns=reruns).reruns == reruns


def test_unknown_reruns_are_refused_with_the_nearest():
    with pytest.raises(UsageError, match="unknown choice of reruns 'last'; did you mean 'latest'"):
        Selection(reruns="last")
