"""HELM's folders as objects: outputs, suites (and releases), runs.

Every class takes, by ``coerce``, whatever a user is likely to have in hand. All listings are
sorted, so that results don't depend on the order in which a disk gives its entries.
"""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar, overload

from suites.demo_data import unpack
from suites.errors import UsageError, unknown_name
from suites.helm.folders import (
    NOT_RUNS,
    RUN_FILES,
    NotFound,
    PathLike,
    absolute,
    expand,
    folders_in,
    is_path,
    is_release,
    is_run,
    is_run_like,
    is_suite,
    outputs_root,
    unique_paths,
    without_links,
)
from suites.helm.frames import DotDictDataFrame, frame_of_runs
from suites.helm.structs import HelmFileError, load_json
from suites.helm.views import DataclassView, DataFrameView, JsonView, MsgspecView

T = TypeVar("T")


class _Folder:
    """One folder: equal to another of its class at the same place."""

    path: Path

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and absolute(self.path) == absolute(other.path)

    def __hash__(self) -> int:
        return hash((type(self), absolute(self.path)))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.path)!r})"

    def __fspath__(self) -> str:
        return str(self.path)


class HelmOutputs(_Folder):
    """A HELM output folder, as a rule named ``benchmark_output``: suites below ``runs``, releases.

    Parameters
    ----------
    root_dir : str or path
        The folder.

    Attributes
    ----------
    root_dir, path : Path
        The folder.

    Examples
    --------
    >>> outputs = HelmOutputs.demo()
    >>> outputs.list_suites()
    ['my-suite', 'standin-v1', 'standin-v2']
    >>> len(outputs.suites()[0].runs())
    4
    """

    def __init__(self, root_dir: PathLike):
        self.root_dir = Path(root_dir)
        self.path = self.root_dir

    @classmethod
    def coerce(cls, source: PathLike | HelmOutputs) -> HelmOutputs:
        """Take an outputs folder, its parent, or its ``runs`` folder.

        Raises
        ------
        FileNotFoundError
            If there is nothing, or nothing that looks like outputs of HELM.
        TypeError
            If it is no path.
        """
        if isinstance(source, HelmOutputs):
            return source
        if not is_path(source):
            raise TypeError(f"cannot make HelmOutputs of a {type(source).__name__}")
        paths = expand(source)
        roots = [root for path in paths if (root := outputs_root(path)) is not None]
        if len(roots) != 1:
            found = f"; {len(roots)} were found" if roots else ""
            raise NotFound(
                "Unable to find a directory that looks like HELM outputs (one with a folder "
                f"'runs' in it) at {os.fspath(source)!r}{found}."
            )
        return cls(roots[0])

    @classmethod
    def demo(cls, method: str = "unpack") -> HelmOutputs:
        """Give the demo data that come with the package: made-up models, really run by HELM.

        They are unpacked once (147 MB) into the user's cache folder, or into ``BENCHCAST_CACHE``.

        Parameters
        ----------
        method : str
            ``unpack``; MAGNET's ``compute``, ``download`` and ``fixture`` give the same.

        Examples
        --------
        >>> HelmOutputs.demo().suites()[0].name
        'my-suite'
        """
        methods = ("unpack", "compute", "download", "fixture")
        if method not in methods:
            raise unknown_name("demo method", method, methods)
        return cls(unpack("helm-standin") / "benchmark_output")

    def suites(self, pattern: str = "*") -> list[HelmSuite]:
        """List the suites whose name matches a glob, sorted; links to another suite are left out.

        Where runs lie directly in ``runs``, that folder is itself a suite.
        """
        runs = self.root_dir / "runs"
        folders = folders_in(runs)
        here = [runs] if any(map(is_run_like, folders)) else []
        if here:
            folders = [p for p in folders if any(map(is_run_like, folders_in(p)))]
        chosen = _matching([*here, *without_links(folders)], pattern)
        return [HelmSuite(p) for p in chosen]

    def releases(self, pattern: str = "*") -> list[HelmSuite]:
        """List the releases whose name matches a glob, sorted, each as a suite of its runs.

        Examples
        --------
        >>> [(r.name, len(r.runs())) for r in HelmOutputs.demo().releases()]
        [('standin-r1', 72)]
        """
        folders = [p for p in folders_in(self.root_dir / "releases") if is_release(p)]
        return [HelmSuite(p) for p in _matching(without_links(folders), pattern)]

    def list_suites(self) -> list[str]:
        """List the names of the suites."""
        return [suite.name for suite in self.suites()]

    def list_run_specs(self, suite: str = "*") -> list[str]:
        """List the names of the runs of the suites that match a glob, each once, sorted."""
        return sorted({run.name for s in self.suites(suite) for run in s.runs()})

    def summarize(self) -> dict[str, Any]:
        """Count suites and runs.

        Returns
        -------
        dict
            ``num_suites``, ``num_run_specs`` (different names) and ``stats``, the description
            (count, mean, quartiles) of the number of runs of a suite.
        """
        import pandas as pd

        sizes = pd.DataFrame({"num_runs": [len(suite.runs()) for suite in self.suites()]})
        return {
            "num_suites": len(sizes),
            "num_run_specs": len(self.list_run_specs()),
            "stats": sizes.describe() if len(sizes) else sizes,
        }


