"""The checks, each a function of a predictor and of the cases it is asked on.

A check returns what is worth saying when it passes, raises `Broken` when it does not, and
`NotChecked` where there is nothing to check. What a predictor raises itself is let through.
"""

from __future__ import annotations

import contextlib
import resource
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.answering import as_wanted
from harness.contract import varied
from harness.contract.cases import Asked
from harness.contract.context import Broken, Context, Finding, NotChecked
from harness.contract.joint import joint
from harness.contract.said import difference
from harness.contract.valid import faults
from harness.diagnostics import KINDS, to_table
from harness.predictor import NEEDS, USES, NotApplicable
from suites.errors import NotInstalled

if TYPE_CHECKING:
    from harness.data_splits import SequesteredTestSplit

__all__ = ["CHECKS", "carry_out"]


# ---------- what it declares and answers


def _declarations(context: Context) -> str:
    predictor = context.make()
    needs, tasks = getattr(predictor, "needs", None), getattr(predictor, "tasks", None)
    least = getattr(predictor, "min_k", 0)
    if isinstance(needs, str) or not set(needs or ()) <= set(NEEDS):
        raise Broken(f"needs is {needs!r}; it may name {', '.join(NEEDS)}")
    uses = getattr(predictor, "uses", ())
    if isinstance(uses, str) or not set(uses) <= set(USES):
        raise Broken(f"uses is {uses!r}; it may name {', '.join(USES)}")
    if isinstance(tasks, str) or not all(isinstance(task, str) for task in tasks or ()):
        raise Broken(f"tasks is {tasks!r}, no tuple of names")
    if isinstance(least, bool) or not isinstance(least, int) or least < 0:
        raise Broken(f"min_k is {least!r}, no whole number of at least 0")
    said = "undeclared: runs, responses, frames" if needs is None else ", ".join(needs) or "nothing"
    return f"needs {said}; min_k {least}; {'any task' if tasks is None else ', '.join(tasks)}"


def _answers(context: Context) -> str:
    context.asked()
    said = context.answers
    for k, answer in said.items():
        if found := faults(context.cases.first, k, answer):
            raise Broken(f"k = {k}: {found}")
    number = sum(len(answer.kind) for answer in said.values())
    return f"{number} predictions, k = {', '.join(map(str, said))}"


def _min_k(context: Context) -> str:
    case = context.cases.first
    for more, said in context.usual().items():
        if faults(case, more, said):
            raise NotChecked("its answers are not valid with more: see the check answers")
    k = context.cases.least
    try:
        said = context.asked().ask(k)
    except NotApplicable:
        raise
    except Exception as err:
        raise Broken(f"k = {k} = min_k: it raises {type(err).__name__}: {err}") from err
    if found := faults(case, k, said):
        raise Broken(f"k = {k} = min_k: {found}")
    return f"answers with k = {k}"


# ---------- the same again


def _seed(context: Context) -> str:
    usual, again = context.usual(), context.said(context.cases.first)
    for k in usual:
        if differs := difference(usual[k], again[k]):
            raise Broken(f"the same call with the same seed, k = {k}: {differs}")
    return "twice the same, to the last digit"


def _inputs(context: Context) -> str:
    context.usual()
    cases = context.cases
    asked, k = Asked(context.make(), cases.first), cases.ks[-1]
    test = cases.first.test(k)
    if not hasattr(asked.predictor, "fit"):
        asked.train = as_wanted(cases.first.train(), asked.predictor)
    train = asked.train
    said = asked.predictor.predict(train, as_wanted(test, asked.predictor))
    list(said or ())  # a generator works when it is asked
    for kind in KINDS:
        if callable(method := getattr(asked.predictor, kind, None)):
            with contextlib.suppress(Exception):  # another check's
                method(asked.train)
    for name, split, fresh in (
        ("train_split", train, as_wanted(cases.first.train(), asked.predictor)),
        ("sequestered_test_split", test, as_wanted(cases.first.test(k), asked.predictor)),
    ):
        if changed := varied.changed(split, fresh):
            raise Broken(f"{name}.{changed} is not what it was")
    return "what it was given is as it was"


