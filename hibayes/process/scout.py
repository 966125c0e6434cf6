"""`merge_scout_results`: results of an Inspect Scout scan beside the samples."""

from __future__ import annotations

import importlib
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hibayes.load.utils import tell
from hibayes.process._process import DataProcessor, process
from hibayes.process.utils import require
from suites.errors import NotInstalled, UsageError, unknown_name

if TYPE_CHECKING:
    import pandas as pd

_DEFAULT = ("value", "explanation", "scan_model_usage")


@process
def merge_scout_results(
    scout_scan_path: str,
    scanner_name: str,
    join_on_left: str = "transcript_id",
    join_on_right: str = "transcript_id",
    columns_to_keep: Sequence[str] | None = None,
    prefix: str | None = None,
) -> DataProcessor:
    """Add the results of a scanner of Inspect Scout.

    Parameters
    ----------
    scout_scan_path : str
        The scan.
    scanner_name : str
        One of its scanners.
    join_on_left, join_on_right : str
        Columns of the data and of the results that name the sample; the right one is also looked
        for in the results' ``transcript_metadata``.
    columns_to_keep : list of str, optional
        By default ``value``, ``explanation`` and ``scan_model_usage``.
    prefix : str, optional
        Columns are named ``<prefix>_<column>``; by default the scanner's name.

    Raises
    ------
    NotInstalled
        An ImportError: without Inspect Scout.
    UsageError
        If a column or the scanner is not there, or several results are of one sample.
    """
    try:
        scout = importlib.import_module("inspect_scout")
    except ImportError as err:
        raise NotInstalled(
            f"merge_scout_results needs Inspect Scout: pip install inspect-scout ({err})."
        ) from err

    def processor(state: Any, display: Any = None) -> Any:
        require(state, [join_on_left], display)
        scanners = scout.scan_results_df(scout_scan_path).scanners
        if scanner_name not in scanners:
            raise unknown_name("scanner", scanner_name, map(str, scanners))
        results = scanners[scanner_name]
        key = _key(results, join_on_right)
        given = list(columns_to_keep if columns_to_keep is not None else _DEFAULT)
        kept = [name for name in given if name in results.columns]
        lacking = [name for name in given if name not in kept]
        if columns_to_keep is not None and lacking:
            raise UsageError(
                f"merge_scout_results: {scanner_name} has no columns {lacking}; it has "
                f"{list(results.columns)}."
            )
        named = {name: f"{prefix or scanner_name}_{name}" for name in kept}
        added = results[kept].rename(columns=named).assign(_key=key.astype("string").to_numpy())
        added = added[added["_key"].notna()]
        twice = added["_key"].duplicated()
        if twice.any():
            raise UsageError(
                f"merge_scout_results: {int(twice.sum())} samples have several results of "
                f"{scanner_name}, as {added['_key'][twice].iloc[0]!r}: their rows would multiply."
            )
        frame = state.processed_data
        clash = [name for name in named.values() if name in frame.columns]
        if clash:
            raise UsageError(f"merge_scout_results: the data have {clash} already; state a prefix.")
        left = frame[join_on_left].astype("string")
        found = added.set_index("_key").reindex(left.to_numpy()).set_index(frame.index)
        state.processed_data = frame.join(found)
        matched = int(left.isin(added["_key"]).sum())
        tell(display, f"Merged {scanner_name}: {matched} of {len(frame)} rows have a result")
        return state

    return processor


def _key(results: pd.DataFrame, name: str) -> pd.Series:
    if name in results.columns:
        return results[name]
    if "transcript_metadata" not in results.columns:
        raise UsageError(
            f"Column '{name}' not found in the scan's results: {list(results.columns)}"
        )
    return results["transcript_metadata"].map(lambda value: _inner(value, name))


def _inner(value: Any, name: str) -> Any:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return None
    found = value.get(name) if isinstance(value, dict) else None
    return None if found is None else str(found)