def _matching(folders: Iterable[Path], pattern: str) -> list[Path]:
    """Choose folders by a name as it stands, else by a glob."""
    there = list(folders)
    literal = [p for p in there if p.name == pattern]
    return literal or [p for p in there if fnmatch.fnmatchcase(p.name, pattern)]


class HelmSuite(_Folder):
    """A suite: a folder of runs; or a release, which names the runs of several suites.

    Parameters
    ----------
    path : str or path
        The folder.
    """

    def __init__(self, path: PathLike):
        self.path = Path(path)

    @classmethod
    def coerce(cls, source: PathLike | HelmSuite) -> HelmSuite:
        """Take the path of one suite or release.

        Raises
        ------
        FileNotFoundError
            If there is nothing.
        ValueError
            If it is not one suite.
        TypeError
            If it is no path.
        """
        if isinstance(source, HelmSuite):
            return source
        if not is_path(source):
            raise TypeError(f"cannot make a HelmSuite of a {type(source).__name__}")
        paths = HelmSuites.coerce(source).paths
        if len(paths) != 1:
            names = ", ".join(p.name for p in paths[:5])
            raise UsageError(f"{os.fspath(source)!r} names {len(paths)} suites ({names}), not one.")
        return cls(paths[0])

    @classmethod
    def demo(cls) -> HelmSuite:
        """Give ``my-suite`` of the demo data."""
        return HelmOutputs.demo().suites()[0]

    @property
    def name(self) -> str:
        """The folder's name."""
        return absolute(self.path).name

    @property
    def is_release(self) -> bool:
        """Whether this is a release, whose runs lie in suites."""
        return is_release(self.path)

    def runs(self, pattern: str = "*") -> HelmRuns:
        """List the runs whose folder's name matches a glob, sorted.

        What is a run is HELM's rule (`is_run`). A release gives those of its runs that are there.
        """
        if self.is_release:
            folders = [folder for _, folder in sorted(self.release_runs().items()) if folder]
        else:
            folders = without_links([p for p in folders_in(self.path) if is_run(p)])
        return HelmRuns(_matching(folders, pattern))

    def release_runs(self) -> dict[str, Path | None]:
        """Say where the runs of a release lie.

        Returns
        -------
        dict of str to (Path or None)
            Run name → its folder; None where it is not there.

        Raises
        ------
        HelmFileError
            If runs_to_run_suites.json is missing or broken.
        """
        where = load_json(self.path / "runs_to_run_suites.json", dict)
        root = absolute(self.path).parent.parent / "runs"
        by_spec: dict[str, dict[str, Path]] = {}
        found: dict[str, Path | None] = {}
        for name, suite in where.items():
            folder = root / str(suite) / name
            if is_run(folder):
                found[name] = folder
                continue
            if suite not in by_spec:  # a renamed folder keeps its name in run_spec.json
                renamed = (p for p in folders_in(root / str(suite)) if is_run(p))
                by_spec[suite] = {HelmRun(p).name: p for p in renamed}
            found[name] = by_spec[suite].get(name)
        return found


class _Several(Sequence[T]):
    """An ordered list of folders, as objects; slices are of the same class."""

    paths: list[Path]
    _one: Callable[[Path], T]

    def __init__(self, paths: Iterable[PathLike]):
        self.paths = [Path(p) for p in paths]

    def __len__(self) -> int:
        return len(self.paths)

    @overload
    def __getitem__(self, index: int) -> T: ...

    @overload
    def __getitem__(self, index: slice) -> _Several[T]: ...

    def __getitem__(self, index: int | slice) -> T | _Several[T]:
        if isinstance(index, slice):
            return type(self)(self.paths[index])
        return type(self)._one(self.paths[index])

    def __iter__(self) -> Iterator[T]:
        return (type(self)._one(path) for path in self.paths)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and list(self) == list(other)

    def __hash__(self) -> int:
        return hash((type(self), tuple(self.paths)))

    def __repr__(self) -> str:
        return f"{type(self).__name__}(n={len(self)})"