def _rows(context: Context) -> str:
    context.usual()
    case = context.cases.first
    found = context.said(
        case,
        train=lambda: varied.shuffled(case.train()),
        test=lambda k: varied.shuffled(case.test(k)),
    )
    why = "with the rows of runs, responses and other tables in another order"
    context.require_same(found, why, tolerance=context.tolerance)
    return "any order of runs, responses, files"


def _columns(context: Context) -> str:
    context.usual()
    case = context.cases.first
    found = context.said(
        case,
        train=lambda: varied.turned(case.train()),
        test=lambda k: varied.turned(case.test(k)),
    )
    context.require_same(found, "with columns in another order", tolerance=context.tolerance)
    return "any order of columns"


def _targets(context: Context) -> str:
    context.usual()
    case = context.cases.first

    def moved(k: int) -> SequesteredTestSplit:
        return case.test(k, varied.shuffle(case.targets(k)))

    found = context.said(case, test=moved)
    context.require_same(found, "with targets in another order", tolerance=context.tolerance)
    return "any order of targets"


def _other_k(context: Context) -> str:
    context.usual()
    *less, k = context.cases.ks
    if not less:
        raise NotChecked("there is one k only")
    alone = Asked(context.make(), context.cases.first).ask(k)
    context.require_same({k: alone}, f"asked alone, and after k = {', '.join(map(str, less))}")
    return "fitted once, asked for each k: nothing is kept"


def _other_folds(context: Context) -> str:
    cases = context.cases
    context.usual()
    if cases.second is None:
        raise NotChecked("there is one fold only")
    predictor = context.make()
    Asked(predictor, cases.second).ask(cases.ks[0])
    after = Asked(predictor, cases.first)
    found = {k: after.ask(k) for k in cases.ks}
    context.require_same(found, "a new object, and one that had another fold before")
    return "nothing is kept of another fold"


# ---------- what it reads


def _needs(context: Context) -> str:
    context.usual()
    case = context.cases.first
    try:
        _declarations(context)
    except Broken as err:
        raise NotChecked("what it declares is not valid: see the check declarations") from err
    needs = getattr(context.make(), "needs", None)
    touched: list[str] = []
    declared = ("runs", "responses", "frames") if needs is None else tuple(needs)
    declared += tuple(getattr(context.make(), "uses", ()))
    try:
        context.said(
            case,
            train=lambda: varied.guarded(case.train(), declared, touched),
            test=lambda k: varied.guarded(case.test(k), declared, touched),
        )
    except Exception:
        if not touched:
            raise
    if touched:
        said = ", ".join(dict.fromkeys(touched))
        raise Broken(f"it reads {said}, and declares needs = {declared!r}")
    return "it reads what it declares"


def _unseen(context: Context) -> str:
    context.usual()
    cases = context.cases
    if cases.unseen is None:
        raise NotChecked("no other values can be hidden in this source: its train runs change too")
    why = "with other values where nothing is shown"
    context.require_same(context.said(cases.unseen), why)
    return "other hidden values, the same answers"


# ---------- what it says of itself, and what it takes


def _said_of_itself(asked: Asked, kind: str) -> dict[str, list[Any]]:
    method = getattr(asked.predictor, kind, None)
    if not callable(method):
        raise NotChecked(f"it has no method {kind}")
    try:
        answer = method(asked.train)
    except NotInstalled as err:
        raise NotChecked(str(err)) from err
    try:
        return dict(to_table(kind, answer).to_pydict())
    except (ValueError, TypeError) as err:
        raise Broken(f"{kind}: {err}") from err


def _checks(context: Context) -> str:
    context.usual()
    asked = Asked(context.make(), context.cases.first)
    names = _said_of_itself(asked, "checks")["check"]
    if not all(names) or len(set(names)) < len(names):
        raise Broken(f"the names of its checks are {names}: each needs one of its own")
    found = {k: asked.ask(k) for k in context.cases.ks}
    context.require_same(found, "with and without checks before predict")
    return f"{len(names)} checks of its fit"


