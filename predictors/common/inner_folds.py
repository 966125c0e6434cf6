"""Train runs held out from the other train runs, as the targets are held out from all of them.

What a predictor of predictors learns from: how well each does where the answer is known, on a
question of the same kind. An inner split is an ordinary pair of splits, made of train runs alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from harness.data_splits import SequesteredTestSplit, TrainSplit
from harness.information import TARGET_COLUMNS
from harness.leaks import find_relations
from harness.split import shown_order
from predictors.common.grid import Cells, read_runs
from predictors.common.item_tables import read_groups, read_makers
from suites.schema import CELL

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["InnerSplit", "Question", "Train"]

Rows: TypeAlias = Literal["known", "model", "organisation"]
Columns: TypeAlias = Literal["known", "scenario", "scenario_group"]

_FOLDS = 10  # into which units are dealt, as those of the tasks are
_NAMED = ("metric", "part", "perturbation")  # what tells the values of one run apart


@dataclass(frozen=True, order=True)
class Question:
    """What kind of run is asked for: how much of it is known from other runs.

    Attributes
    ----------
    rows : str
        ``known``: its model has train runs; ``model``: only others of its organisation have;
        ``organisation``: no model of its organisation has.
    columns : str
        ``known``: its scenario has train runs; ``scenario``: only others of its group have;
        ``scenario_group``: none of its group has.
    """

    rows: Rows = "known"
    columns: Columns = "known"


@dataclass(eq=False)
class InnerSplit:
    """Some train runs as targets, and the rest as train runs.

    Attributes
    ----------
    train : TrainSplit
        The train runs that have nothing to do with the targets.
    targets : DataFrame
        One row per hidden cell, described as targets are; no value.
    cells : Cells
        The targets, in the same order, with their known values `y`.
    block : list of str
        What each target was dealt out by: organisation (or model), else scenario (or group);
        its organisation where model and scenario are known.
    scored : ndarray of bool
        The targets that count; the others are hidden, and asked for, with them.
    """

    train: TrainSplit
    targets: pd.DataFrame
    cells: Cells
    block: list[str]
    scored: NDArray[np.bool_]
    _outer: TrainSplit = field(repr=False)
    _seed: int = 0

    def asked(self, k: int) -> NDArray[np.bool_]:
        """Say which targets are asked for with k shown: all with 0, else those of more than k."""
        if k == 0:
            return np.ones(len(self.cells), bool)
        count = self._shown[1]
        return np.array([count.get(target, 0) > k for target in self.cells.id], bool)

    def test(self, k: int) -> SequesteredTestSplit:
        """Give the hidden cells as a predictor may see them, with k shown responses of each."""
        import pandas as pd

        kept = self.targets[self.asked(k)].reset_index(drop=True)
        shown = None
        if self._outer.responses is not None:
            table, _ = self._shown
            wanted = (table["_rank"] < k) & table["target"].isin(kept["target"])
            shown = table[wanted].drop(columns="_rank").reset_index(drop=True)
        described = [c for c in TARGET_COLUMNS if c in kept.columns]
        runs = kept[described].drop_duplicates(ignore_index=True)
        copies: dict[str, Any] = {
            name: (lambda name=name: _copied(getattr(self._outer, name)))
            for name in ("models", "scenarios")
        }
        assert isinstance(kept, pd.DataFrame)
        return SequesteredTestSplit(targets=kept, k=k, runs=runs, responses=shown, **copies)

    @cached_property
    def _shown(self) -> tuple[pd.DataFrame, dict[str, int]]:
        """All responses of the targets with the place of each in the order of showing."""
        import pandas as pd

        frame = self._outer.responses
        if frame is None or not len(frame) or "instance" not in frame.columns:
            empty = pd.DataFrame({"target": [], "instance": [], "value": [], "_rank": []})
            return empty, {}
        frame = frame[frame["run"].isin(set(self.targets["run"]))]
        described = _worded(self.targets, ["target", "run", *CELL]).to_dict("records")
        of = {(row["run"], *(row[name] for name in _NAMED)): row for row in described}
        groups, first = _grouped(frame, ["run", *_NAMED])
        keys = _worded(frame.iloc[first], ["run", *_NAMED])
        rank, target = np.full(len(frame), -1), np.full(len(frame), "", object)
        count: dict[str, int] = {}
        for rows, key in zip(groups, keys.itertuples(index=False, name=None), strict=True):
            cell = of.get(key)
            if cell is None:  # another metric, part or perturbation
                continue
            names = pd.Index(frame["instance"].iloc[rows].astype(str), dtype=object)
            order = shown_order(names, seed=self._seed, cell=[cell[c] for c in CELL])
            rank[rows] = pd.Index(order, dtype=object).get_indexer(names)
            target[rows] = cell["target"]
            count[cell["target"]] = len(order)
        frame = frame.assign(target=target, _rank=rank)
        return frame[rank >= 0], count


class Train:
    """A train split as what inner splits are cut from, and what targets are compared with.

    Parameters
    ----------
    split : TrainSplit
        Its ``runs`` are read at once, its ``responses`` when a k above 0 is asked for.

    Examples
    --------
    >>> import pandas as pd
    >>> cells = [(m, s) for m in ("a/1", "a/2", "b/1") for s in "tuvw"]
    >>> runs = pd.DataFrame(cells, columns=["model", "scenario"])
    >>> runs["organisation"] = runs["model"].str[0]
    >>> runs["run"] = runs["model"] + runs["scenario"]
    >>> train = Train(TrainSplit(runs=runs.assign(value=0.5, lower=0.0, upper=1.0)))
    >>> train.questions(pd.DataFrame({"model": ["a/1", "a/3", "c/1"], "scenario": "t"}))[0]
    Question(rows='known', columns='known')
    >>> one, two = train.inner(Question("organisation"), splits=2, cells=100)
    >>> sorted(one.targets["model"].unique()), sorted(one.train.runs["model"].unique())
    (['a/1', 'a/2'], ['b/1'])
    """

    def __init__(self, split: TrainSplit) -> None:
        self.split = split
        self.cells = read_runs(split)
        frame = split.runs
        self._makers, self._groups = read_makers(frame), read_groups(frame)
        self._models, self._scenarios = set(self.cells.model), {c[0] for c in self.cells.column}

    def questions(self, targets: pd.DataFrame) -> list[Question]:
        """Say of each target what is known of it."""
        makers = {self._makers.get(m, m) for m in self._models}
        groups = {self._groups.get(s, s) for s in self._scenarios}
        of_model, of_scenario = read_makers(targets), read_groups(targets)
        named = _worded(targets, ["model", "scenario"])
        out = []
        for model, scenario in zip(named["model"], named["scenario"], strict=True):
            rows: Rows = "known"
            if model not in self._models:
                rows = "model" if of_model.get(model, model) in makers else "organisation"
            columns: Columns = "known"
            if scenario not in self._scenarios:
                known = of_scenario.get(scenario, scenario) in groups
                columns = "scenario" if known else "scenario_group"
            out.append(Question(rows, columns))
        return out

    def inner(
        self, question: Question, *, splits: int, cells: int, seed: int = 0
    ) -> list[InnerSplit]:
        """Hold out train runs as a question's targets are held out.

        Units are dealt into ten folds (fewer, if there are fewer units), of which the first
        `splits` are hidden, one in each inner split. Where model and scenario are known, a unit is
        a model on a scenario: all its runs, whatever metric, condition, part or perturbation,
        reruns among them, are hidden together; every organisation's units are spread evenly over
        the folds. Else a unit is a whole organisation (or model), or a whole scenario (or group),
        and all its runs are. Where both are unknown, runs that share one of them with a hidden run
        are no train runs. Models and scenarios with the same values under two names are one
        (`harness.leaks.find_relations`).

        Parameters
        ----------
        question : Question
            The kind.
        splits : int
            Inner splits, at most; a predictor is fitted once for each.
        cells : int
            Cells that count, at most, over all inner splits; chosen at random.
        seed : int
            Of the dealing, over sorted names.

        Returns
        -------
        list of InnerSplit
            Without those that would leave no train run, or hide no bounded metric; empty where
            there are fewer than two units.
        """
        if not self.cells.bounded.any():
            return []
        rows, columns, maker = self._units(question)
        hidden_by = _dealt(question, rows, columns, maker, self.cells.bounded, seed)
        most = -(-cells // max(1, min(splits, len(hidden_by))))
        out = []
        for number, (hidden, dropped) in enumerate(hidden_by[:splits]):
            if dropped.all():
                continue
            block = maker
            if question != Question():
                block = columns if question.rows == "known" else rows
            rng = np.random.default_rng([seed, 1, number])
            if part := self._split(question, hidden, dropped, block, most, rng, seed):
                out.append(part)
        return out

    def _units(self, question: Question) -> tuple[list[str], list[str], list[str]]:
        """Give model or organisation, scenario or group, and organisation of each train run."""
        named = _named(self.split.runs)
        found = find_relations(named, {})
        model = [found.models.get(m, m) for m in self.cells.model]
        scenario = [found.scenarios.get(c[0], c[0]) for c in self.cells.column]
        maker = [self._makers.get(m, m) for m in model]
        rows, columns = model, scenario
        if question.rows == "organisation" and len(set(maker)) > 1:
            rows = maker
        group = [self._groups.get(s, s) for s in scenario]
        if question.columns == "scenario_group" and len(set(group)) > 1:
            columns = group
        return rows, columns, maker

    def _split(
        self,
        question: Question,
        hidden: NDArray[np.bool_],
        dropped: NDArray[np.bool_],
        block: Sequence[str],
        most: int,
        rng: np.random.Generator,
        seed: int,
    ) -> InnerSplit | None:
        place: dict[tuple[Any, ...], int] = {}  # of a cell's reruns, one is asked for
        for r in np.flatnonzero(hidden & self.cells.bounded).tolist():
            place.setdefault((self.cells.model[r], self.cells.column[r]), r)
        names = sorted(place)
        if not names:
            return None
        chosen = np.zeros(len(names), bool)
        chosen[rng.permutation(len(names))[:most]] = True
        if question == Question():  # the others of a model tell no more than its train runs do
            names = [name for name, keep in zip(names, chosen, strict=True) if keep]
            chosen = np.ones(len(names), bool)
        entries = [place[name] for name in names]
        ids = ["\x1f".join((m, *map(str, column[:5]))) for m, column in names]
        frame = self._described(entries, ids)
        cells = self.cells.take(entries)
        cells.id[:] = ids
        away = {self.cells.id[r] for r in np.flatnonzero(dropped)}
        train = _without(self.split, away)
        return InnerSplit(
            train, frame, cells, [block[r] for r in entries], chosen, self.split, seed
        )

    def _described(self, entries: Sequence[int], ids: Sequence[str]) -> pd.DataFrame:
        """Describe train runs as targets: the whitelisted columns, and what identifies them."""
        frame = self.split.runs
        key = _worded(frame, ["run", "scenario", "condition", *_NAMED])
        at = {
            words: place for place, words in enumerate(key.itertuples(index=False, name=None))
        }  # the last of equal ones: they are described alike
        rows = [at[(self.cells.id[r], *self.cells.column[r][:5])] for r in entries]
        described = [c for c in TARGET_COLUMNS if c in frame.columns]
        out = frame[described].iloc[rows].reset_index(drop=True)
        out.insert(0, "target", list(ids))
        return out


def _dealt(
    question: Question,
    rows: Sequence[str],
    columns: Sequence[str],
    maker: Sequence[str],
    bounded: NDArray[np.bool_],
    seed: int,
) -> list[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
    """Give the runs that each fold hides, and those that are then no train runs."""
    if question == Question():
        pairs = [*zip(rows, columns, strict=True)]
        # in turn over one organisation's after the other's, so that each is in all folds
        of = dict(zip(pairs, maker, strict=True))
        fold = _folds([u for u, b in zip(pairs, bounded, strict=True) if b], seed, of)
        number = np.array([fold.get(pair, -1) for pair in pairs])
        return [(number == f, number == f) for f in sorted(set(fold.values()))]
    sides = []
    for known, units in ((question.rows, rows), (question.columns, columns)):
        if known != "known":
            fold = _folds([u for u, b in zip(units, bounded, strict=True) if b], seed)
            sides.append(np.array([fold.get(unit, -1) for unit in units]))
    folds = range(min(int(side.max()) + 1 for side in sides))
    hidden = [np.logical_and.reduce([side == f for side in sides]) for f in folds]
    dropped = [np.logical_or.reduce([side == f for side in sides]) for f in folds]
    return list(zip(hidden, dropped, strict=True))


def _folds(units: Sequence[Any], seed: int, within: Mapping[Any, str] | None = None) -> Any:
    """Deal units into folds: unit → fold; none where there are fewer than two units."""
    names = sorted(set(units))
    count = min(_FOLDS, len(names))
    if count < 2:
        return {}
    order = [names[i] for i in np.random.default_rng(seed).permutation(len(names))]
    if within is not None:
        order.sort(key=within.__getitem__)
    return {unit: place % count for place, unit in enumerate(order)}


def _without(split: TrainSplit, away: set[str]) -> TrainSplit:
    """Give a train split without some runs; tables are cut when they are touched."""

    def cut(name: str) -> Any:
        table = getattr(split, name)
        if table is None:
            return None
        return table[~table["run"].astype(object).isin(away).to_numpy(bool)].reset_index(drop=True)

    return TrainSplit(
        runs=cut("runs"),
        responses=lambda: cut("responses"),
        models=lambda: _copied(split.models),
        scenarios=lambda: _copied(split.scenarios),
    )


def _copied(table: Any) -> Any:
    return None if table is None else table.copy()


def _worded(frame: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Give columns as texts, "" where there is nothing."""
    import pandas as pd

    out = {}
    for name in names:
        if name not in frame.columns:
            out[name] = [""] * len(frame)
            continue
        values = frame[name].astype(object)
        out[name] = [
            str(v) if there else "" for v, there in zip(values, values.notna(), strict=True)
        ]
    return pd.DataFrame(out, dtype=object)


def _grouped(
    frame: pd.DataFrame, names: Sequence[str]
) -> tuple[list[NDArray[np.intp]], NDArray[np.intp]]:
    """Give the rows that agree in some columns, group by group, and the first row of each."""
    import pandas as pd

    code = np.zeros(len(frame), np.int64)
    if not len(frame):
        return [], np.empty(0, np.intp)
    for name in names:
        if name in frame.columns:
            codes, values = pd.factorize(frame[name])
            code = code * (len(values) + 1) + codes + 1
    _, first, of = np.unique(code, return_index=True, return_inverse=True)
    order = np.argsort(of, kind="stable")
    return np.split(order, np.cumsum(np.bincount(of))[:-1]), first


def _named(runs: pd.DataFrame) -> pd.DataFrame:
    """Give runs with every column that copies are told by."""
    names = [*CELL, "value", "lower", "upper"]
    out = runs.reindex(columns=names)
    for name in names[-3:]:
        out[name] = out[name].to_numpy(dtype=float, na_value=np.nan)
    out = out[np.isfinite(out["value"])]
    return out.assign(target=[str(i) for i in range(len(out))])
