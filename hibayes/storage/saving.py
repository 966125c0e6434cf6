"""A state to a folder."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import json
import platform
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hibayes.registry import registry_info, registry_params, source_of
from hibayes.storage.codec import encode, write_arrays
from hibayes.storage.folder import Folder, stem, write_json
from hibayes.storage.frames import write_frame, write_table
from hibayes.storage.legacy import legacy_files
from hibayes.storage.results import results

if TYPE_CHECKING:
    from hibayes.analysis_state import AnalysisState, ModelAnalysisState

__all__ = ["component_source", "config_record", "digest", "model_record", "save_state"]

_PACKAGES = (
    "benchcast", "numpy", "pandas", "scipy", "pyarrow", "jax", "jaxlib", "numpyro", "arviz",
    "xarray", "matplotlib", "inspect-ai",
)  # fmt: skip


def save_state(state: AnalysisState, path: Path, *, incremental: bool = False) -> None:
    """Save a state; see `AnalysisState.save`."""
    key = str(path.resolve())
    with Folder(path, legacy_files(path)) as folder:
        known = state._saved.get(key, {})
        if not incremental or known.get("manifest") != digest(folder.manifest.get("files", {})):
            known = {}  # another state has been saved there since
        tokens = _Tokens(folder, known.get("tokens", {}))
        _save_data(state, tokens)
        _save_arguments(state, "", folder)
        folder.write("display_stats.json", write_json(_plain(state.display_stats)))
        for stage, entries in state.logs.items():
            folder.write(f"logs/logs_{stem(stage)}.txt", _writer_of_log(entries))
        shown = _save_communicate(state, tokens)
        models = {model.model_name: f"models/{stem(model.model_name)}" for model in state.models}
        for model in state.models:
            _save_model(model, models[model.model_name], tokens)
        found = results(
            ((m.model_name, m.is_fitted, m.checks) for m in state.models), state.communications
        )
        folder.write("results.json", write_json(_plain(found)))
        if state.configuration is not None:
            folder.write("configuration.json", write_json(state.configuration))
        manifest = folder.commit(_facts(state, models, shown))
    state._saved[key] = {"manifest": digest(manifest["files"]), "tokens": tokens.new}


class _Tokens:
    """What stood for each large file's content when it was last saved, to save it once."""

    def __init__(self, folder: Folder, old: Mapping[str, Any]) -> None:
        self.folder, self._old, self.new = folder, old, dict[str, Any]()

    def write(self, name: str, token: Any, writer: Callable[[Path], Any]) -> None:
        """Write a file, unless what it holds has been written."""
        if not (token == self._old.get(name) and self.folder.keep(name)):
            self.folder.write(name, writer)
        self.new[name] = token


class _Same:
    """Equal where it stands for the same object, of the same shape."""

    def __init__(self, value: Any, *shape: Any) -> None:
        self._value, self._shape = value, shape

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, _Same) and self._value is other._value and self._shape == other._shape
        )

    __hash__ = None  # type: ignore[assignment]


def frame_token(frame: Any) -> Any:
    """Give what stands for a frame: the object, its shape and its columns."""
    return _Same(frame, frame.shape, tuple(frame.columns))


def _save_data(state: AnalysisState, tokens: _Tokens) -> None:
    for name, frame in (("data", state.data), ("processed_data", state.processed_data)):
        if frame is None:
            continue
        tokens.write(f"{name}.parquet", frame_token(frame), partial(write_frame, frame=frame))


def _save_arguments(holder: Any, prefix: str, folder: Folder) -> None:
    """Save features, test features, coords and dims, of a state or of a model."""
    for name in ("features", "test_features"):
        values = getattr(holder, name)
        if not values:
            continue
        arrays: dict[str, Any] = {}
        held = {key: encode(value, key, arrays) for key, value in values.items()}
        folder.write(f"{prefix}{name}.json", write_json(held))
        folder.write(f"{prefix}{name}.npz", partial(write_arrays, arrays=arrays))
    for name in ("coords", "dims"):
        if getattr(holder, name) is not None:
            folder.write(f"{prefix}{name}.json", write_json(_plain(getattr(holder, name))))


def _save_communicate(state: AnalysisState, tokens: _Tokens) -> dict[str, Any]:
    """Save figures and tables; give their files by name."""
    import pandas as pd

    shown: dict[str, Any] = {}
    for name, item in state.communicate.items():
        if isinstance(item, pd.DataFrame | pd.Series):
            shown[name] = {
                "file": f"communicate/{stem(name)}.csv",
                "index_levels": item.index.nlevels,
            }
            tokens.folder.write(shown[name]["file"], partial(write_table, table=item))
        else:
            shown[name] = {"file": f"communicate/{stem(name)}.png"}
            _write_figure(shown[name]["file"], item, tokens)
    for name, stored in state._restored_figures.items():
        if name not in shown and stored.is_file():
            shown[name] = {"file": f"communicate/{stem(name)}.png"}
            tokens.folder.copy(shown[name]["file"], stored)
    return shown


def _save_model(model: ModelAnalysisState, place: str, tokens: _Tokens) -> None:
    folder = tokens.folder
    record = model_record(model)
    folder.write(f"{place}/metadata.json", write_json({"is_fitted": model.is_fitted, **record}))
    folder.write(f"{place}/model_config.json", write_json(config_record(model.model_config)))
    if model.platform_config is not None:
        folder.write(f"{place}/platform_config.json", write_json(_fields(model.platform_config)))
    _save_arguments(model, f"{place}/", folder)
    folder.write(f"{place}/checks.json", write_json(_plain(model.checks)))
    _save_posterior(model, f"{place}/inference_data.nc", tokens)
    _save_diagnostics(model, f"{place}/diagnostics", tokens)


