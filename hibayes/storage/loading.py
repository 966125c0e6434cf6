"""A state from a folder. No code of the folder is run: models are rebuilt by name, when needed."""

from __future__ import annotations

import inspect
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hibayes.registry import registry_get, source_of
from hibayes.storage.codec import decode, read_arrays
from hibayes.storage.folder import finish, read_manifest, sha256
from hibayes.storage.frames import read_frame, read_table
from hibayes.storage.legacy import is_legacy
from hibayes.storage.saving import digest, frame_token
from suites.errors import UsageError

if TYPE_CHECKING:
    from hibayes.analysis_state import AnalysisState, ModelAnalysisState

__all__ = ["StateNotFound", "StoredModel", "StoredPosterior", "load_state", "read_json"]

logger = logging.getLogger("hibayes")


class StateNotFound(UsageError, FileNotFoundError):
    """There is no saved analysis where one was looked for."""

    def __str__(self) -> str:
        return str(self.args[0])


def load_state(kind: type[Any], path: Path) -> Any:
    """Load a state; see `AnalysisState.load`."""
    if not path.is_dir():
        raise StateNotFound(f"there is no folder {path}: no analysis state was saved there.")
    manifest = read_manifest(path)
    if manifest is None:
        if not is_legacy(path):
            raise StateNotFound(f"{path} holds no analysis state: it has no manifest.json.")
        manifest = _legacy_manifest(path)
    else:
        finish(path, manifest)
        _warn_of_edits(path, manifest)
    processed = path / "processed_data.parquet"
    state: AnalysisState = kind(
        data=read_frame(path / "data.parquet"),
        processed_data=read_frame(processed) if processed.is_file() else None,
        **_read_arguments(path),
        logs=_read_logs(path),
        display_stats=read_json(path / "display_stats.json", {}),
    )
    state.configuration = read_json(path / "configuration.json", None)
    state.communications = read_json(path / "results.json", {}).get("communicate", [])
    state._restored_records = len(state.communications)
    state._components = dict(manifest.get("components", {}))
    for name, item in manifest.get("communicate", {}).items():
        file = path / item["file"]
        if file.suffix == ".csv":
            state.communicate[name] = read_table(file, item.get("index_levels", 1))
            state._restored_tables.add(name)
        else:
            state._restored_figures[name] = file
    for place in manifest["models"].values():
        state.models.append(_load_model(path / place, manifest["files"].get(f"{place}/{_NC}")))
    tokens = {
        f"{name}.parquet": frame_token(frame)
        for name, frame in (("data", state.data), ("processed_data", state.processed_data))
        if frame is not None
    }
    state._saved[str(path.resolve())] = {"manifest": digest(manifest["files"]), "tokens": tokens}
    return state


_NC = "inference_data.nc"


class StoredPosterior:
    """The file of a posterior that has not been read yet."""

    def __init__(self, path: Path, digest: str | None) -> None:
        self.path, self._digest = path, digest

    def read_inference_data(self) -> Any:
        """Read it.

        Raises
        ------
        UsageError
            If the file is gone, or another has been written in its place.
        """
        from hibayes import arviz_bridge

        if not self.path.is_file() or self._digest not in (None, sha256(self.path)):
            raise UsageError(
                f"{self.path} has changed since the analysis state was loaded: load it again."
            )
        return arviz_bridge.load(self.path)


class StoredModel:
    """A model that was saved by name, and not built again yet."""

    def __init__(self, record: Mapping[str, Any]) -> None:
        self.record = dict(record)
        self.__name__ = str(record["builder"])

    def __call__(self, features: Mapping[str, Any]) -> None:
        """Build it, and run it."""
        self.rebuild()(features)

    def rebuild(self) -> Any:
        """Build it through the registry.

        Raises
        ------
        UsageError
            If its builder is not registered, or no longer takes the arguments.
        """
        builder, arguments = self.record["builder"], dict(self.record.get("arguments") or {})
        source = self.record.get("source") or {}
        try:
            build = registry_get("model", builder)
        except UsageError as err:
            where = f" It was defined in {source['file']}: name that file" if source else " Name it"
            raise UsageError(
                f"the model {builder} of the saved state is not registered.{where} as `path` in "
                "the section `model`, or import it first."
            ) from err
        args: list[Any] = []
        for name, parameter in inspect.signature(build).parameters.items():
            if parameter.kind is inspect.Parameter.VAR_KEYWORD:
                arguments |= arguments.pop(name, {})
            elif parameter.kind is inspect.Parameter.VAR_POSITIONAL:
                args = list(arguments.pop(name, []))
        try:
            model = build(*args, **arguments)
        except (TypeError, ValueError) as err:
            raise UsageError(f"the saved model {builder} cannot be built again: {err}") from err
        if source and source_of(model).get("sha256") != source["sha256"]:
            logger.warning("The file that defines %s has changed since it was fitted.", builder)
        return model


