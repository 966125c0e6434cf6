"""Results of several evaluations of one split in one folder: `merge` them, `add` to them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.journal import fingerprint
from harness.output_folder import Output, output_folder
from harness.results import TABLES, Results
from suites.errors import UsageError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["add", "merge"]

_SHARED: tuple[str, ...] = ("targets", "split", "problems")
"""Tables that are the same in all results of one split."""

_HASHES = {
    "data": "the responses (data)",
    "truth": "the runs or their values (truth)",
    "split": "what each fold holds out (split)",
}


def merge(
    folders: Sequence[str | Path | Results],
    out: str | Path | None = None,
    *,
    overwrite: bool = False,
    command: Sequence[str] | None = None,
) -> Results:
    """Put results of several evaluations of one split together.

    Each predictor's rows are those of the first folder that has it, so a predictor that was
    evaluated in several (the reference) is there once.

    Parameters
    ----------
    folders : sequence of path or Results
        Results folders of the same data, truth, split, task and k.
    out : path, optional
        The folder to make; without it the results live as long as the returned object.
    overwrite : bool
        Replace results that are already at ``out``.
    command : sequence of str, optional
        The command line, for the manifest.

    Returns
    -------
    Results

    Raises
    ------
    UsageError
        If there are fewer than two, or they are not of one split; and if two predictors of one
        name differ in settings or code.

    Examples
    --------
    >>> import harness
    >>> options = {"k": 2, "folds": 2, "isolation": "none"}
    >>> one = harness.evaluate("demo/my-suite", "jeffreys", **options)
    >>> other = harness.evaluate("demo/my-suite", "beta-binomial", **options)
    >>> merged = harness.merge([one, other])
    >>> sorted(p["name"] for p in merged.manifest["predictors"])
    ['beta-binomial', 'jeffreys', 'scenario-mean']
    """
    parts = [one if isinstance(one, Results) else Results.load(one) for one in folders]
    if len(parts) < 2:
        raise UsageError("name at least two results folders to merge.")
    for part in parts[1:]:
        _require_one_split(parts[0], part)
    takes = _who_comes_from_where(parts)
    with output_folder(out, overwrite) as output:
        _put_together(parts, takes, {}, command, output)
    return Results(output.final, output.keep)


def add(
    folder: str | Path,
    made: Results,
    names: Sequence[str],
    marks: Mapping[str, Any] | None = None,
) -> Results:
    """Put some predictors of an evaluation into a results folder of the same split.

    Predictors of these names that the folder has are replaced. One process at a time can do it;
    what else lies in the folder stays.

    Parameters
    ----------
    folder : path
        The results folder.
    made : Results
        The evaluation.
    names : sequence of str
        Which of its predictors.
    marks : mapping, optional
        What is noted of them in the manifest, beside what the evaluation noted.

    Returns
    -------
    Results
        The folder as it is then.

    Raises
    ------
    UsageError
        If they are not of one split, or another process writes the folder.
    """
    with output_folder(folder, overwrite=True, kept="nothing") as output:
        there = Results.load(folder)
        _require_one_split(there, made)
        stay = [one["name"] for one in there.manifest["predictors"] if one["name"] not in names]
        command = there.manifest.get("command")
        for path in there.path.iterdir():
            if (path.suffix == ".parquet" and path.stem in TABLES) or path.name == "manifest.json":
                continue
            copy = shutil.copytree if path.is_dir() else shutil.copy2
            copy(path, output.folder / path.name)
        _put_together([there, made], [stay, list(names)], marks or {}, command, output)
    return Results.load(folder)


def _put_together(
    parts: Sequence[Results],
    takes: Sequence[Sequence[str]],
    marks: Mapping[str, Any],
    command: Sequence[str] | None,
    output: Output,
) -> None:
    """Write the tables and the manifest; `marks` are those of what the last part gives."""
    for name in TABLES:
        _write(output.folder / f"{name}.parquet", _joined(name, parts, takes))
    text = json.dumps(_manifest(parts, takes, marks, command), indent=2, ensure_ascii=False)
    (output.folder / "manifest.json").write_text(
        text + "\n", encoding="utf-8", errors="backslashreplace"
    )
    output.put()


def _require_one_split(one: Results, other: Results) -> None:
    """Refuse results of another split, saying what differs."""
    a, b = one.manifest, other.manifest
    differ = [text for key, text in _HASHES.items() if a["sha256"].get(key) != b["sha256"].get(key)]
    differ += [
        f"{key} ({a.get(key)} and {b.get(key)})"
        for key in ("task", "k", "seeds", "reference", "scorer", "information")
        if a.get(key) != b.get(key)
    ]
    if differ:
        raise UsageError(
            f"{one.path} and {other.path} cannot be merged. What differs: {', '.join(differ)}. "
            "Evaluate on the very same sources, with the same options."
        )


def _who_comes_from_where(parts: Sequence[Results]) -> list[list[str]]:
    """Give, for each folder, the predictors whose rows are taken from it."""
    known: dict[str, Mapping[str, Any]] = {}
    takes: list[list[str]] = []
    for part in parts:
        own = []
        for predictor in part.manifest["predictors"]:
            name, first = predictor["name"], known.get(predictor["name"])
            if first is None:
                known[name] = predictor
                own.append(name)
                continue
            for key, what in (("settings_hash", "settings"), ("code_hash", "code")):
                if first.get(key) != predictor.get(key):
                    raise UsageError(
                        f"{part.path} has a predictor {name} with other {what} than one before: "
                        "evaluate both under one version, or rename one."
                    )
        takes.append(own)
    return takes


def _joined(name: str, parts: Sequence[Results], takes: Sequence[Sequence[str]]) -> pa.Table:
    """Give one table of the merged results."""
    import pyarrow as pa
    import pyarrow.compute as pc

    tables = []
    for part, own in zip(parts, takes, strict=True):
        table = part.table(name)
        if name in _SHARED:
            return table
        column = table.column("predictor").cast(pa.string())
        tables.append(table.filter(pc.is_in(column, pa.array(list(own), pa.string()))))
    return pa.concat_tables(tables, promote_options="permissive").unify_dictionaries()


def _manifest(
    parts: Sequence[Results],
    takes: Sequence[Sequence[str]],
    marks: Mapping[str, Any],
    command: Sequence[str] | None,
) -> dict[str, Any]:
    entries: dict[str, dict[str, Any]] = {
        predictor["name"]: {} for part in parts for predictor in part.manifest["predictors"]
    }
    for number, (part, own) in enumerate(zip(parts, takes, strict=True), start=1):
        for predictor in part.manifest["predictors"]:
            if predictor["name"] in own:
                level = predictor.get("isolation", part.manifest.get("isolation"))
                last = marks if number == len(parts) else {}
                entries[predictor["name"]] = {**predictor, "isolation": level, **last}
    notes = [note for part in parts for note in part.manifest.get("notes", ())]
    kept = ("command", "benchcast", "isolation", "libraries", "host", "identity")
    return {
        **parts[0].manifest,
        "command": None if command is None else list(command),
        "notes": list(dict.fromkeys(notes)),
        "identity": fingerprint({"merged": [part.manifest.get("identity") for part in parts]}),
        "merged": [one for part in parts for one in _evaluations(part.manifest, kept)],
        "predictors": [entry for entry in entries.values() if entry],
    }


def _evaluations(manifest: Mapping[str, Any], kept: Sequence[str]) -> list[dict[str, Any]]:
    """Give the facts of the evaluations that results come from."""
    return manifest.get("merged") or [{key: manifest.get(key) for key in kept}]


def _write(path: Path, table: pa.Table) -> None:
    import pyarrow.parquet as pq

    pq.write_table(table.replace_schema_metadata(None), path, compression="zstd")
