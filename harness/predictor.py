"""The contract a predictor of run values is written against.

It is MAGNET's, widened: a class written for MAGNET runs with only its imports changed, a new one
declares what it needs and returns distributions.
"""

from __future__ import annotations

import contextlib
import random
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from harness.data_splits import SequesteredTestSplit, TestSplit, TrainSplit
from harness.helm_split import split_runs
from harness.prediction import RunPrediction
from suites.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

NEEDS: tuple[str, ...] = ("runs", "responses", "prompts", "completions", "metadata", "frames")
USES: tuple[str, ...] = ("responses", "metadata")

__all__ = ["NEEDS", "USES", "NotApplicable", "Predictor", "RunPrediction", "RunPredictor"]


class NotApplicable(Exception):
    """Raised by ``fit`` or ``predict`` of a predictor that cannot work on this data, with why.

    Its targets are then listed as not applicable; they count neither for nor against it.
    """


class Predictor:
    """Base of all predictors, and the split of MAGNET's notebooks.

    Parameters
    ----------
    num_example_runs : int
        Runs in the train split of `prepare_predict_inputs`.
    num_eval_samples : int
        Instances of the evaluation run that are shown there.
    random_seed : int
        Seed of that split.
    insufficient_eval_sample_policy : str
        ``warn``, ``error`` or ``ignore`` when the evaluation run has fewer instances.

    Attributes
    ----------
    needs : tuple of str or None
        What `predict` reads, of ``runs, responses, prompts, completions, metadata, frames``.
        Undeclared (None) means runs and responses and, where the source has them, the four HELM
        frames: what classes written for MAGNET expect.
    uses : tuple of str
        What it reads besides, where the source has it, and does without where not: of
        ``responses, metadata``. A source without what it `needs` is none that it applies to.
    min_k : int
        The fewest shown responses it can work with.
    tasks : tuple of str or None
        Names of the tasks it is made for; None for all.
    random_state : int
        A seed for whatever is random in it; set anew before every call of `fit` and `predict`.

    Examples
    --------
    >>> from suites import HelmOutputs
    >>> suite = HelmOutputs.demo().suites()[0]
    >>> train, test = Predictor(num_eval_samples=5).prepare_predict_inputs(suite.path)
    >>> train.stats.shape, test.scenario_state.index.tolist()
    ((486, 15), [0, 2, 3, 4, 5])
    """

    needs: ClassVar[tuple[str, ...] | None] = None
    uses: ClassVar[tuple[str, ...]] = ()
    min_k: ClassVar[int] = 0
    tasks: ClassVar[tuple[str, ...] | None] = None
    random_state: int = 0

    def __init__(
        self,
        num_example_runs: int = 3,
        num_eval_samples: int = 20,
        random_seed: int = 1,
        insufficient_eval_sample_policy: str = "warn",
    ) -> None:
        self.num_example_runs = num_example_runs
        self.num_eval_samples = num_eval_samples
        self.random_seed = random_seed
        self.insufficient_eval_sample_policy = insufficient_eval_sample_policy

    def run_spec_filter(self, run_spec: dict[str, Any]) -> bool:
        """Keep a run by the content of its run_spec.json; all by default."""
        return True

    def run_spec_dataframe_filter(self, row: pd.Series) -> bool:
        """Keep a run by its row of the run_specs frame; all by default."""
        return True

    def prepare_all_dataframes(self, helm_runs: Any) -> tuple[TrainSplit, TestSplit]:
        """Split runs into examples and one evaluation run, whose values are kept.

        Parameters
        ----------
        helm_runs : path, glob, HelmSuite, HelmRuns, InspectRuns, or a list of these
            The pool, HELM suites or Inspect logs; see `harness.helm_split.split_runs` for what
            is drawn.
        """
        from suites.pool import pool_of

        return split_runs(
            pool_of(helm_runs),
            num_example_runs=self.num_example_runs,
            num_eval_samples=self.num_eval_samples,
            random_seed=self.random_seed,
            policy=self.insufficient_eval_sample_policy,
            run_spec_filter=self.run_spec_filter,
            run_spec_dataframe_filter=self.run_spec_dataframe_filter,
        )

    def prepare_predict_inputs(self, helm_runs: Any) -> tuple[TrainSplit, SequesteredTestSplit]:
        """Split runs into examples and one evaluation run, whose values are withheld."""
        train, test = self.prepare_all_dataframes(helm_runs)
        return train, test.sequester()

    def __call__(self, *args: Any, **sources: Any) -> pd.DataFrame:
        """Split the given runs, predict, and print predicted beside actual means.

        Parameters
        ----------
        helm_runs, helm_suites : path, glob, HELM object, or a list of these
            The pool; exactly one of the two, by keyword.

        Returns
        -------
        DataFrame
            The printed table.

        Raises
        ------
        UsageError
            If not exactly one of the two is given.
        """
        if args or set(sources) - {"helm_runs", "helm_suites"} or len(sources) != 1:
            raise UsageError("give exactly one of helm_runs=… and helm_suites=…, by keyword.")
        train, test = self.prepare_all_dataframes(next(iter(sources.values())))
        compared = self._compare(train, test)
        _print(compared)
        return compared

    def _compare(self, train: TrainSplit, test: TestSplit) -> pd.DataFrame:
        raise UsageError(
            f"{type(self).__name__} predicts nothing: derive it from RunPredictor or "
            "InstancePredictor and give it a method predict."
        )


