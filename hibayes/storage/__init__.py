"""States on disk: the files of HiBayES, without pickles, replaced as one piece.

::

    out/
      manifest.json              format, packages, seeds, components, sha256 of every file
      results.json               every check's and communicator's verdict
      configuration.json         the sections that the stages were run with
      data.parquet  processed_data.parquet
      features.json  features.npz      also test_features; coords.json, dims.json
      display_stats.json  logs/logs_<stage>.txt
      communicate/<name>.png | .csv
      models/<model_name>/
        metadata.json  model_config.json  platform_config.json  checks.json
        features.json  features.npz  coords.json  dims.json
        inference_data.nc
        diagnostics/diagnostics.json  diagnostics.npz  <name>.png  inference_data_<name>.csv
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hibayes.storage.folder import Folder, read_manifest, write_json
from hibayes.storage.loading import StateNotFound, load_state, read_json
from hibayes.storage.results import answer, answered, pending, results
from hibayes.storage.saving import model_record, save_state

__all__ = ["StateNotFound", "approve", "load_state", "model_record", "save_state", "waiting"]


def approve(path: Path, name: str, accepted: bool = True) -> dict[str, Any]:
    """Answer a question that a check left, in a saved state.

    Parameters
    ----------
    path : Path
        The state's folder.
    name : str
        ``model/checker``, or the checker alone where that is enough.
    accepted : bool, default True
        Whether the check passes.

    Returns
    -------
    dict
        The check's record.

    Raises
    ------
    UsageError
        If there is no state, or nothing of the name waits.
    """
    found = _results(path)
    manifest = read_manifest(path) or {}
    asked, record = answer(found["models"], name, accepted)
    diagnostics = f"{manifest['models'][asked]}/diagnostics/diagnostics.json"
    with Folder(path) as folder:
        held = read_json(path / diagnostics, {})
        verdict = held.get(f"{record['checker']}_verdict")
        if isinstance(verdict, dict):
            verdict |= answered(accepted)
            if isinstance(verdict.get("approval"), dict):
                verdict["approval"]["answer"] = accepted
            folder.write(diagnostics, write_json(held))
        for model in found["models"]:
            checks = f"{manifest['models'][model['model']]}/checks.json"
            folder.write(checks, write_json(model["checks"]))
        listed = [(m["model"], m["is_fitted"], m["checks"]) for m in found["models"]]
        folder.write("results.json", write_json(results(listed, found["communicate"])))
        for other in folder.old:
            if other not in folder._staged:
                folder.keep(other)
        facts = {k: v for k, v in manifest.items() if k not in ("format", "files", "removing")}
        folder.commit(facts)
    return record


def waiting(path: Path) -> list[dict[str, Any]]:
    """List the questions that wait for a person, in a saved state."""
    return pending(_results(path)["models"])


def _results(path: Path) -> dict[str, Any]:
    if read_manifest(path) is None:
        raise StateNotFound(f"{path} holds no analysis state: it has no manifest.json.")
    found: dict[str, Any] = read_json(path / "results.json", {})
    return found