class HelmSuites(_Several[HelmSuite]):
    """Several suites, in order.

    Parameters
    ----------
    paths : iterable of str or path
        Their folders.

    Examples
    --------
    >>> suites = HelmSuites.coerce(HelmOutputs.demo())
    >>> [suite.name for suite in suites], len(suites.runs())
    (['my-suite', 'standin-v1', 'standin-v2'], 78)
    """

    _one = HelmSuite

    @classmethod
    def coerce(cls, source: Any) -> HelmSuites:
        """Take outputs, suites, or paths and globs of them, or a list of any of these.

        Raises
        ------
        FileNotFoundError
            If there is nothing at a path, or a glob has no match.
        ValueError
            If what is there is no suite.
        TypeError
            If it is none of these.
        """
        return source if isinstance(source, HelmSuites) else cls(unique_paths(_suite_paths(source)))

    @classmethod
    def demo(cls) -> HelmSuites:
        """Give ``my-suite`` of the demo data, alone."""
        return cls([HelmSuite.demo().path])

    def existing(self) -> HelmSuites:
        """Keep those whose folder is there."""
        return HelmSuites(path for path in self.paths if path.is_dir())

    def runs(self, pattern: str = "*") -> HelmRuns:
        """List the runs of all of them, each place once."""
        return HelmRuns(unique_paths(path for suite in self for path in suite.runs(pattern).paths))


def _suite_paths(source: Any) -> Iterator[Path]:
    if isinstance(source, HelmSuites):
        yield from source.paths
    elif isinstance(source, HelmSuite):
        yield source.path
    elif isinstance(source, HelmOutputs):
        yield from (suite.path for suite in source.suites())
    elif is_path(source) and not isinstance(source, HelmRun):
        paths = expand(source)
        found = [suites_at(path) for path in paths]
        if not any(found):
            what = "a suite path: it has no folders with run_spec.json and stats.json"
            raise UsageError(f"Did not recognize {os.fspath(source)!r} as {what}.")
        yield from (suite for suites in found for suite in suites)
    elif isinstance(source, Iterable) and not isinstance(source, HelmRuns | HelmRun):
        for entry in source:
            yield from _suite_paths(entry)
    else:
        raise TypeError(f"cannot make HelmSuites of a {type(source).__name__}")


def suites_at(path: Path) -> list[Path]:
    """List the suites (or releases) that a folder is or holds; none if it is something else."""
    if is_suite(path) and absolute(path).name != "runs":
        return [path]
    root = outputs_root(path)
    if root is not None:
        return [suite.path for suite in HelmOutputs(root).suites()]
    if is_suite(path):
        return [path]
    if absolute(path).name == "releases" and path.is_dir():
        return without_links([p for p in folders_in(path) if is_release(p)])
    return []


class HelmRuns(_Several["HelmRun"]):
    """Several runs, in order; their frames are one below the other.

    Parameters
    ----------
    paths : iterable of str or path
        Their folders.

    Examples
    --------
    >>> runs = HelmRuns.coerce(HelmOutputs.demo().suites()[0])
    >>> runs.run_spec().shape, runs.scenario_state().shape
    ((4, 39), (28, 58))
    >>> runs.stats().shape, runs.per_instance_stats().shape
    ((648, 15), (756, 13))
    """

    _one: Callable[[Path], HelmRun]

    @classmethod
    def coerce(cls, source: Any) -> HelmRuns:
        """Take runs, suites, outputs, paths and globs of any of them, or a list of any of these.

        Globs are sorted; a list keeps its order. A run that is named twice is taken once.

        Raises
        ------
        FileNotFoundError
            If there is nothing at a path, or a glob has no match.
        ValueError
            If what is there is no run, and has none in it.
        TypeError
            If it is none of these.

        Examples
        --------
        >>> suite = HelmOutputs.demo().suites()[0]
        >>> len(HelmRuns.coerce(suite.path)), len(HelmRuns.coerce(f"{suite.path}/*anatomy*"))
        (4, 2)
        """
        return source if isinstance(source, HelmRuns) else cls(unique_paths(_run_paths(source)))

    @classmethod
    def demo(cls) -> HelmRuns:
        """Give the four runs of ``my-suite`` of the demo data."""
        return HelmSuite.demo().runs()

    def existing(self) -> HelmRuns:
        """Keep the completed ones: those with all five files of helm-run."""
        return HelmRuns(p for p in self.paths if all((p / file).is_file() for file in RUN_FILES))

    def run_spec(self) -> DotDictDataFrame:
        """Give the frame of run_spec.json: one row per run."""
        return frame_of_runs("run_spec", _named(self, "run_spec"))

    def scenario_state(self) -> DotDictDataFrame:
        """Give the frame of scenario_state.json: one row per request."""
        return frame_of_runs("scenario_state", _named(self, "scenario_state"))

    def stats(self) -> DotDictDataFrame:
        """Give the frame of stats.json: one row per published figure."""
        return frame_of_runs("stats", _named(self, "stats"))

    def per_instance_stats(self) -> DotDictDataFrame:
        """Give the frame of per_instance_stats.json: one row per instance, trial and metric."""
        return frame_of_runs("per_instance_stats", _named(self, "per_instance_stats"))


