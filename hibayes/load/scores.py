"""Which of a sample's scores counts, and which number it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from suites.inspect.values import leaves, number_of

_WORDS = {"correct": 1.0, "incorrect": 0.0, "partial": 0.5}


def main_value(sample: Any, eval_log: Any) -> Any:
    """Give the value of the score that counts; None where the sample has none.

    It is the first scorer's, unless the log says otherwise (`RunView.main_scorer`: the
    configuration's ``scorer``, or the first scorer of the log), which may name a key of a
    dictionary: ``judge/clarity``.
    """
    scores = sample.scores
    if not scores:
        return None
    named = getattr(eval_log, "main_scorer", None)
    if not isinstance(named, str):
        return next(iter(scores.values())).value
    return value_of(scores, named)


def value_of(scores: Mapping[str, Any], named: str) -> Any:
    """Give the value of a scorer, or of one key of its value; None where there is none."""
    score = scores.get(named)
    if score is not None:
        return score.value
    for name, each in scores.items():
        if each is not None and named.startswith(name):
            for leaf, value in leaves(name, each.value):
                if named in (leaf, column_of(leaf)):
                    return value
    return None


def column_of(leaf: str) -> str:
    """Give the name of a score in columns: keys and positions after an underscore.

    Examples
    --------
    >>> column_of("judge/clarity"), column_of("steps[0]"), column_of("match")
    ('judge_clarity', 'steps_0', 'match')
    """
    return leaf.replace("/", "_").replace("[", "_").replace("]", "")


def score_number(value: Any) -> float:
    """Convert a score's value: C 1, P 0.5, I and N 0, yes, no, correct …, numbers as they are.

    Returns
    -------
    float
        NaN for what has no number: other texts, dictionaries, lists, null.

    Examples
    --------
    >>> [score_number(v) for v in ("C", "I", "P", "yes", "INCORRECT", 7, "switch", {"a": 1})]
    [1.0, 0.0, 0.5, 1.0, 0.0, 7.0, nan, nan]
    """
    if isinstance(value, str):
        word = _WORDS.get(value.strip().lower())
        if word is not None:
            return word
    return number_of(value)
