"""What a run would do, what it was told to do, and what an earlier one has done."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hibayes.cli.options import say

if TYPE_CHECKING:
    from hibayes.analysis_config import AnalysisConfig
    from hibayes.analysis_state import AnalysisState, ModelAnalysisState

__all__ = ["dry_run", "earlier_models", "explained", "missing_files", "note_sections", "plan"]


def dry_run(
    args: argparse.Namespace, config: AnalysisConfig, sections: Sequence[str] | None
) -> bool:
    """Say what would be done, if that is asked; give whether it was."""
    if not getattr(args, "dry_run", False):
        return False
    found = plan(config)
    say(explained({key: found[key] for key in sections or found}))
    for file in missing_files(config) if sections is None or "data_loader" in sections else []:
        say(f"There is no {file}.")
    say(f"Nothing was done; the state would be saved to {args.out}.")
    return True


def plan(config: AnalysisConfig) -> dict[str, Any]:
    """Give what the stages would do, defaults filled in, as JSON has it."""
    from hibayes.storage.saving import config_record

    loader, platform = config.data_loader, config.platform
    sources = {
        key: getattr(loader, key)
        for key in ("files_to_process", "extracted_data", "cache_path", "cutoff")
        if getattr(loader, key, None)
    }
    return {
        "data_loader": {**sources, "extractors": _components(loader.enabled_extractors)},
        "data_process": {"processors": _components(config.data_process.enabled_processors)},
        "model": {
            "models": [
                _component(model) | {"config": config_record(model_config)}
                for model, model_config in config.models.enabled_models or []
            ]
        },
        "check": {"checkers": _components(config.checkers.enabled_checkers)},
        "communicate": {"communicators": _components(config.communicate.enabled_communicators)},
        "platform": {key: getattr(platform, key) for key in platform.allowed},
    }


def explained(found: dict[str, Any]) -> str:
    """Write a plan out, a line for each thing that would be done."""
    lines = []
    for section, content in found.items():
        lines.append(f"{section}:")
        for key, value in content.items():
            if not isinstance(value, list) or not value or not isinstance(value[0], dict):
                shown = "none" if value in ([], None) else value
                lines.append(f"  {key}: {', '.join(shown) if isinstance(shown, list) else shown}")
                continue
            lines.append(f"  {key}:")
            for item in value:
                lines.append(f"    {item['name']}{_arguments(item['arguments'])}")
                fit = item.get("config", {}).get("fit")
                if fit:
                    tag = item["config"].get("tag")
                    lines.append(f"      tag {tag}" if tag else "      no tag")
                    lines.append(f"      fit{_arguments(fit)}")
    return "\n".join(lines)


def missing_files(config: AnalysisConfig) -> list[str]:
    """List the local files and folders that are to be read and are not there."""
    named = [*config.data_loader.files_to_process, *config.data_loader.extracted_data]
    local = [str(name) for name in named if "://" not in str(name)]
    return [name for name in local if not any(c in name for c in "*?[") and not _there(name)]


def note_sections(state: AnalysisState, config: AnalysisConfig, names: Sequence[str]) -> None:
    """Keep the sections that a stage was run with in the state."""
    kept = dict(state.configuration or {})
    state.configuration = kept | {name: config.given.get(name) for name in names}


def earlier_models(out: Path) -> list[ModelAnalysisState]:
    """Give the models of the state in a folder; none if there is no state."""
    from hibayes.analysis_state import AnalysisState
    from hibayes.storage import StateNotFound

    try:
        return AnalysisState.load(out).models
    except StateNotFound:
        return []


def _there(name: str) -> bool:
    if name.split("/")[0] == "demo":  # the sets that come with the package
        from suites.reading import demo_path

        name = demo_path(name)
    return Path(name).expanduser().exists()


def _components(components: Sequence[Any] | None) -> list[dict[str, Any]]:
    return [_component(one) for one in components or []]


def _component(one: Any) -> dict[str, Any]:
    from hibayes.registry import registry_params
    from hibayes.verdict import name_of

    arguments = dict(registry_params(one))
    arguments |= arguments.pop("kwargs", None) or {}  # of builders that take any
    if not arguments.get("args", True):
        del arguments["args"]
    return {"name": name_of(one), "arguments": arguments}


def _arguments(values: dict[str, Any]) -> str:
    if not values:
        return ""
    return " (" + ", ".join(f"{k}={json.dumps(v, default=str)}" for k, v in values.items()) + ")"
