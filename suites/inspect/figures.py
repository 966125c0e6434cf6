"""Which numbers a log has: published figures, those of its responses, and the main one.

A figure's name is that of the responses behind it where it is their mean (Inspect's metrics
``accuracy`` and ``mean``); another published metric is named behind a colon: ``match:stderr``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from suites.inspect.header import Header, ScoreResult, items, mapping, text
from suites.inspect.scores import Bounds, Scores
from suites.inspect.values import Scale
from suites.metric_rules import MetricRules
from suites.metrics import MetricFacts
from suites.reader import Figure, RunDescription

MEANS = ("accuracy", "mean")
"""Inspect's metrics that are the mean of the reduced values."""

# Inspect's own scorers: whether each answer is 0 or 1; all lie from 0 to 1, higher is better.
_SCORERS = {
    "match": True,
    "includes": True,
    "pattern": True,
    "answer": True,
    "choice": True,
    "exact": True,
    "math": True,
    "f1": False,
    "model_graded_qa": None,
    "model_graded_fact": None,
}


def metric_of(score: ScoreResult) -> str:
    """Name the responses behind a published score.

    Examples
    --------
    >>> metric_of(ScoreResult("match", "match", None, 4, 0, {}))
    'match'
    >>> metric_of(ScoreResult("clear", "judge", "max", 4, 0, {}))
    'judge/clear@max'
    """
    scorer = score.scorer.rpartition("/")[2]
    same = score.name in (scorer, score.scorer) or re.fullmatch(
        re.escape(scorer) + r"\d+",
        score.name,  # the second of two scorers of one name
    )
    name = score.name if same else f"{scorer}/{score.name}"
    return name if score.reducer in (None, "mean") else f"{name}@{score.reducer}"


def has_mean(score: ScoreResult) -> bool:
    """Say whether the mean of the responses is among a score's metrics."""
    return any(_bare(metric) in MEANS for metric in score.metrics)


def published(header: Header, rules: MetricRules) -> list[Figure]:
    """Give the figures that a log's header publishes, in its order."""
    figures: dict[str, Figure] = {}
    for score in header.scores:
        base = metric_of(score)
        of_mean = next((m for m in score.metrics if _bare(m) in MEANS), None)
        for key, (value, _) in score.metrics.items():
            name = base if key == of_mean else f"{base}:{key}"
            facts = known(header, score.scorer, name, rules, accuracy=_bare(key) == "accuracy")
            if key != of_mean:
                facts = rules.facts(MetricFacts(name))
            figures.setdefault(name, _figure(facts, value, _instances(header, score)))
    return list(figures.values())


def main_metric(header: Header) -> tuple[str, str] | None:
    """Choose the main metric of a log and say why; None when it publishes none.

    The one that Inspect shows first: the log's headline, else the first metric of the first score
    that has any.
    """
    with_metrics = [score for score in header.scores if score.metrics]
    if not with_metrics:
        return None
    said = header.headline
    candidates = [
        score
        for score in with_metrics
        if said.get("reducer") in (None, score.reducer)
        and said.get("scorer") in (None, score.scorer)
        and said.get("score") in (None, score.name)
        and (said.get("metric") is None or said["metric"] in score.metrics)
    ]
    if said and candidates:
        score = candidates[0]
        return _name(score, said.get("metric") or next(iter(score.metrics))), "Inspect's headline"
    first = with_metrics[0]
    return _name(first, next(iter(first.metrics))), "the first metric of the first scorer"


def observed(scores: Scores, rules: MetricRules, bounds: Mapping[str, MetricFacts]) -> list[Figure]:
    """Give the means of a log's responses, by metric, with the number of instances."""

    def of(metric: str) -> tuple[float | None, float | None, bool | None]:
        facts = bounds.get(metric) or facts_of(scores, metric, rules)
        return facts.lower, facts.upper, facts.higher_is_better

    figures = []
    for metric in scores.metrics:
        column = scores.column(metric, of)
        facts = bounds.get(metric) or facts_of(scores, metric, rules)
        instances = len(set(scores.of_id[column.row].tolist()))
        figures.append(_figure(facts, column.mean, instances))
    return figures


def bounds_of(scores: Scores, rules: MetricRules, run: RunDescription) -> Bounds:
    """Give what tells range and direction of a log's metrics, as its run has them.

    Those of the main metric were sought in all runs of the scenario; of others that the run does
    not know, the log's own values tell.
    """
    figures = {f.metric: f for f in run.figures}

    def bounds(metric: str) -> tuple[float | None, float | None, bool | None]:
        figure = figures.get(metric)
        if figure is not None and (figure.lower is not None or metric == run.main[0]):
            return figure.lower, figure.upper, figure.higher_is_better
        facts = facts_of(scores, metric, rules)
        return facts.lower, facts.upper, facts.higher_is_better

    return bounds


def facts_of(
    scores: Scores, metric: str, rules: MetricRules, scale: Scale | None = None
) -> MetricFacts:
    """Say what is known of a metric, its values looked at.

    Parameters
    ----------
    scores : Scores
        Of a log.
    metric : str
        Which.
    rules : MetricRules
        The user's own facts come first.
    scale : Scale, optional
        What sorts of values it has in all logs of the scenario; by default in this one.
    """
    facts = known(scores.header, metric.partition("@")[0], metric, rules, accuracy=False)
    return with_scale(facts, scores.scale(metric) if scale is None else scale, rules)


def with_scale(facts: MetricFacts, scale: Scale, rules: MetricRules) -> MetricFacts:
    """Add what the sorts of values tell: grades and truth values lie from 0 to 1 by definition."""
    if facts.lower is not None or not (scale.graded or scale.zero_one):
        return facts
    better = True if scale.graded else facts.higher_is_better
    binary = True if scale.zero_one else facts.binary
    return rules.facts(MetricFacts(facts.name, 0.0, 1.0, better, binary))


def known(
    header: Header, scorer: str, metric: str, rules: MetricRules, *, accuracy: bool
) -> MetricFacts:
    """Say what is known of a metric without looking at its values."""
    name = scorer.rpartition("/")[2]
    own = {
        (text(mapping(s).get("name")) or "").rpartition("/")[2]
        for s in items(header.spec.get("scorers"))
    }
    if name in _SCORERS and metric.partition("@")[0] == name and (not own or name in own):
        facts = MetricFacts(metric, 0.0, 1.0, True, _SCORERS[name])
    elif accuracy:
        facts = MetricFacts(metric, 0.0, 1.0, True, None)
    else:
        facts = MetricFacts(metric)
    return rules.facts(facts)


def _name(score: ScoreResult, key: str) -> str:
    of_mean = next((m for m in score.metrics if _bare(m) in MEANS), None)
    return metric_of(score) if key == of_mean else f"{metric_of(score)}:{key}"


def _figure(facts: MetricFacts, value: float, n: int | None) -> Figure:
    return Figure(
        metric=facts.name,
        part=None,
        perturbation=None,
        value=value if math.isfinite(value) else math.nan,
        n=n,
        binary=None if facts.binary else facts.binary,  # the responses tell
        lower=facts.lower,
        upper=facts.upper,
        higher_is_better=facts.higher_is_better,
    )


def _instances(header: Header, score: ScoreResult) -> int | None:
    if score.scored is not None:
        return score.scored + (score.unscored or 0)
    if header.sample_ids:
        return len(header.sample_ids)
    return header.completed // header.epochs if header.completed else None


def _bare(metric: str) -> str:
    return metric.rpartition("/")[2]