def _load_model(path: Path, digest: str | None) -> ModelAnalysisState:
    from hibayes.model_state import ModelAnalysisState

    metadata = read_json(path / "metadata.json", {})
    found = read_json(path / "model_config.json", {})
    record = metadata if "builder" in metadata else _legacy_record(path.name, found)
    stored = path / _NC
    state = ModelAnalysisState(
        model=StoredModel({k: v for k, v in record.items() if k != "is_fitted"}),
        model_config=read_config(found),
        platform_config=_read_platform(path / "platform_config.json"),
        **_read_arguments(path),
        inference_data=StoredPosterior(stored, digest) if stored.is_file() else None,
        diagnostics=_read_diagnostics(path),
        is_fitted=bool(metadata.get("is_fitted")),
    )
    state.checks = read_json(path / "checks.json", [])
    for picture in sorted((path / "diagnostics").glob("[!.]*.png")):
        state._restored_figures[picture.stem] = picture
    return state


def read_config(found: Mapping[str, Any]) -> Any:
    """Make a model's configuration of what ``model_config.json`` holds."""
    from hibayes.model import ModelConfig

    given = {key: value for key, value in found.items() if value is not None}
    return ModelConfig.from_dict(given)


def _read_platform(file: Path) -> Any:
    from hibayes.platform import PlatformConfig

    found = read_json(file, None)
    return None if found is None else PlatformConfig.from_dict(found)


def _read_arguments(path: Path) -> dict[str, Any]:
    """Read features, test features, coords and dims."""
    read: dict[str, Any] = {}
    for name in ("features", "test_features"):
        if (path / f"{name}.pkl").is_file() and not (path / f"{name}.json").is_file():
            logger.warning("%s is a pickle, and not read: run the processors again.",
                           path / f"{name}.pkl")  # fmt: skip
        held = read_json(path / f"{name}.json", None)
        if held is not None:
            read[name] = decode(held, read_arrays(path / f"{name}.npz"))
    for name in ("coords", "dims"):
        read[name] = read_json(path / f"{name}.json", None)
    return read


def _read_diagnostics(path: Path) -> dict[str, Any]:
    folder = path / "diagnostics"
    held = read_json(folder / "diagnostics.json", None)
    if held is None:  # as older versions of HiBayES wrote it
        held = read_json(path / "diagnostics.json", {})
    diagnostics: dict[str, Any] = decode(held, read_arrays(folder / "diagnostics.npz"))
    if not (path / "checks.json").is_file():  # HiBayES: the tables are in CSV files alone
        from hibayes.arviz_bridge.elpd import Elpd

        for file in sorted(folder.glob("inference_data_*.csv")):
            name = file.stem.removeprefix("inference_data_")
            table = read_table(file)
            of_elpd = set(Elpd.rows(name)) <= set(table.index)
            diagnostics[name] = Elpd.from_frame(name, table) if of_elpd else table
    return diagnostics


def _read_logs(path: Path) -> dict[str, list[str]]:
    logs = {}
    for file in sorted((path / "logs").glob("logs_*.txt")):
        entries: list[str] = []
        for line in file.read_text(encoding="utf-8").split("\n")[:-1]:
            if line.startswith("\t") and entries:
                entries[-1] += "\n" + line[1:]
            else:
                entries.append(line)
        logs[file.stem.removeprefix("logs_")] = entries
    return logs


def read_json(file: Path, default: Any) -> Any:
    """Read a JSON file; the default where there is none."""
    if not file.is_file():
        return default
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except ValueError as err:
        raise UsageError(f"{file} is no JSON: {err}") from err


def _warn_of_edits(path: Path, manifest: Mapping[str, Any]) -> None:
    """Say which files are not those that were saved; posteriors are looked at when read."""
    for name, digest_of_file in manifest["files"].items():
        if Path(name).suffix in (".nc", ".png"):
            continue
        if not (path / name).is_file():
            logger.warning("%s is missing from the saved state.", path / name)
        elif sha256(path / name) != digest_of_file:
            logger.warning("%s has been changed since it was saved.", path / name)


def _legacy_manifest(path: Path) -> dict[str, Any]:
    shown = {
        file.stem: {"file": f"communicate/{file.name}"}
        for file in sorted((path / "communicate").glob("*"))
        if file.suffix in (".csv", ".png")
    }
    models = {
        folder.name: f"models/{folder.name}" for folder in sorted((path / "models").glob("*/"))
    }
    return {"files": {}, "models": models, "communicate": shown}


def _legacy_record(name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """Give what is known of a model of HiBayES, whose folder is named by function and tag."""
    tag = config.get("tag") or ""
    return {"builder": name.removesuffix(tag), "arguments": config.get("extra_kwargs") or {}}