def reseed(predictor: Any, seed: int) -> None:
    """Seed whatever is random in a predictor: `random`, NumPy's global state, ``random_state``."""
    import numpy as np

    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 - what is seeded is what others may use
    with contextlib.suppress(AttributeError):  # a class with __slots__
        predictor.random_state = seed


class RunPredictor(Predictor, ABC):
    """Predicts the values of held-out runs.

    A subclass gives `predict`. It may give

    - ``fit(train_split)``, which is then called once per fold before `predict` is called for each
      k, ascending, on the same object;
    - ``checks(train_split)``, called after `fit`: a DataFrame with the columns ``check, value,
      limit, passed, offenders``, one row for each thing that the fit is judged by;
    - ``loo(train_split)``, called last: a DataFrame with the columns ``run, elpd_loo, elpd_waic,
      pareto_k, method``, one row per train run left out.

    Examples
    --------
    >>> class Half(RunPredictor):
    ...     needs = ()
    ...     def predict(self, train_split, sequestered_test_split):
    ...         targets = sequestered_test_split.targets
    ...         return [RunPrediction(target=t, normal=(0.5, 0.2)) for t in targets["target"]]
    >>> Half().min_k
    0
    """

    @abstractmethod
    def predict(
        self, train_split: TrainSplit, sequestered_test_split: SequesteredTestSplit
    ) -> list[RunPrediction]:
        """Predict the held-out values.

        Parameters
        ----------
        train_split : TrainSplit
            What is known.
        sequestered_test_split : SequesteredTestSplit
            ``targets`` (one row per value to predict), the ``k`` shown ``responses`` of each,
            and what else the task lets be seen.

        Returns
        -------
        list of RunPrediction
            One for each target.
        """

    def _compare(self, train: TrainSplit, test: TestSplit) -> pd.DataFrame:
        import pandas as pd

        names = ["run_spec", "split", "stat_name", "predicted_mean", "actual_mean"]
        predictions = self.predict(train, test.sequester())
        if not predictions:
            return pd.DataFrame(columns=names)
        predicted = RunPrediction.to_df(predictions)
        actual = test.stats.copy()
        keys = ["run_spec.name", "stats.name.split", "stats.name.name"]
        keys += [c for c in predicted.columns if c.startswith("stats.name.perturbation.")]
        for frame in (predicted, actual):
            for key in keys:  # a source without perturbations has no such columns
                column = frame[key] if key in frame.columns else None
                frame[key] = column.astype(object) if column is not None else None
                frame[key] = frame[key].where(frame[key].notna(), None)
        both = predicted.merge(actual, on=keys, how="inner", suffixes=("_predicted", "_actual"))
        out = pd.DataFrame(
            {
                "run_spec": both["run_spec.name"],
                "split": both["stats.name.split"],
                "stat_name": both["stats.name.name"],
                "predicted_mean": both["stats.mean_predicted"],
                "actual_mean": both["stats.mean_actual"],
            }
        )
        for key in keys[3:]:
            out["perturbation_" + key.rsplit(".", 1)[1]] = both[key]
        return out


def _print(compared: pd.DataFrame) -> None:
    from rich.table import Table

    from harness.console import console

    table = Table(box=None, pad_edge=False, header_style="bold")
    said = compared.notna().any().to_list()
    shown = [c for i, c in enumerate(compared.columns) if i < 5 or said[i]]
    for column in shown:
        table.add_column(str(column), overflow="fold")
    for row in compared[shown].round(3).itertuples(index=False):
        table.add_row(*("" if v is None or v != v else str(v) for v in row))
    console().print(table, markup=False)
