"""Tables that need no extraction: ``extracted_data`` of a configuration."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hibayes.load.utils import check_mixed_types
from hibayes.storage.frames import exactly
from suites.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["load_extracted_data"]

logger = logging.getLogger("hibayes")


def load_extracted_data(file_paths: Sequence[str | Path]) -> pd.DataFrame:
    """Read tables that need no extraction, one under the other.

    Parameters
    ----------
    file_paths : sequence of path
        CSV, Parquet or JSON lines.

    Raises
    ------
    UsageError
        A ValueError: for a file of another kind, one that cannot be read, and none at all.
    MixedTypes
        A UsageError too: if a column holds values of several types, in one file or between them.
    """
    import pandas as pd

    frames = []
    for path in map(Path, file_paths):
        kind = path.suffix.lower()
        if kind not in (".csv", ".parquet", ".jsonl", ".json"):
            raise UsageError(
                f"Unsupported file extension: {kind} of {path}. "
                "Supported formats: .csv, .parquet, .jsonl, .json"
            )
        try:
            if kind == ".csv":
                frames.append(pd.read_csv(path, low_memory=False, **exactly()))
            elif kind == ".parquet":
                frames.append(pd.read_parquet(path))
            else:
                frames.append(pd.read_json(path, lines=_in_lines(path), precise_float=True))
        except (OSError, ValueError) as err:
            raise UsageError(f"extracted_data: cannot read {path}: {err}") from err
        logger.info("Loaded %s with shape %s", path, frames[-1].shape)
    if not frames:
        raise UsageError("No data files were loaded from extracted_data paths.")
    data = pd.concat(frames, ignore_index=True)
    check_mixed_types(data)
    logger.info("Combined data: %s rows, columns %s", len(data), list(data.columns))
    return data


def _in_lines(path: Path) -> bool:
    """Say whether a JSON file holds an object per line, not a list of them."""
    with path.open(encoding="utf-8-sig") as file:
        return not file.read(4096).lstrip().startswith("[")
