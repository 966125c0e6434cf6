"""Copies: relations between runs through which a held-out value would be seen.

A task holds out together what agrees in some columns (`harness.task.Task.hold_out`). Reruns,
perturbed versions, other conditions, suites and deployments of a cell agree in model and scenario
already. What does not agree although it is the same, a model or a scenario under a second name, is
given one name here before units are formed (`Relations.canonical`).
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING, Any

from suites.schema import CELL

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

__all__ = ["Finding", "Print", "Relations", "find_relations", "fingerprint"]

MIN_ITEMS = 50
"""Equal responses must be at least so many in all, in cells whose responses are not all alike."""

MIN_VALUES = 8
"""Without responses: so many equal run values, none of them the least or the greatest possible."""

MIN_SHARE = 0.9
"""Share of the cells that both have, in which two models or scenarios must be equal."""

MIN_OVERLAP = 0.2
"""Share of the smaller scenario's texts, from which on two scenarios overlap."""

_MOST_EQUAL = 40  # of more than so many equal ones in one cell, each is compared with the first


@dataclass(frozen=True)
class Print:
    """What a run's responses look like, short.

    Attributes
    ----------
    digest : str
        Equal for equal responses to equal instances.
    weight : int
        Number of responses; 0 where they are all alike, and say nothing.
    """

    digest: str
    weight: int


@dataclass(frozen=True)
class Finding:
    """One relation that was found.

    Attributes
    ----------
    rule : str
        ``model-copy``, ``near-duplicate``, ``scenario-copy`` or ``shared-instances``.
    members : tuple of str
        Names of the models or scenarios, sorted.
    evidence : str
        In words.
    """

    rule: str
    members: tuple[str, ...]
    evidence: str


@dataclass(frozen=True)
class Relations:
    """Which names stand for one thing.

    Attributes
    ----------
    models, scenarios : mapping of str to str
        Name → the first name of its group; names of groups of one are left out.
    findings : tuple of Finding
    instances : str
        Whether texts were compared: ``checked``, ``not checked``, or in how many scenarios.
    """

    models: Mapping[str, str] = field(default_factory=dict)
    scenarios: Mapping[str, str] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    instances: str = "not checked"

    def canonical(self, runs: pd.DataFrame) -> pd.DataFrame:
        """Give runs with the group's name in place of each model's and scenario's own.

        What is derived of a name, organisation, family, scenario group, becomes that of the group's
        first member, so that copies share it too.

        Examples
        --------
        >>> import pandas as pd
        >>> runs = pd.DataFrame({"model": ["a", "b"], "organisation": ["x", "y"], "scenario": "s"})
        >>> Relations(models={"b": "a"}).canonical(runs)["organisation"].tolist()
        ['x', 'x']
        """
        out = runs.copy(deep=False)
        kept = {"model": ("organisation", "family"), "scenario": ("scenario_group",)}
        for column, of_group in (("model", self.models), ("scenario", self.scenarios)):
            if not of_group or column not in runs.columns:
                continue
            names = runs[column].astype(object)
            named = names.map(lambda name, of_group=of_group: of_group.get(name, name))
            for derived in kept[column]:
                if derived in runs.columns:
                    first = dict(zip(names[::-1], runs[derived].astype(object)[::-1], strict=True))
                    out[derived] = named.map(first)
            out[column] = named
        return out


def fingerprint(table: pa.Table) -> Print:
    """Take the fingerprint of a run's responses: values by instance and trial, in their order.

    Parameters
    ----------
    table : pyarrow.Table
        Responses of one run under one metric, part and perturbation.

    Examples
    --------
    >>> from suites.schema import responses_table
    >>> one = responses_table({"run": "r", "instance": ["a", "b"], "value": [0.0, 1.0]})
    >>> other = responses_table({"run": "s", "instance": ["b", "a"], "value": [1.0, 0.0]})
    >>> fingerprint(one) == fingerprint(other), fingerprint(one).weight
    (True, 2)
    """
    value = table.column("value").to_numpy(zero_copy_only=False)
    names = table.column("instance").to_pylist()
    trials = table.column("trial").to_pylist()
    order = sorted(range(len(names)), key=lambda i: (str(names[i]), trials[i] or 0))
    digest = hashlib.sha256()
    digest.update("\x1f".join(str(names[i]) for i in order).encode("utf-8", "surrogatepass"))
    digest.update(value[order].tobytes())
    known = value[value == value]
    alike = len(known) == 0 or bool((known == known[0]).all())
    return Print(digest.hexdigest(), 0 if alike else len(known))


