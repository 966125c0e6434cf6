"""Which column of a table holds what: by the YAML first, else by usual names.

A table that could be read in two ways is refused, with a YAML to start from.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from suites.errors import UsageError, unknown_name
from suites.table.spec import TableSpec, matching

SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "model": ("model", "model_id", "model_name"),
    "scenario": (
        "scenario",
        "scenario_id",
        "task",
        "task_name",
        "benchmark",
        "benchmark_id",
        "benchmark_name",
        "dataset",
        "dataset_name",
    ),
    "instance": (
        "instance",
        "instance_id",
        "item",
        "item_id",
        "sample_id",
        "question_id",
        "doc_id",
    ),
    "trial": ("trial", "epoch"),
    "metric": ("metric", "metric_name"),
    "value": ("value", "score", "accuracy", "correct", "result"),
    "weight": ("weight",),
    "condition": ("condition", "setting"),
    "part": ("part",),
    "perturbation": ("perturbation",),
    "date": ("date", "release_date"),
    "n": ("n", "n_items", "n_instances"),
    "fold": ("fold",),
    "run": (),
    "instance_hash": ("instance_hash",),
    "status": (),
    "stderr": (),
    "lower": (),
    "upper": (),
    "higher_is_better": (),
}
"""Usual names of a role's column; letter case, blanks and hyphens do not matter. The first wins.

A role without a usual name is only read where it is named: such names say too little by themselves.
"""

_INDEX_NAMES = ("", "index", "unnamed:_0", "__index_level_0__")


@dataclass(frozen=True)
class Layout:
    """What the columns of a table hold.

    Attributes
    ----------
    roles : mapping of str to str
        Role → column (`suites.table.spec.ROLES` without ``fold``).
    folds : mapping of str to str
        Name of a prescribed fold → column.
    values : tuple of str
        The value columns of a wide table; empty for a long one.
    across : str or None
        Wide: what the names of the value columns are: ``model``, ``scenario`` or ``metric``.
    """

    roles: Mapping[str, str]
    folds: Mapping[str, str] = field(default_factory=dict)
    values: tuple[str, ...] = ()
    across: str | None = None


def normal(name: str) -> str:
    """Write a column's name as the synonyms are written.

    Examples
    --------
    >>> normal(" Model-Name ")
    'model_name'
    """
    return re.sub(r"[\s\-]+", "_", name.strip().lower())


def find_column(role: str, names: Collection[str]) -> list[str]:
    """Give the columns whose name says that they hold a role; one when it is clear.

    Examples
    --------
    >>> find_column("model", ["Model", "model_id", "score"])
    ['Model']
    """
    for_role = SYNONYMS[role]
    found = [name for name in names if normal(name) in for_role]
    best = [name for name in found if normal(name) == for_role[0]]
    return best if len(best) == 1 else found


def find_layout(kinds: Mapping[str, str], spec: TableSpec, file: str) -> Layout:
    """Find out what the columns of a table hold.

    Parameters
    ----------
    kinds : mapping of str to str
        Column → what `suites.table.columns.kind_of` says of it, in the table's order.
    spec : TableSpec
        What the YAML says; an empty one where there is none.
    file : str
        The table's file, for messages.

    Raises
    ------
    UsageError
        If the YAML names a column that is not there, or if it is not clear what the columns hold:
        the message says what was found and gives a YAML to start from.

    Examples
    --------
    >>> kinds = {"Model": "text", "Task": "text", "score": "number"}
    >>> find_layout(kinds, TableSpec(), "a.csv").roles
    {'model': 'Model', 'scenario': 'Task', 'value': 'score'}
    >>> wide = find_layout({"llm": "text", "a": "number", "b": "number"}, TableSpec(), "a.csv")
    >>> wide.across, wide.values
    ('scenario', ('a', 'b'))
    """
    where = spec.path or file
    _check_names(kinds, spec, where)
    roles, unclear = _roles(kinds, spec)
    folds = dict(spec.folds_in)
    if "fold" in roles:
        folds["fold"] = roles.pop("fold")
    is_wide = spec.layout == "wide" or (
        spec.layout is None and spec.values is not None and "value" not in spec.columns
    )
    if not is_wide:
        found = {"model", "scenario", "value"} <= set(roles)
        blocking = [role for role in unclear if found or role in ("model", "scenario", "value")]
        if found and not blocking:
            return Layout(roles, folds)
        if spec.layout == "long" or blocking:
            raise _not_clear(kinds, roles, unclear, file, spec)
        guess = _guess_wide(kinds, roles, spec)
        if guess is None:
            raise _not_clear(kinds, roles, unclear, file, spec)
        roles = {**guess, **roles}
    if unclear:
        raise _not_clear(kinds, roles, unclear, file, spec)
    return _wide(kinds, roles, folds, spec, file)


def _check_names(kinds: Mapping[str, str], spec: TableSpec, where: str) -> None:
    for role, column in spec.columns.items():
        if column is not None and column not in kinds:
            raise UsageError(f"{where}: columns.{role}: {unknown_name('column', column, kinds)}")
    for fold, column in spec.folds_in.items():
        if column not in kinds:
            raise UsageError(
                f"{where}: columns.fold.{fold}: {unknown_name('column', column, kinds)}"
            )
    for glob in spec.values or ():
        if not matching([glob], kinds):
            raise UsageError(f"{where}: values: {unknown_name('column', glob, kinds)}")


def _roles(
    kinds: Mapping[str, str], spec: TableSpec
) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Give the roles, and those for which several columns would do."""
    roles = {role: column for role, column in spec.columns.items() if column is not None}
    taken = set(roles.values()) | set(spec.folds_in.values()) | own_columns(kinds, spec)
    if spec.values is not None:
        taken |= set(matching(spec.values, kinds))
    unclear: dict[str, list[str]] = {}
    for role in SYNONYMS:
        if role in spec.columns or (role == "value" and spec.layout == "wide"):
            continue
        found = find_column(role, [name for name in kinds if name not in taken])
        if len(found) == 1:
            roles[role] = found[0]
        elif found:
            unclear[role] = found
    return {role: roles[role] for role in SYNONYMS if role in roles}, unclear


