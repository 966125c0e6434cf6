"""A user's question about one run: what a model would score on a scenario.

The run was not made, or only begun; where the source has it after all, it is held out as an
evaluation would hold it out, and its value is told beside the prediction.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.asked_runs import AskedRun, asked_run, column_of
from harness.asking import Asker
from harness.distribution import Distribution
from harness.further import Further, further_responses, on_counts
from harness.held_out import HeldOut
from harness.known_runs import instance_values, neighbours, run_facts
from harness.leaning import Leaning, leaned_on
from harness.observed import Observed
from harness.spec import parse_spec
from suites.errors import UsageError, unknown_name
from suites.suite import Suite, require_runs

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Forecast", "Question", "default_predictor", "predict_run", "said_unknown"]

WIDE: tuple[int, int] = (20, 10)
"""A run whose scenario has so many models, and whose model so many scenarios, stands in a grid on
which regression on other runs is better than an effect of each (docs/predictors.md)."""

_MOST_READ = 50  # runs of which the spread of single responses is taken


@dataclass(frozen=True)
class Question:
    """What is asked.

    Attributes
    ----------
    model, scenario : str
        Of the run; either may be unknown to the source.
    n : int or None
        Number of its instances; None for the scenario's usual number.
    observed : Observed or None
        What was already observed of it.
    predictor : str or None
        A SPEC; None for `default_predictor`.
    target_width : float or None
        Half the width that its 90 % interval should have, in points of a bounded metric.
    seed : int
        For what is random.
    why : bool
        Whether to find out which runs the prediction leaned on.
    """

    model: str
    scenario: str
    n: int | None = None
    observed: Observed | None = None
    predictor: str | None = None
    target_width: float | None = None
    seed: int = 0
    why: bool = False


@dataclass(frozen=True, eq=False)
class Forecast:
    """What is answered.

    Attributes
    ----------
    asked : AskedRun
        The run.
    predictor : str
        Who predicted, with its settings.
    why_predictor : str
        Why that one, where the user did not say.
    before, after : Distribution or None
        Of its value, without and with what was observed; None where the predictor gives none, and
        `after` where nothing was observed.
    unit : float
        Points, or units of the answer, in one unit of the metric.
    known : list of mapping
        Runs of the source that were held out for this question: the run itself, its reruns, other
        conditions, copies under other names.
    models, scenarios : list of mapping
        Runs of the same scenario by other models and of the same model on other scenarios, nearest
        first.
    leaned : list of Leaning
        How far the prediction moves without some runs, where that was asked for.
    further : Further or None
        How many more responses are needed, where a width was asked for.
    train : int
        Number of runs that the predictor could learn from.
    notes : list of str
        What should be said aloud.
    """

    asked: AskedRun
    predictor: str
    why_predictor: str
    before: Distribution | None
    after: Distribution | None
    unit: float
    known: list[dict[str, Any]]
    models: list[dict[str, Any]]
    scenarios: list[dict[str, Any]]
    leaned: list[Leaning]
    further: Further | None
    train: int
    notes: list[str]

    @property
    def value(self) -> float | None:
        """The value that the source has for the run; None where it was not made."""
        return next((row["value"] for row in self.known if row["exact"]), None)


def predict_run(
    suite: Suite,
    question: Question,
    *,
    timeout: float | None = 600.0,
    isolation: str = "best",
    progress: Callable[[str, int, int], None] | None = None,
) -> Forecast:
    """Answer a question about one run.

    Parameters
    ----------
    suite : Suite
        The runs that are known.
    question : Question
        What is asked.
    timeout : float or None
        Seconds of wall time for each call of the predictor.
    isolation : str
        As `harness.evaluate` takes it.
    progress : callable, optional
        Called with (what, done, in all).

    Returns
    -------
    Forecast

    Raises
    ------
    UsageError
        For whatever the user can mend.

    Examples
    --------
    >>> import suites
    >>> suite = suites.read("demo/my-suite")
    >>> asked = Question("gum/gum-1b", "mmlu:subject=anatomy", predictor="scenario-mean")
    >>> forecast = predict_run(suite, asked)
    >>> forecast.value, forecast.before is not None
    (0.5, True)
    """
    require_runs(suite, "learn from")
    with tempfile.TemporaryDirectory(prefix="benchcast-") as folder:
        report = progress or (lambda what, done, total: None)
        held = HeldOut(
            suite,
            Path(folder),
            frames=False,
            progress=lambda done, total: report("reading", done, total),
        )
        options: dict[str, Any] = {"timeout": timeout, "isolation": isolation}
        return _answer(held, question, options, report)


def default_predictor(runs: pd.DataFrame, model: str, scenario: str) -> tuple[str, str]:
    """Choose the predictor of a question that names none, and say why.

    Which predictor is best on a source only an evaluation can tell. Without one: `kernel-ridge`,
    accurate, and quickest of those that are, where the run has wide rows and columns to lean on
    (`WIDE`); else `hibayes-crossed`, which also knows what to say of new models and scenarios.

    Parameters
    ----------
    runs : DataFrame
        The runs that may be learned from: ``model``, ``scenario``.
    model, scenario : str
        Of the run that is asked for.

    Examples
    --------
    >>> import pandas as pd
    >>> runs = pd.DataFrame({"model": ["a", "b"], "scenario": ["s", "t"]})
    >>> default_predictor(runs, "a", "t")[0]
    'hibayes-crossed'
    """
    models = runs.loc[runs["scenario"] == scenario, "model"].nunique()
    scenarios = runs.loc[runs["model"] == model, "scenario"].nunique()
    found = f"{models} models on this scenario, {scenarios} scenarios of this model"
    limits = f"{WIDE[0]} and {WIDE[1]}"
    if models >= WIDE[0] and scenarios >= WIDE[1]:
        return "kernel-ridge", f"{found}: at least {limits}"
    return "hibayes-crossed", f"{found}: fewer than {limits}"


def said_unknown(kind: str, name: str, known: Sequence[str]) -> str:
    """Say that a name is unknown, with the nearest ones, and what that means here.

    Examples
    --------
    >>> said_unknown("model", "oak-8b", ["oak-7b"])[:55]
    "unknown model 'oak-8b'; did you mean 'oak-7b'? It is pr"
    """
    first = str(unknown_name(kind, name, known)).partition(" Known: ")[0]
    return f"{first} It is predicted as a new {kind}, which the source has no run of."


# -- private ---------------------------------------------------------------------------------------


def _answer(
    held: HeldOut,
    question: Question,
    options: dict[str, Any],
    report: Callable[[str, int, int], None],
) -> Forecast:
    runs = held.runs
    model, scenario = question.model, question.scenario
    notes = [
        said_unknown(kind, name, sorted(set(runs[kind])))
        for kind, name in (("model", model), ("scenario", scenario))
        if name not in set(runs[kind])
    ]
    hidden = np.zeros(len(runs), bool)
    if not notes:
        named = held.relations.canonical(runs)
        same = [
            (named[kind] == named.loc[runs[kind] == name, kind].iloc[0]).to_numpy(bool)
            for kind, name in (("model", model), ("scenario", scenario))
        ]
        hidden = same[0] & same[1]
    exact = ((runs["model"] == model) & (runs["scenario"] == scenario)).to_numpy(bool)
    made = None
    if exact.any():
        wanted = column_of(runs[runs["scenario"] == scenario], [model])
        wanted = wanted[wanted["model"] == model]
        made = {str(name): value for name, value in wanted.iloc[-1].items()}
    if question.observed is not None:
        where = question.observed.where
        if not len(question.observed.of(model, scenario)):
            raise UsageError(f"{where} has no response of {model} on {scenario}.")
        if question.observed.unanswered:
            notes.append(f"{where}: {question.observed.unanswered} rows without a value left out.")
    asked = asked_run(
        runs,
        held.instances,
        model,
        scenario,
        n=question.n,
        observed=question.observed,
        made=made,
    )
    if not hidden.any() and scenario not in set(runs["scenario"]):
        n = asked.row["n"]
        notes.append(
            f"the metric is taken to be {asked.row['metric']}, of "
            f"{'an unknown number of' if n is None else n} instances (--metric, --n)."
        )
    learn = runs[~hidden]
    text, why = question.predictor, ""
    if text is None:
        text, why = default_predictor(learn, model, scenario)
    near = neighbours(learn, asked)
    lower, upper = asked.row["lower"], asked.row["upper"]
    unit = 1.0 if lower is None or upper is None else 100.0 / (upper - lower)
    target, leaned = asked.row["target"], []
    with Asker(held, parse_spec(text), seed=question.seed, **options) as asker:
        replies, spec = asker.ask(~hidden, [asked]), asker.spec
        current = replies[max(replies)].distributions.get(target)
        if question.why and current is not None:
            leaned = leaned_on(
                asker,
                runs,
                ~hidden,
                asked,
                near,
                float(current.mean),
                unit,
                lambda done, total: report("asking again", done, total),
            )
    given = {
        k: on_counts(reply.distributions[target], asked.row["n"], bool(asked.row["binary"]))
        for k, reply in replies.items()
        if target in reply.distributions
    }
    before, after = given.get(0), given.get(asked.k) if asked.k else None
    if asked.k and after is None:
        raise UsageError(f"{spec.name}: {replies[asked.k].status[target][1]}.")
    current = after if after is not None else before
    further = None
    if question.target_width is not None and current is not None:
        further = further_responses(
            current,
            question.target_width,
            n=asked.row["n"],
            shown=asked.shown.groupby("instance")["value"].mean().to_numpy(float),
            unit=unit,
            variance=_variance(held, learn, asked, current.mean),
            seed=question.seed,
        )
    known = [
        {**run_facts(row), "exact": row["model"] == model and row["scenario"] == scenario}
        for row in runs[hidden].to_dict("records")
    ]
    # the asked-for number first: others are other conditions, metrics or names of it
    known.sort(key=lambda r: (made is None or r["target"] != made["target"], r["target"]))
    copies = sorted({r["run"] for r in known if not r["exact"]})
    if copies:
        notes.append(
            "the same is held out under another name: "
            + ", ".join(copies[:5])
            + (" …" if len(copies) > 5 else "")
            + "."
        )
    return Forecast(
        asked, spec.name, why, before, after, unit, known, *near, leaned, further,
        len(learn), notes,
    )  # fmt: skip


def _variance(held: HeldOut, runs: pd.DataFrame, asked: AskedRun, mean: float) -> float | None:
    """Give the variance of single responses within a run: that of the scenario's other runs.

    Without their responses the greatest that the range allows; None where there is no range.
    """
    same = runs[runs["scenario"] == asked.row["scenario"]]
    rows = column_of(same).head(_MOST_READ).to_dict("records") if len(same) else []
    found = []
    for row in rows:
        values = instance_values(held, row)
        if values is not None and len(values) > 1:
            found.append(float(np.var(values.to_numpy(float), ddof=1)))
    if found:
        return float(np.mean(found))
    lower, upper = asked.row["lower"], asked.row["upper"]
    if lower is None or upper is None:
        return None
    return max((mean - lower) * (upper - mean), 0.0)