def _loo(context: Context) -> str:
    context.usual()
    rows = _said_of_itself(context.asked(), "loo")
    train = context.cases.first.train().runs["run"]
    if strange := sorted(set(rows["run"]) - set(train)):
        raise Broken(f"loo: {strange[0]!r} is no run of the train split")
    if len(set(rows["run"])) < len(rows["run"]) and train.is_unique:
        raise Broken("loo: a run is there twice")
    wrong = [run for run, e in zip(rows["run"], rows["elpd_loo"], strict=True) if not _finite(e)]
    if wrong:
        raise Broken(f"loo: elpd_loo of {wrong[0]!r} is not finite")
    if not all(rows["method"]):
        raise Broken("loo: method is empty: say how it is computed (exact, psis)")
    return f"{len(rows['run'])} train runs left out"


def _finite(number: float | None) -> bool:
    return number is not None and bool(np.isfinite(number))


def _cost(context: Context) -> str:
    before = _peak()
    context.usual()
    fit, *calls = context.seconds
    case = context.cases.first
    return (
        f"fit {fit:.2g} s, predict {max(calls):.2g} s per k, {_peak() - before:.0f} MB more "
        f"({len(case.train().runs)} train runs, {len(case.targets(0))} targets)"
    )


def _peak() -> float:
    """Give the most memory that this process has had, MB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


# ---------- all of them


@dataclass(frozen=True)
class Check:
    """A check: what it asks, and how to mend a predictor that does not pass it."""

    asks: str
    mend: str
    run: Callable[[Context], str]


CHECKS: dict[str, Check] = {
    "declarations": Check(
        "needs, min_k and tasks are of the right kind",
        f"needs is a tuple of names ({', '.join(NEEDS)}), min_k a whole number, tasks a tuple",
        _declarations,
    ),
    "answers": Check(
        "every target gets one valid, finite distribution within its metric's bounds",
        "return one RunPrediction (or InstancePrediction) for each row of "
        "sequestered_test_split.targets, in the units of its metric (lower, upper), also for "
        "models and scenarios that no train run has",
        _answers,
    ),
    "min_k": Check(
        "it answers with as few shown responses as it says",
        "declare the fewest shown responses it can work with: min_k = 1",
        _min_k,
    ),
    "seed": Check(
        "the same call gives the same answer",
        "draw random numbers from numpy.random.default_rng(self.random_state)",
        _seed,
    ),
    "inputs": Check(
        "what it is given is not changed",
        "work on copies: frame = train_split.runs.copy()",
        _inputs,
    ),
    "rows": Check(
        "the order of rows does not matter",
        "find rows by their run, model and scenario, not by place; sort before drawing random "
        "numbers for them",
        _rows,
    ),
    "columns": Check(
        "the order of columns does not matter",
        "take columns by name, not by place",
        _columns,
    ),
    "targets": Check(
        "the order of targets does not matter",
        "derive what is random for a target from its id, or sort targets first",
        _targets,
    ),
    "other k": Check(
        "the answer does not depend on which other k were asked",
        "let fit learn from the train split alone, and let predict change nothing of the object",
        _other_k,
    ),
    "other folds": Check(
        "fitting anew forgets the fold before",
        "let fit replace everything that an earlier fit has left on the object",
        _other_folds,
    ),
    "joint": Check(
        "draws that belong together have one number, and the margins of single predictions",
        "give all predictions with joint=True the same number of draws, in one order of worlds",
        joint,
    ),
    "needs": Check(
        "it reads what it declares",
        "add what it reads to needs, or do not read it",
        _needs,
    ),
    "unseen": Check(
        "values that are not shown make no difference",
        "use nothing but the two splits: no files, no globals, no inner parts of them",
        _unseen,
    ),
    "checks": Check(
        "what it says of its own fit is a table, and changes nothing",
        "return a DataFrame with the columns check, value, limit, passed, offenders",
        _checks,
    ),
    "loo": Check(
        "what it says of train runs left out is a table",
        "return a DataFrame with the columns run, elpd_loo, elpd_waic, pareto_k, method, a row for "
        "each train run that was left out",
        _loo,
    ),
    "cost": Check("what a fold takes", "", _cost),
}
"""All checks by name, in the order in which they are best read."""


def carry_out(name: str, context: Context) -> Finding:
    """Carry out one check; what the predictor raises itself is let through."""
    check = CHECKS[name]
    try:
        return Finding(name, "pass", check.run(context))
    except Broken as err:
        return Finding(name, "fail", str(err), check.mend)
    except (NotChecked, NotApplicable) as err:
        return Finding(name, "not applicable", str(err))