def find_relations(
    runs: pd.DataFrame,
    prints: Mapping[str, Print],
    texts: Mapping[str, frozenset[str]] | None = None,
    near: Iterable[tuple[str, str, float]] = (),
) -> Relations:
    """Find models and scenarios that are the same under another name.

    Parameters
    ----------
    runs : DataFrame
        Columns of `suites.schema.RUNS`, and ``target``.
    prints : mapping of str to Print
        Fingerprint by target; a run without responses has none.
    texts : mapping of str to frozenset of str, optional
        Hashes of the instances' texts by scenario, where they could be had.
    near : iterable of (str, str, float)
        Pairs of models that are to count as one although they are no copies, and how alike they
        are (`harness.agreement.Agreement.near_duplicates`).

    Returns
    -------
    Relations

    Notes
    -----
    Two models are copies where at least `MIN_SHARE` of the cells that both have are equal response
    by response, at least `MIN_ITEMS` responses in all, or, without responses, at least `MIN_VALUES`
    run values. Two scenarios are copies where that holds over the models that have both; they
    overlap where they share `MIN_OVERLAP` of the texts of the smaller.
    """
    cells = _cells(runs, prints)
    findings: list[Finding] = []
    groups: dict[str, dict[str, str]] = {}
    for column, rule in (("model", "model-copy"), ("scenario", "scenario-copy")):
        equal = _equal_pairs(cells, column)
        union = _Union()
        for (one, other), (share, weight, unit) in sorted(equal.items()):
            union.join(one, other)
            findings.append(
                Finding(rule, (one, other), f"{share:.0%} of the cells equal, {weight} {unit}")
            )
        if column == "model":
            for one, other, alike in near:
                union.join(one, other)
                words = f"unexplained agreement {alike:.2f}"
                findings.append(Finding("near-duplicate", (one, other), words))
        else:
            for one, other, share in _overlaps(texts or {}):
                union.join(one, other)
                words = f"{share:.0%} of the texts of the smaller are shared"
                findings.append(Finding("shared-instances", (one, other), words))
        groups[column] = union.names()
    known = {str(s) for s in runs["scenario"].unique()}
    with_texts = len(known & set(texts or {}))
    checked = "checked" if with_texts == len(known) else f"checked in {with_texts} of {len(known)}"
    return Relations(
        groups["model"],
        groups["scenario"],
        tuple(findings),
        checked if with_texts else "not checked: the source has no texts",
    )


@dataclass(frozen=True)
class _Cell:
    """A run as what is compared: who and what, and what was observed."""

    model: str
    scenario: str
    rest: tuple[str, ...]
    observed: Hashable
    weight: int
    itemised: bool


def _cells(runs: pd.DataFrame, prints: Mapping[str, Print]) -> list[_Cell]:
    rest = [name for name in CELL if name not in ("model", "scenario")]
    out = []
    for row in runs.to_dict("records"):
        found = prints.get(row["target"])
        named = (str(row["model"]), str(row["scenario"]), tuple(str(row[c]) for c in rest))
        if found is not None:
            out.append(_Cell(*named, found.digest, found.weight, True))
        else:
            at_end = row["value"] in (row["lower"], row["upper"])
            out.append(_Cell(*named, float(row["value"]), int(not at_end), False))
    return out


def _equal_pairs(
    cells: Sequence[_Cell], column: str
) -> dict[tuple[str, str], tuple[float, int, str]]:
    """Give the pairs of models (or scenarios) that are equal, with how much speaks for it."""
    across = "scenario" if column == "model" else "model"
    by_place: dict[Hashable, dict[Hashable, list[_Cell]]] = defaultdict(lambda: defaultdict(list))
    places: dict[str, set[Hashable]] = defaultdict(set)
    for cell in cells:
        place = (getattr(cell, across), cell.rest)
        places[getattr(cell, column)].add(place)
        if cell.weight:
            by_place[place][cell.observed].append(cell)
    same: Counter[tuple[str, str]] = Counter()
    weight: Counter[tuple[str, str]] = Counter()
    itemised: set[tuple[str, str]] = set()
    for groups in by_place.values():
        for group in groups.values():
            weights = {getattr(cell, column): cell for cell in group}
            for pair in _pairs(sorted(weights)):
                same[pair] += 1
                weight[pair] += weights[pair[0]].weight
                if weights[pair[0]].itemised:
                    itemised.add(pair)
    telling = {  # of each place: who has responses that are not all alike
        place: {getattr(cell, column) for group in groups.values() for cell in group}
        for place, groups in by_place.items()
    }
    found = {}
    for (one, other), count in same.items():
        by_item = (one, other) in itemised
        if weight[one, other] < (MIN_ITEMS if by_item else MIN_VALUES):
            continue
        shared = [telling.get(place, ()) for place in places[one] & places[other]]
        informative = sum(one in names or other in names for names in shared)
        if count >= MIN_SHARE * informative:
            unit = "responses" if by_item else "values"
            found[one, other] = (count / informative, weight[one, other], unit)
    return found


def _pairs(names: Sequence[str]) -> Iterable[tuple[str, str]]:
    if len(names) <= _MOST_EQUAL:
        return combinations(names, 2)
    return [(names[0], name) for name in names[1:]]


def _overlaps(texts: Mapping[str, frozenset[str]]) -> list[tuple[str, str, float]]:
    """Give the pairs of scenarios that share texts, and the share of the smaller's."""
    holders: dict[str, list[str]] = defaultdict(list)
    for scenario in sorted(texts):
        for text in texts[scenario]:
            holders[text].append(scenario)
    shared: Counter[tuple[str, str]] = Counter()
    for names in holders.values():
        shared.update(combinations(names, 2))
    out = []
    for (one, other), count in sorted(shared.items()):
        share = count / min(len(texts[one]), len(texts[other]))
        if share >= MIN_OVERLAP:
            out.append((one, other, share))
    return out


class _Union:
    """Groups of names that were joined."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}

    def join(self, one: str, other: str) -> None:
        first, second = sorted((self._root(one), self._root(other)))
        self._parent[second] = first

    def names(self) -> dict[str, str]:
        """Give the first name of the group of each name that is in a group."""
        return {name: self._root(name) for name in sorted(self._parent)}

    def _root(self, name: str) -> str:
        self._parent.setdefault(name, name)
        while self._parent[name] != name:
            name = self._parent[name]
        return name


def facts(relations: Relations) -> dict[str, Any]:
    """Give relations as the manifest keeps them."""
    return {
        "instances": relations.instances,
        "findings": [
            {"rule": f.rule, "members": list(f.members), "evidence": f.evidence}
            for f in relations.findings
        ],
    }
