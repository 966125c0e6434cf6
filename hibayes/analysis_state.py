"""The one object that all stages work on: data, features, models, plots and tables."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from hibayes.model_state import ModelAnalysisState
from hibayes.named_features import NamedFeatures
from suites.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["AnalysisState", "ModelAnalysisState"]

logger = logging.getLogger("hibayes")

_LONGEST_NAME = 100
_LONGEST_WORD = 20


class AnalysisState(NamedFeatures):
    """Everything an analysis has found so far.

    Parameters
    ----------
    data : pandas.DataFrame
        One row per response, as loaded.
    processed_data : pandas.DataFrame, optional
        What processors made of it; None until the first has run.
    features, test_features : dict, optional
        Arrays and counts by name: what models are given.
    coords : dict, optional
        The labels of each dimension.
    dims : dict, optional
        The dimensions of each variable.
    models : list of ModelAnalysisState, optional
        The models, in the order in which they were added.
    communicate : dict, optional
        Figures and tables by name.
    logs : dict, optional
        The messages of each stage: ``load``, `process`, `model`, `communicate`.
    display_stats : dict, optional
        The statistics that the display showed.

    Attributes
    ----------
    configuration : dict or None
        The sections that the stages were run with, for ``manifest.json``.
    communications : list of dict
        One record per communicator that has run, as in ``results.json``.

    Examples
    --------
    >>> import pandas as pd
    >>> state = AnalysisState(pd.DataFrame({"score": [0.0, 1.0]}))
    >>> state.add_table(table=state.data.describe(), table_name="scores")
    >>> list(state.communicate)
    ['scores']
    """

    def __init__(
        self,
        data: pd.DataFrame,
        processed_data: pd.DataFrame | None = None,
        features: dict[str, Any] | None = None,
        test_features: dict[str, Any] | None = None,
        coords: dict[str, Any] | None = None,
        dims: dict[str, Any] | None = None,
        models: Sequence[ModelAnalysisState] | None = None,
        communicate: dict[str, Any] | None = None,
        logs: dict[str, list[str]] | None = None,
        display_stats: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(features, test_features, coords, dims)
        self.data = data
        self.processed_data = processed_data
        self.models: list[ModelAnalysisState] = list(models or [])
        self.logs: dict[str, list[str]] = logs if logs is not None else {}
        self.display_stats: dict[str, Any] = display_stats if display_stats is not None else {}
        self.configuration: dict[str, Any] | None = None
        self.communications: list[dict[str, Any]] = []
        self._communicate: dict[str, Any] = dict(communicate or {})
        self._restored_figures: dict[str, Any] = {}  # pictures of a loaded state, by name
        self._restored_tables: set[str] = set()  # its tables
        self._restored_records = 0  # how many of `communications` it had
        self._components: dict[str, dict[str, str]] = {}  # components used: their files, sha256
        self._saved: dict[str, Any] = {}  # what was saved where: see hibayes.storage

    @property
    def communicate(self) -> dict[str, Any]:
        """The figures and tables, by name."""
        return self._communicate

    def communicate_item(self, name: str) -> Any:
        """Give a figure or table; None if there is none of the name."""
        return self._communicate.get(name)

    def add_plot(self, plot: Any, plot_name: str) -> None:
        """Add a figure; a name that is taken gets the suffix ``_1``, ``_2``, …."""
        self._communicate[self._free_name(plot_name)] = plot

    def add_table(self, table: pd.DataFrame, table_name: str) -> None:
        """Add a table; a name that is taken gets the suffix ``_1``, ``_2``, …."""
        self._communicate[self._free_name(table_name)] = table

    def drop_restored(self) -> None:
        """Forget the figures and tables that were loaded: no run's mix with another's."""
        for name in self._restored_tables:
            self._communicate.pop(name, None)
        del self.communications[: self._restored_records]
        self._restored_records = 0
        self._restored_tables.clear()
        self._restored_figures.clear()

    def add_log(self, entry: str, stage: str) -> None:
        """Add a message to a stage's log."""
        self.logs.setdefault(stage, []).append(entry)

    def get_stage_logs(self, stage: str) -> list[str]:
        """Give a stage's log; an empty one if it has none."""
        return self.logs.get(stage, [])

    def add_model(self, m: ModelAnalysisState) -> None:
        """Add a model; features, coords and dims it lacks are taken from this state.

        Raises
        ------
        UsageError
            If there is a model of the name: only one of them could be saved.
        """
        if any(other.model_name == m.model_name for other in self.models):
            raise UsageError(
                f"there is already a model {m.model_name} in the analysis state: give one of "
                "them another `tag`."
            )
        m.features = m.features or self.features
        m.test_features = m.test_features or self.test_features
        m.coords = m.coords or self.coords
        m.dims = m.dims or self.dims
        self.models.append(m)

    def get_model(self, name: str) -> ModelAnalysisState:
        """Give a model by name.

        Parameters
        ----------
        name : str
            ``<function><tag>``, or ``<function>_<tag>`` as newer versions of HiBayES write it.

        Raises
        ------
        UsageError
            A ValueError: ``Model X not found in analysis state.``
        """
        for model in self.models:
            if model.model_name == name:
                return model
        for model in self.models:
            tag = getattr(model.model_config, "tag", None)
            if tag and f"{model.function_name}_{tag}" == name:
                return model
        known = ", ".join(model.model_name for model in self.models) or "none"
        raise UsageError(f"Model {name} not found in analysis state. There are: {known}.")

    def get_best_model(
        self, with_respect_to: str = "elpd_waic", minimum: bool = False
    ) -> ModelAnalysisState:
        """Give the model with the largest, or smallest, value of a diagnostic.

        Parameters
        ----------
        with_respect_to : str, default "elpd_waic"
            The diagnostic; models that lack it, or whose value is NaN, are passed over.
        minimum : bool, default False
            Take the smallest.

        Raises
        ------
        UsageError
            A ValueError: ``No models have diagnostic 'elpd_waic'.``
        """
        values = []
        for model in self.models:
            value = model.diagnostic(with_respect_to)
            if value is not None and not math.isnan(float(value)):
                values.append((float(value), model))
        if not values:
            raise UsageError(
                f"No models have diagnostic {with_respect_to!r}. A checker computes it: "
                "waic for elpd_waic, loo for elpd_loo."
            )
        pick = min if minimum else max
        return pick(values, key=lambda pair: pair[0])[1]

    def save(self, path: Path | str, incremental: bool = False) -> None:
        """Save to a folder.

        Parameters
        ----------
        path : path
            The folder; made if it is not there. What an earlier run left there is replaced as a
            whole; files that no run of hibayes wrote are not touched.
        incremental : bool, default False
            Write only what this object has not saved there, or loaded from there, before. Frames
            count as the same while they are the same object with the same shape and columns.

        Raises
        ------
        UsageError
            If a file that no run of hibayes wrote stands where one would be written.
        """
        from hibayes.storage import save_state

        save_state(self, Path(path), incremental=incremental)

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Load from a folder; no code is run by it.

        Raises
        ------
        UsageError
            If there is no saved state: then it is a FileNotFoundError too.
        """
        from hibayes.storage import load_state

        return load_state(cls, Path(path))

    def _free_name(self, name: str) -> str:
        """Cut a name to what file systems bear, and make it one that is not taken."""
        if len(name) > _LONGEST_NAME:
            logger.warning("The name %s is cut to %d characters.", name, _LONGEST_NAME)
            name = _cut(name)
        free, suffix = name, 0
        while free in self._communicate:
            suffix += 1
            free = f"{name}_{suffix}"
        return free


def _cut(name: str) -> str:
    """Cut a name before its last word, which says what is shown: ``_trace``, ``_forest``."""
    word = name[name.rfind("_") :] if "_" in name else ""
    if len(word) > _LONGEST_WORD:
        word = ""
    return name[: _LONGEST_NAME - len(word)] + word
