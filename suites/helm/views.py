"""A run's files as JSON, as frames, as typed structs, and as HELM's own dataclasses."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from suites.errors import NotInstalled, UsageError
from suites.helm import structs
from suites.helm.frames import DotDictDataFrame, frame_of_run
from suites.helm.structs import HelmFileError, load_json, read_bytes

T = TypeVar("T")


class _View:
    def __init__(self, path: Path):
        self.path = path

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {str(self.path)!r}>"

    def _file(self, name: str) -> Path:
        return self.path / name

    def _bytes(self, name: str) -> bytes:
        return read_bytes(self._file(name))


class JsonView(_View):
    """A run's files as dicts and lists, each call decoding the file anew.

    Every method raises `HelmFileError` (with the byte offset) for a file that is missing
    (then it is a FileNotFoundError too) or broken.
    """

    def run_spec(self) -> dict[str, Any]:
        """Give run_spec.json."""
        return load_json(self._file("run_spec.json"), dict)

    def scenario(self) -> dict[str, Any]:
        """Give scenario.json."""
        return load_json(self._file("scenario.json"), dict)

    def scenario_state(self) -> dict[str, Any]:
        """Give scenario_state.json."""
        return load_json(self._file("scenario_state.json"), dict)

    def stats(self) -> list[dict[str, Any]]:
        """Give stats.json: a list of Stats."""
        return load_json(self._file("stats.json"), list)

    def per_instance_stats(self) -> list[dict[str, Any]]:
        """Give per_instance_stats.json: a list of records with a list of Stats each."""
        return load_json(self._file("per_instance_stats.json"), list)

    def _name(self) -> str:
        name = self.run_spec().get("name")
        if isinstance(name, str) and name:
            return name
        file = self._file("run_spec.json")
        raise HelmFileError(file, "it has no 'name'", code="bad-content")


class DataFrameView(_View):
    """A run's files as the four frames (`suites.helm.frames`). Raises as `JsonView`."""

    def run_spec(self) -> DotDictDataFrame:
        """Give one row."""
        return self._frame("run_spec")

    def scenario_state(self) -> DotDictDataFrame:
        """Give one row per request."""
        return self._frame("scenario_state")

    def stats(self) -> DotDictDataFrame:
        """Give one row per published figure."""
        return self._frame("stats")

    def per_instance_stats(self) -> DotDictDataFrame:
        """Give one row per instance, trial and metric."""
        return self._frame("per_instance_stats")

    def _frame(self, table: str) -> DotDictDataFrame:
        view = JsonView(self.path)
        name, content = view._name(), getattr(view, table)()
        try:
            return frame_of_run(table, name, content)
        except UsageError as err:
            raise HelmFileError(self._file(f"{table}.json"), str(err), code="bad-content") from err


class MsgspecView(_View):
    """A run's files as typed structs. Raises as `JsonView`."""

    def run_spec(self) -> structs.RunSpec:
        """Give run_spec.json."""
        return self._struct("run_spec.json", structs.RunSpec)

    def scenario(self) -> structs.Scenario:
        """Give scenario.json."""
        return self._struct("scenario.json", structs.Scenario)

    def scenario_state(self) -> structs.ScenarioState:
        """Give scenario_state.json."""
        return self._struct("scenario_state.json", structs.ScenarioState)

    def stats(self) -> list[structs.Stat]:
        """Give stats.json."""
        return self._struct("stats.json", list[structs.Stat])

    def per_instance_stats(self) -> list[structs.PerInstanceStats]:
        """Give per_instance_stats.json."""
        return self._struct("per_instance_stats.json", list[structs.PerInstanceStats])

    def _struct(self, name: str, type_: type[T]) -> T:
        return structs.decode_struct(self._bytes(name), type_, self._file(name))


class DataclassView(_View):
    """A run's files as HELM's own dataclasses, made by HELM's own code.

    Every method raises `suites.errors.NotInstalled` where HELM is not installed.
    """

    def run_spec(self) -> Any:
        """Give a ``helm.benchmark.run_spec.RunSpec``."""
        return self._made("run_spec.json", "helm.benchmark.run_spec", "RunSpec")

    def scenario(self) -> Any:
        """Refuse: HELM's Scenario is a program, scenario.json only describes it.

        Raises
        ------
        NotImplementedError
            Always; ``.json.scenario()`` and ``.msgspec.scenario()`` give what the file holds.
        """
        raise NotImplementedError(
            "HELM has no dataclass of scenario.json; use .json.scenario() or .msgspec.scenario()."
        )

    def scenario_state(self) -> Any:
        """Give a ``helm.benchmark.adaptation.scenario_state.ScenarioState``."""
        module = "helm.benchmark.adaptation.scenario_state"
        return self._made("scenario_state.json", module, "ScenarioState")

    def stats(self) -> Any:
        """Give a list of ``helm.benchmark.metrics.statistic.Stat``."""
        return self._made("stats.json", "helm.benchmark.metrics.statistic", "Stat", many=True)

    def per_instance_stats(self) -> Any:
        """Give a list of ``helm.benchmark.metrics.metric.PerInstanceStats``."""
        module = "helm.benchmark.metrics.metric"
        return self._made("per_instance_stats.json", module, "PerInstanceStats", many=True)

    def _made(self, file: str, module: str, name: str, *, many: bool = False) -> Any:
        import importlib

        try:
            codec = importlib.import_module("helm.common.codec")
            type_ = getattr(importlib.import_module(module), name)
        except ImportError as err:
            raise NotInstalled(
                f"HELM's own dataclasses need HELM: install benchcast[helm] ({err}). "
                "The views .json, .msgspec and .dataframe don't need it."
            ) from err
        return codec.from_json(self._bytes(file), list.__class_getitem__(type_) if many else type_)
