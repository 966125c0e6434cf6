"""`Journal`: the units of an evaluation that are done, on disk, so that a killed one can go on.

A unit's folder is written beside its place and renamed when it is whole: it is there or it is not.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.joint_rules import GroupScore
from harness.shards import read_table, write_table
from harness.unit import UnitResult

if TYPE_CHECKING:
    from harness.spec import Spec
    from harness.split import Fold

__all__ = ["Journal", "fingerprint"]

_LISTS = ("scores", "status", "calibration", "timings")


def fingerprint(facts: Mapping[str, Any]) -> str:
    """Hash whatever decides what a unit finds.

    Examples
    --------
    >>> fingerprint({"k": [0, 5]}) == fingerprint({"k": [0, 5]})
    True
    """
    text = json.dumps(facts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


class Journal:
    """The units that are done.

    Parameters
    ----------
    folder : Path
        Where they are kept; it is made.
    print : str
        The evaluation's `fingerprint`: units of another one are thrown away.

    Attributes
    ----------
    found : int
        How many were there already.
    """

    def __init__(self, folder: Path, print: str) -> None:
        self._folder = folder
        mark = folder / "fingerprint"
        if folder.exists() and not (mark.is_file() and mark.read_text() == print):
            shutil.rmtree(folder)
        folder.mkdir(exist_ok=True)
        mark.write_text(print)
        for left in folder.glob(".*"):  # a unit that was being written
            shutil.rmtree(left)
        self.found = sum(1 for path in folder.iterdir() if path.is_dir())

    def get(self, spec: Spec, fold: Fold, code: str | None) -> UnitResult | None:
        """Give what a unit found, but for its predictions; None if it is not done.

        Parameters
        ----------
        spec : Spec
        fold : Fold
        code : str or None
            The hash of the predictor's code: what other code found does not count.
        """
        folder = self._folder / _name(spec, fold)
        if not folder.is_dir():
            return None
        content = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        if content["code"] != code:
            shutil.rmtree(folder)
            return None
        result = UnitResult()
        for name in _LISTS:
            setattr(result, name, [tuple(row) for row in content[name]])
        result.uniform = {(k, target): losses for k, target, losses in content["uniform"]}
        result.groups = [(k, GroupScore(**group)) for k, group in content["groups"]]
        result.diagnostic_errors = content["errors"]
        for path in folder.glob("diagnostic-*.arrow"):
            result.diagnostics[path.stem.removeprefix("diagnostic-")] = read_table(path)
        return result

    def put(self, spec: Spec, fold: Fold, code: str | None, result: UnitResult) -> None:
        """Keep what a unit found; its predictions are then on disk alone."""
        name = _name(spec, fold)
        folder = self._folder / f".{name}"
        folder.mkdir()
        for k, table in result.predictions.items():
            write_table(folder / f"{k}.arrow", table)
        result.predictions.clear()
        for kind, table in result.diagnostics.items():
            write_table(folder / f"diagnostic-{kind}.arrow", table)
        content = {
            "code": code,
            **{name: getattr(result, name) for name in _LISTS},
            "uniform": [(k, target, losses) for (k, target), losses in result.uniform.items()],
            "groups": [(k, asdict(group)) for k, group in result.groups],
            "errors": result.diagnostic_errors,
        }
        text = json.dumps(content)  # escapes halves of characters, and keeps every digit
        (folder / "result.json").write_text(text, encoding="utf-8")
        os.replace(folder, self._folder / name)

    def predictions(self, spec: Spec, fold: Fold, k: int) -> Path | None:
        """Give the file of a unit's predictions; None where it made none."""
        path = self._folder / _name(spec, fold) / f"{k}.arrow"
        return path if path.exists() else None


def _name(spec: Spec, fold: Fold) -> str:
    digest = hashlib.sha256(f"{spec.text}\x1f{spec.name}".encode()).hexdigest()[:16]
    return f"{digest}-{fold.seed}-{fold.fold}"
