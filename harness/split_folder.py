"""A split as plain files, for tools that are not Python classes of this harness.

``write_split`` holds runs out as an evaluation does, and writes what a predictor may see of each
fold; `Split` reads the folder back, and the sources that it was made of.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

from harness.again import made_of, reread, task_in
from harness.design import Design
from harness.evaluation import selected
from harness.fold_folder import FoldFolder
from harness.fold_view import FoldView
from harness.held_out import HeldOut, target_id
from harness.output_folder import output_folder
from harness.prediction_table import from_bytes
from harness.shards import read_table
from harness.task import Task
from suites.errors import UsageError
from suites.reading import read
from suites.schema import arrow_schema
from suites.selection import Selection
from suites.suite import Suite, require_runs

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Split", "write_split"]

FORMAT = 2
"""Raised whenever readers of such folders have to change."""

_ROWS = 1 << 20  # of train responses that are kept in memory, and written together


@dataclass(frozen=True)
class Split:
    """A folder that `write_split` wrote.

    Attributes
    ----------
    path : Path
        The folder.
    manifest : dict
        The content of its manifest.json.
    """

    path: Path
    manifest: dict[str, Any]

    @classmethod
    def load(cls, path: str | Path) -> Split:
        """Open a folder.

        Raises
        ------
        UsageError
            If there is no split, or its manifest is damaged or of a later version.
        """
        folder = Path(path)
        if not (folder / "manifest.json").is_file():
            raise UsageError(
                f"{folder} holds no split: `harness split SOURCE… --out {folder}` writes one."
            )
        try:
            manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as err:
            raise UsageError(f"{folder / 'manifest.json'} is damaged: {err}.") from err
        if not isinstance(manifest, dict) or manifest.get("holds") != "split":
            raise UsageError(f"{folder} holds no split: name the folder of `harness split --out`.")
        if manifest.get("format") != FORMAT:
            raise UsageError(
                f"{folder} has format {manifest.get('format')!r}, this version reads {FORMAT}: "
                "write the split again."
            )
        return cls(folder, manifest)

    @property
    def task(self) -> Task:
        """The task, with its settings."""
        return task_in(self.manifest, self.path / "manifest.json")

    @property
    def k(self) -> list[int]:
        """The numbers of shown responses."""
        return list(self.manifest["k"])

    @property
    def units(self) -> list[tuple[int, int]]:
        """Seed and fold of each of its folders."""
        return [(int(seed), int(fold)) for seed, fold in self.manifest["units"]]

    def targets(self) -> Iterator[str]:
        """Give the held-out runs of all folds, those of several seeds several times."""
        import pyarrow.parquet as pq

        column = "cell" if self.task.predicts == "instance" else "target"
        for seed, fold in self.units:
            path = self.path / f"{seed}-{fold}" / "targets.parquet"
            try:
                names = pq.read_table(path, columns=[column]).column(column).to_pylist()
                yield from dict.fromkeys(names)
            except (OSError, ValueError) as err:
                raise UsageError(f"cannot read {path}: {err}.") from err

    def read(self, sources: Sequence[str | Path] | None = None, **moved: Any) -> Suite:
        """Read the sources again as they were read for the split.

        Parameters
        ----------
        sources : sequence of path, optional
            Where they lie now; by default where they lay.
        **moved
            ``identity``, ``table`` and ``metrics``: where these files lie now.

        Raises
        ------
        UsageError
            If they are not there, or other runs than the split's.
        """
        suite = reread(self.manifest, sources, **moved)
        self._require_runs(suite)
        return suite

    def _require_runs(self, suite: Suite) -> None:
        """Refuse, before responses are read, sources that have other runs."""
        found = {target_id(row) for row in suite.runs.to_dict("records")}  # type: ignore[arg-type]
        lost = sorted(set(self.targets()) - found)
        if lost or len(suite) != self.manifest["runs"]:
            shown = ", ".join(lost[:3]) + (", …" if len(lost) > 3 else "")
            raise UsageError(
                f"the sources are not those of {self.path}: they have {len(suite)} runs, it was "
                f"made of {self.manifest['runs']}"
                + (f"; {len(lost)} of its targets are missing ({shown})." if lost else ".")
            )


def write_split(
    sources: Any,
    out: str | Path,
    *,
    task: str | Path | Task = "heldout-run",
    k: Sequence[int] | int | None = None,
    folds: int | str | None = None,
    seeds: Sequence[int] | int | None = None,
    leaks: str = "block",
    select: Selection | None = None,
    identity: str | Path | None = None,
    table: str | Path | Mapping[str, Any] | None = None,
    metrics: str | Path | Mapping[str, Any] | None = None,
    error_policy: str = "as-logged",
    suite: Suite | None = None,
    overwrite: bool = False,
    command: Sequence[str] | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Split:
    """Hold runs out, and write what a predictor may see of each fold as Parquet files.

    Parameters
    ----------
    sources : path, or list of paths
        The runs, as `suites.read` takes them: they are read again when predictions are scored.
    out : path
        The folder to make.
    task, k, folds, seeds, leaks
        As `harness.evaluate` takes them.
    select, identity, table, metrics, error_policy
        As `suites.read` takes them; files are named by path.
    suite : Suite, optional
        These sources, where they were read so already.
    overwrite : bool
        Replace a split that is already at ``out``.
    command : sequence of str, optional
        The command line, for the manifest.
    progress : callable, optional
        Called with (what, done, in all).

    Returns
    -------
    Split

    Raises
    ------
    UsageError
        For whatever the user can mend: sources, names, numbers, a folder in the way.

    Examples
    --------
    >>> import tempfile, harness
    >>> folder = tempfile.mkdtemp()
    >>> split = harness.write_split("demo/my-suite", f"{folder}/split", k=2, folds=2)
    >>> sorted(path.name for path in (split.path / "0-0").iterdir())
    ['models.parquet', 'scenarios.parquet', 'shown-2.parquet', 'targets.parquet', \
'train_responses.parquet', 'train_runs.parquet']
    """
    design = Design.of(task, k, folds, seeds, leaks)
    if suite is None:
        suite = read(
            sources,
            select=select,
            identity=identity,
            table=table,
            metrics=metrics,
            error_policy=error_policy,
        )
    if suite.origin is None:
        raise UsageError(
            "name the sources of a split by their paths, from which they are read again when "
            "predictions are scored: these are objects in memory."
        )
    suite = selected(suite, design.task)
    require_runs(suite, "split")
    report = progress or (lambda what, done, total: None)
    with output_folder(out, overwrite, "split", _is_split) as output:
        work = output.folder / "work"
        work.mkdir()
        held = HeldOut(
            suite,
            work,
            frames=False,
            progress=lambda done, total: report("reading", done, total),
        )
        ks, made = design.apply(held)
        for done, fold in enumerate(made, start=1):
            view = held.write_fold(fold, design.task)
            _write_fold(output.folder / f"{fold.seed}-{fold.fold}", view, ks)
            shutil.rmtree(view.path)
            report("writing folds", done, len(made))
        manifest = {
            "holds": "split",
            "format": FORMAT,
            "benchcast": version("benchcast"),
            "command": None if command is None else list(command),
            **made_of(suite, design),
            "k": ks,
            "units": [[fold.seed, fold.fold] for fold in made],
            "notes": list(suite.notes),
            "sha256": held.hashes(made),
            "libraries": {name: version(name) for name in ("numpy", "pandas", "pyarrow")},
        }
        text = json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"
        (output.folder / "manifest.json").write_text(
            text, encoding="utf-8", errors="backslashreplace"
        )
        _write_readme(output.folder / "README.md", design.task, ks)
        shutil.rmtree(work)
        output.put()
    return Split(output.final, manifest)


def _write_fold(folder: Path, view: FoldView, ks: Sequence[int]) -> None:
    """Write what may be seen of a fold: what a worker is given, and nothing else."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder.mkdir()
    given = FoldFolder(view.path)
    targets = given.all_targets()
    described = pa.Table.from_pandas(
        targets.drop(columns="instances", errors="ignore"), preserve_index=False
    )
    if "instances" in targets.columns:
        instances = pa.array([list(ids) for ids in targets["instances"]], pa.list_(pa.string()))
        described = described.append_column("instances", instances)
    _put(folder / "targets.parquet", described)
    for name, frame in (
        ("train_runs", given.train_split().runs),
        ("models", given.models()),
        ("scenarios", given.scenarios()),
    ):
        _put(folder / f"{name}.parquet", pa.Table.from_pandas(frame, preserve_index=False))
    with pq.ParquetWriter(
        folder / "train_responses.parquet", arrow_schema(), compression="zstd"
    ) as writer:
        for table in _in_blocks(given.train_responses()):
            writer.write_table(table)
    for k in ks:
        shown, revealed = view.shown(k), view.revealed(k)
        text = pa.dictionary(pa.int32(), pa.string())
        none = arrow_schema().append(pa.field(view.key, text)).empty_table()
        _put(folder / f"shown-{k}.parquet", none if shown is None else from_bytes(shown))
        if revealed is not None:
            _put(folder / f"revealed-{k}.parquet", from_bytes(revealed))


