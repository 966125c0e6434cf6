"""Folders that HiBayES 1.0 itself has written: what they hold can be read, but for the pickles."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["is_legacy", "legacy_files"]

_OWN = re.compile(
    r"(data|processed_data)\.parquet|(test_)?features\.pkl|(coords|dims|display_stats)\.json"
    r"|logs/logs_(load|process|model|communicate)\.txt|communicate/[^/]+\.(png|csv)"
    r"|models/[^/]+/((metadata|model_config|platform_config|coords|dims|diagnostics)\.json"
    r"|(test_)?features\.pkl|model\.pkl|inference_data(\.tmp)?\.nc"
    r"|diagnostics/(diagnostics\.json|[^/]+\.png|inference_data_[^/]+\.(csv|nc)))"
)


def is_legacy(path: Path) -> bool:
    """Say whether HiBayES wrote a folder: data and statistics, and no manifest."""
    return (
        (path / "data.parquet").is_file()
        and (path / "display_stats.json").is_file()
        and not (path / "manifest.json").is_file()
    )


def legacy_files(path: Path) -> list[str]:
    """List the files that HiBayES wrote to a folder; none if it did not write it."""
    if not is_legacy(path):
        return []
    names = (file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file())
    return sorted(name for name in names if _OWN.fullmatch(name))