def own_columns(kinds: Collection[str], spec: TableSpec) -> set[str]:
    """Give the table's own columns that its YAML calls properties of models or scenarios."""
    own: set[str] = set()
    for part in (spec.models, spec.scenarios):
        if part is not None and part.file is None:
            own |= {a.column for a in part.attributes.values() if a.column is not None}
            own |= set(matching(part.columns or (), kinds))
    return own - {column for column in spec.columns.values() if column is not None}


def _numbers(kinds: Mapping[str, str], leave_out: Collection[str]) -> list[str]:
    return [
        name
        for name, kind in kinds.items()
        if kind == "number" and name not in leave_out and normal(name) not in _INDEX_NAMES
    ]


def _guess_wide(
    kinds: Mapping[str, str], roles: Mapping[str, str], spec: TableSpec
) -> dict[str, str] | None:
    """One column of text and several of numbers: the models are the rows (or the scenarios)."""
    if "value" in roles or ("model" in roles and "scenario" in roles):
        return None
    optional = {c for r, c in roles.items() if r not in ("model", "scenario", "metric", "value")}
    aside = optional | own_columns(kinds, spec)
    texts = [n for n, kind in kinds.items() if kind == "text" and n not in aside]
    if len(texts) != 1 or len(_numbers(kinds, aside)) < 2 or texts[0] == roles.get("metric"):
        return None
    for role in ("model", "scenario"):
        if role in roles:
            return {role: roles[role]} if roles[role] == texts[0] else None
    return {"model": texts[0]}


def _wide(
    kinds: Mapping[str, str],
    roles: dict[str, str],
    folds: Mapping[str, str],
    spec: TableSpec,
    file: str,
) -> Layout:
    roles = {role: column for role, column in roles.items() if role != "value"}
    if "model" not in roles and "scenario" not in roles:
        raise _not_clear(kinds, roles, {}, file, spec)
    across = next((role for role in ("scenario", "model") if role not in roles), "metric")
    if across == "metric":
        roles.pop("metric", None)
    if spec.values is not None:
        values = tuple(matching(spec.values, kinds))
        both = set(values) & (set(roles.values()) | set(folds.values()))
        if both:
            raise UsageError(
                f"{spec.path or file}: values: {sorted(both)[0]!r} is already used by columns; "
                "leave it out of one of them."
            )
    else:
        taken = set(roles.values()) | set(folds.values()) | own_columns(kinds, spec)
        values = tuple(_numbers(kinds, taken))
    if not values:
        raise _not_clear(kinds, roles, {}, file, spec)
    return Layout(roles, folds, values, across)


def _not_clear(
    kinds: Mapping[str, str],
    roles: Mapping[str, str],
    unclear: Mapping[str, list[str]],
    file: str,
    spec: TableSpec,
) -> UsageError:
    """Say what was found, and give a YAML to start from."""
    shown = [f"{name!r} ({kind})" for name, kind in list(kinds.items())[:20]]
    if len(kinds) > 20:
        shown.append(f"… {len(kinds)} in all")
    said = [f"{role} could be any of {', '.join(map(repr, c))}" for role, c in unclear.items()]
    missing = [r for r in ("model", "scenario", "value") if r not in roles and r not in unclear]
    if missing:
        said.append(f"no column is called like {', '.join(missing)}")
    says = f" ({'; '.join(said)})" if said else ""
    where = f"{spec.path}: " if spec.path else ""
    return UsageError(
        f"{where}{file}: it is not clear what the columns hold{says}. Columns: "
        f"{', '.join(shown)}. Say it in a YAML file, given with --table-spec or as the source, "
        f"for example:\n\n{_snippet(kinds, roles, unclear, file)}"
    )


def _snippet(
    kinds: Mapping[str, str],
    roles: Mapping[str, str],
    unclear: Mapping[str, list[str]],
    file: str,
) -> str:
    import yaml

    texts = [name for name, kind in kinds.items() if kind == "text"] or list(kinds)[:1]
    numbers = _numbers(kinds, [c for r, c in roles.items() if r not in ("value", "n")])
    first = {role: columns[0] for role, columns in unclear.items()} | dict(roles)
    body: dict[str, object] = {"data": file.replace("\\", "/").rsplit("/", 1)[-1]}
    if len(texts) >= 2 and (len(numbers) <= 1 or "value" in first):
        free = [name for name in texts if name not in first.values()]
        for role in ("model", "scenario"):
            if role not in first and free:
                first[role] = free.pop(0)
        if "value" not in first and numbers:
            first["value"] = numbers[0]
        body["layout"] = "long"
        body["columns"] = first
    else:
        names = {r: c for r, c in first.items() if r in ("model", "scenario")}
        free = [name for name in texts if name not in first.values()]
        if not names:
            names = {"model": free[0]} if free else {"scenario": texts[0]}
        body["layout"] = "wide"
        body["columns"] = names
        values = [name for name in numbers if name not in names.values()]
        if 0 < len(values) <= 12:
            body["values"] = values
    text = yaml.safe_dump(body, sort_keys=False, allow_unicode=True, width=88)
    return "".join(f"    {line}\n" for line in text.splitlines())