def _save_posterior(model: ModelAnalysisState, name: str, tokens: _Tokens) -> None:
    held = model._inference_data
    if held is None:
        return
    if hasattr(held, "read_inference_data"):  # loaded, and not read since
        tokens.folder.copy(name, held.path)
        return
    from hibayes import arviz_bridge

    groups = [
        (group, tuple(map(str, arviz_bridge.dataset(held, group).data_vars)))
        for group in arviz_bridge.groups(held)
    ]
    if groups:
        tokens.write(name, _Same(held, groups), lambda part: arviz_bridge.save(held, part))


def _save_diagnostics(model: ModelAnalysisState, place: str, tokens: _Tokens) -> None:
    arrays: dict[str, Any] = {}
    held: dict[str, Any] = {}
    figures: set[str] = set()
    for name, value in model.diagnostics.items():
        if hasattr(value, "savefig"):
            figures.add(name)
            _write_figure(f"{place}/{stem(name)}.png", value, tokens)
            continue
        held[name] = encode(value, name, arrays)
        table = _as_table(value)
        if table is not None:
            file = f"{place}/inference_data_{stem(name)}.csv"
            tokens.write(file, _Same(value), partial(write_table, table=table))
    if held:
        tokens.folder.write(f"{place}/diagnostics.json", write_json(held))
    if arrays:
        tokens.folder.write(f"{place}/diagnostics.npz", lambda part: write_arrays(part, arrays))
    for name, stored in model._restored_figures.items():
        if name not in figures and stored.is_file():
            tokens.folder.copy(f"{place}/{stem(name)}.png", stored)


def _as_table(value: Any) -> Any:
    """Give a diagnostic as a table for people; None if it is none."""
    import pandas as pd

    from hibayes.arviz_bridge.elpd import Elpd

    if isinstance(value, Elpd):
        return value.to_frame()
    if type(value).__name__ == "DataArray":
        return value.to_series()
    return value if isinstance(value, pd.DataFrame | pd.Series) else None


def _write_figure(name: str, figure: Any, tokens: _Tokens) -> None:
    def draw(part: Path) -> None:
        figure.savefig(part, dpi=300, bbox_inches="tight", format="png")
        pyplot = sys.modules.get("matplotlib.pyplot")  # which has made the figure, if there is one
        if pyplot is not None and isinstance(figure, pyplot.Figure):
            pyplot.close(figure)

    tokens.write(name, _Same(figure), draw)


def model_record(model: ModelAnalysisState) -> dict[str, Any]:
    """Give what a model is rebuilt from: its builder, arguments, and its file's sha256."""
    stored = getattr(model._model, "record", None)
    if stored is not None:
        return dict(stored)
    tag = getattr(model.model_config, "tag", None)
    try:
        return {
            "builder": registry_info(model._model).name,
            "arguments": registry_params(model._model),
            "source": component_source(model._model),
            "tag": tag,
        }
    except ValueError:  # not made by a builder: it can be saved, but not rebuilt
        return {"builder": model.function_name, "arguments": {}, "source": {}, "tag": tag}


def config_record(config: Any) -> dict[str, Any]:
    """Give a model's configuration as it stands in ``model_config.json``."""
    to_dict = getattr(config, "to_dict", None)
    return dict(_plain(to_dict())) if to_dict is not None else _fields(config)


def component_source(component: Any) -> dict[str, str]:
    """Give a component's file, relative where it can be, and its sha256."""
    found = source_of(component)
    if not found:
        return {}
    file = Path(found["file"])
    for home in (Path(__file__).parents[2], Path.cwd()):
        if file.is_relative_to(home):
            return found | {"file": file.relative_to(home).as_posix()}
    return found


def digest(value: Any) -> str:
    """Give the sha256 of a value's JSON."""
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _facts(state: AnalysisState, models: dict[str, str], shown: dict[str, Any]) -> dict[str, Any]:
    """Give what the manifest says beside the files."""
    packages = {}
    for name in _PACKAGES:
        try:
            packages[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    components = dict(state._components)
    for model in state.models:
        record = model_record(model)
        if record["source"]:
            components[f"model:{record['builder']}"] = record["source"]
    return {
        "python": platform.python_version(),
        "packages": packages,
        "seeds": {m.model_name: getattr(m.model_config.fit, "seed", None) for m in state.models
                  if getattr(m.model_config, "fit", None) is not None},
        "configuration": digest(state.configuration) if state.configuration is not None else None,
        "components": components,
        "models": models,
        "communicate": shown,
    }  # fmt: skip


def _writer_of_log(entries: list[str]) -> Callable[[Path], Any]:
    # an entry's further lines begin with a tab, so that entries stay apart
    text = "".join(str(entry).replace("\n", "\n\t") + "\n" for entry in entries)
    return lambda part: part.write_text(text, encoding="utf-8")


def _fields(config: Any) -> dict[str, Any]:
    """Give the fields of a dataclass, as JSON has them."""
    if not dataclasses.is_dataclass(config):
        return dict(_plain(vars(config)))
    return {f.name: _plain(getattr(config, f.name)) for f in dataclasses.fields(config) if f.init}


def _plain(value: Any) -> Any:
    """Give a value as JSON has it, sets in order, what JSON lacks as text."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return sorted((_plain(item) for item in value), key=str)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, float) and value != value:
        return None
    if isinstance(value, float) and abs(value) == float("inf"):
        return str(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return value.name if isinstance(getattr(value, "name", None), str) else str(value)