def _named(runs: Iterable[HelmRun], table: str) -> Iterator[tuple[str, Any]]:
    for run in runs:
        yield run.json._name(), getattr(run.json, table)()


def _run_paths(source: Any) -> Iterator[Path]:
    if isinstance(source, HelmRuns):
        yield from source.paths
    elif isinstance(source, HelmRun):
        yield source.path
    elif isinstance(source, HelmSuite):
        yield from source.runs().paths
    elif isinstance(source, HelmSuites | HelmOutputs):
        yield from HelmSuites.coerce(source).runs().paths
    elif is_path(source):
        paths = expand(source)
        found = [_runs_at(path) for path in paths]
        if all(runs is None for runs in found):
            what = "a run path: there is no run_spec.json in it, nor in folders below"
            raise UsageError(f"Did not recognize {os.fspath(source)!r} as {what}.")
        yield from (run for runs in found if runs is not None for run in runs)
    elif isinstance(source, Iterable):
        for entry in source:
            yield from _run_paths(entry)
    else:
        raise TypeError(f"cannot make HelmRuns of a {type(source).__name__}")


def _runs_at(path: Path) -> list[Path] | None:
    if path.name == "run_spec.json" and path.is_file():
        return [path.parent]
    if not path.is_dir() or path.name in NOT_RUNS:
        return None
    if (path / "run_spec.json").is_file():
        return [path]
    suites = suites_at(path)
    if not suites:
        return None
    return [run for suite in suites for run in HelmSuite(suite).runs().paths]


class HelmRun(_Folder):
    """One run: a folder with five JSON files, and four ways to read them.

    Parameters
    ----------
    path : str or path
        The folder.

    Examples
    --------
    >>> run = HelmOutputs.demo().suites()[0].runs()[0]
    >>> run.json.run_spec()["adapter_spec"]["model"]
    'fir/fir-1b'
    >>> run.msgspec.stats()[0].name.name
    'num_references'
    >>> run.stats().shape
    (162, 15)
    """

    def __init__(self, path: PathLike):
        self.path = Path(path)

    @classmethod
    def coerce(cls, source: PathLike | HelmRun) -> HelmRun:
        """Take the path of one run.

        Raises
        ------
        FileNotFoundError
            If there is nothing.
        ValueError
            If it is not one run.
        TypeError
            If it is no path.
        """
        if isinstance(source, HelmRun):
            return source
        if not is_path(source):
            raise TypeError(f"cannot make a HelmRun of a {type(source).__name__}")
        runs = HelmRuns.coerce(source)
        if len(runs) != 1:
            raise UsageError(f"{os.fspath(source)!r} names {len(runs)} runs, not one.")
        return runs[0]

    @classmethod
    def demo(cls) -> HelmRun:
        """Give the first run of ``my-suite`` of the demo data."""
        return HelmRuns.demo()[0]

    @property
    def name(self) -> str:
        """The name in run_spec.json; the folder's name where that can't be read."""
        try:
            return self.json._name()
        except HelmFileError:
            return absolute(self.path).name

    def exists(self) -> bool:
        """Say whether run_spec, scenario_state and stats are there."""
        needed = ("run_spec.json", "scenario_state.json", "stats.json")
        return all((self.path / file).is_file() for file in needed)

    @cached_property
    def json(self) -> JsonView:
        """The files as dicts and lists."""
        return JsonView(self.path)

    @cached_property
    def dataframe(self) -> DataFrameView:
        """The files as frames."""
        return DataFrameView(self.path)

    @cached_property
    def msgspec(self) -> MsgspecView:
        """The files as typed structs (`suites.helm.structs`)."""
        return MsgspecView(self.path)

    @cached_property
    def dataclass(self) -> DataclassView:
        """The files as HELM's own dataclasses; needs ``benchcast[helm]``."""
        return DataclassView(self.path)

    def run_spec(self) -> DotDictDataFrame:
        """Give the frame of run_spec.json: one row."""
        return self.dataframe.run_spec()

    def scenario_state(self) -> DotDictDataFrame:
        """Give the frame of scenario_state.json: one row per request."""
        return self.dataframe.scenario_state()

    def stats(self) -> DotDictDataFrame:
        """Give the frame of stats.json: one row per published figure."""
        return self.dataframe.stats()

    def per_instance_stats(self) -> DotDictDataFrame:
        """Give the frame of per_instance_stats.json: one row per instance, trial and metric."""
        return self.dataframe.per_instance_stats()


HelmRuns._one = HelmRun
