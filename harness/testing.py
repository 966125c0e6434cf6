"""What every predictor must do: a suite of tests for a predictor of your own, collected by pytest.

Derive a class from `PredictorContract` in a test file of yours; ``harness check-predictor`` makes
the same checks from the command line.
"""

# ruff: noqa: D102 - the tests say by their names what they test

from __future__ import annotations

import ast
import atexit
import shutil
import tempfile
import unittest
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from harness.contract.cases import Cases
from harness.contract.checks import carry_out
from harness.contract.context import Broken, Context
from harness.contract.prepare import prepare
from harness.loading import load_class
from harness.spec import parse_spec
from harness.worker import Session
from suites.errors import UsageError
from suites.reading import read
from suites.suite import Suite

__all__ = ["PredictorContract"]


class PredictorContract:
    """The contract of predictors, a test each; give `spec` or `make`.

    Attributes
    ----------
    spec : str, class or None
        The predictor: a class, or what commands take (``path/file.py:Class(a=1)``). What needs
        settings that are no literals gives `make` instead.
    source : Suite, path, list of these, or None
        Runs to check it on; by default made ones, with binary, bounded and unbounded metrics,
        perturbed runs, reruns, and a model and a scenario that no train run has.
    tolerance : float
        How much numbers may differ where only the order of rows, columns or targets does, relative
        to their size and at least 1.

    Examples
    --------
    >>> from predictors.global_mean import GlobalMean
    >>> class TestGlobalMean(PredictorContract):
    ...     spec = GlobalMean
    >>> TestGlobalMean().test_the_same_call_gives_the_same_answer()
    """

    spec: ClassVar[Any] = None
    source: ClassVar[Any] = None
    tolerance: ClassVar[float] = 1e-6

    def make(self) -> Any:
        """Give a new object of the predictor."""
        spec = type(self).spec
        if spec is None:
            raise UsageError(f"{type(self).__name__}: give spec = MyPredictor, or a method make.")
        if isinstance(spec, str):
            parsed = parse_spec(spec)
            return load_class(parsed.load_message()["spec"])(**parsed.settings)
        return spec()

    def check(self, name: str) -> None:
        """Carry out a check of `harness.contract.checks.CHECKS`.

        Raises
        ------
        AssertionError
            If the predictor does not pass it, with how to mend it; what the predictor raises
            itself comes as it is.
        unittest.SkipTest
            If there is nothing to check.
        """
        found = carry_out(name, self._context())
        if found.outcome == "fail":
            raise Broken(f"{found.message}. To mend it: {found.mend}.")
        if found.outcome == "not applicable":
            raise unittest.SkipTest(found.message)

    def _context(self) -> Context:
        """Give what the checks are made on, written once for each class."""
        cls = type(self)
        if "_contract" not in cls.__dict__:
            session = Session()
            session.predictor = self.make()
            cases = _cases(session.describe(), cls.source)
            cls._contract = Context(self.make, cases, cls.tolerance)  # type: ignore[attr-defined]
        context: Context = cls._contract  # type: ignore[attr-defined]
        return context

    def test_it_declares_what_it_reads(self) -> None:
        self.check("declarations")

    def test_every_target_gets_a_valid_finite_distribution(self) -> None:
        self.check("answers")

    def test_it_answers_with_as_few_responses_as_it_says(self) -> None:
        self.check("min_k")

    def test_the_same_call_gives_the_same_answer(self) -> None:
        self.check("seed")

    def test_inputs_are_not_changed(self) -> None:
        self.check("inputs")

    def test_the_order_of_rows_does_not_matter(self) -> None:
        self.check("rows")

    def test_the_order_of_columns_does_not_matter(self) -> None:
        self.check("columns")

    def test_the_order_of_targets_does_not_matter(self) -> None:
        self.check("targets")

    def test_the_answer_does_not_depend_on_which_other_k_were_asked(self) -> None:
        self.check("other k")

    def test_nothing_is_kept_of_another_fold(self) -> None:
        self.check("other folds")

    def test_joint_draws_belong_together(self) -> None:
        self.check("joint")

    def test_no_undeclared_table_is_touched(self) -> None:
        self.check("needs")

    def test_values_that_are_not_shown_make_no_difference(self) -> None:
        self.check("unseen")

    def test_its_checks_are_a_table(self) -> None:
        self.check("checks")

    def test_its_loo_is_a_table(self) -> None:
        self.check("loo")


def _cases(description: Mapping[str, Any], source: Any) -> Cases:
    """Give what a predictor that declares this is checked on."""
    if source is not None:
        return _written(description, source if isinstance(source, Suite) else read(source))
    kept = {key: description[key] for key in ("kind", "needs", "min_k", "tasks")}
    return _made(repr(kept))


@cache
def _made(description: str) -> Cases:
    """Write the made runs once for all predictors that declare the same."""
    return _written(ast.literal_eval(description), None)


def _written(description: Mapping[str, Any], source: Suite | None) -> Cases:
    folder = Path(tempfile.mkdtemp(prefix="benchcast-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    prepare(description, folder, source)
    return Cases(folder)