def _in_blocks(paths: Sequence[Path]) -> Iterator[pa.Table]:
    """Read tables of responses, and join small ones."""
    import pyarrow as pa

    kept: list[pa.Table] = []
    for path in paths:
        kept.append(read_table(path))
        if sum(table.num_rows for table in kept) >= _ROWS:
            yield pa.concat_tables(kept).unify_dictionaries()
            kept = []
    if kept:
        yield pa.concat_tables(kept).unify_dictionaries()


def _put(path: Path, table: pa.Table) -> None:
    import pyarrow.parquet as pq

    pq.write_table(table.replace_schema_metadata(None), path, compression="zstd")


def _write_readme(path: Path, task: Task, ks: Sequence[int]) -> None:
    template = Template((files("harness") / "split_readme.md").read_text(encoding="utf-8"))
    path.write_text(
        template.substitute(
            task=task.name,
            summary=task.summary.rstrip(".") or "see manifest.json",
            ks=", ".join(map(str, ks)),
            **_WORDS[task.predicts],
            k_tuple=f"({', '.join(map(str, ks))},)",
        ),
        encoding="utf-8",
    )


_WORDS = {
    "run": {
        "asked": "runs to predict: `target` is the name to answer with; `instances` are its "
        "questions",
        "of": "the run's `value`, the mean over its `n` instances",
        "shown": "the K responses that may be seen of each target",
    },
    "instance": {
        "asked": "responses to predict: `target` is the name to answer with, `cell` its run, "
        "`instance` its question",
        "of": "one response's value: for values 0 and 1, the probability of 1",
        "shown": "the responses to K instances that may be seen of each `cell`",
    },
}
"""What the README says of the tasks that ask for each."""


def _is_split(folder: Path) -> bool:
    try:
        Split.load(folder)
    except UsageError:
        return False
    return True
