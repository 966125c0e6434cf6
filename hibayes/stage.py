"""What every stage does: show itself, save, note its messages and its components."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hibayes.analysis_state import AnalysisState
from hibayes.registry import registry_info
from hibayes.storage.saving import component_source
from hibayes.ui import Display
from suites.errors import UsageError

__all__ = ["note_components", "saver", "shown", "stage"]


def saver(state: AnalysisState, out: Path | None, frequent_save: bool) -> Callable[[], None]:
    """Give what saves, or does nothing."""
    if not frequent_save:
        return lambda: None
    if out is None:
        raise UsageError("'out' path must be provided when frequent_save=True")
    return lambda: state.save(Path(out), incremental=True)


def note_components(state: AnalysisState, components: Iterable[Any]) -> None:
    """Keep which files define the components that were used, for the manifest."""
    for one in components:
        try:
            info = registry_info(one)
        except ValueError:
            continue
        source = component_source(one)
        if source:
            state._components[f"{info.type}:{info.name}"] = source


@contextmanager
def shown(display: Display) -> Iterator[None]:
    """Show while the context lasts; one that was live before stays so."""
    was_live = display.is_live
    if not was_live:
        display.start()
    try:
        with display.capture_logs():
            yield
    finally:
        if not was_live:
            display.stop()


@contextmanager
def stage(display: Display, name: str, header: str) -> Iterator[Callable[[AnalysisState], None]]:
    """Show a stage; gives what notes its messages and statistics in the state at its end."""
    before = len(display.get_all_logs())

    def ended(state: AnalysisState) -> None:
        state.logs[name] = display.get_all_logs()[before:]
        state.display_stats = display.get_stats_for_persistence()

    with shown(display):
        display.update_header(header)
        yield ended
