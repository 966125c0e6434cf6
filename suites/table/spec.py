"""The YAML that explains a table: its keys, their meaning, and strict checking of what is written.

Every key is declared here once; ``docs/tables.md`` describes them for the user.
"""

from __future__ import annotations

import fnmatch
import math
import posixpath
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from suites.errors import UsageError, unknown_name

ROLES: tuple[str, ...] = (
    "model",
    "scenario",
    "instance",
    "trial",
    "metric",
    "value",
    "weight",
    "condition",
    "part",
    "perturbation",
    "date",
    "n",
    "fold",
    "run",
    "instance_hash",
    "status",
    "stderr",
    "lower",
    "upper",
    "higher_is_better",
)
"""What a column of a table may hold."""

SCALES: Mapping[str, tuple[float, float]] = {"percent": (0.0, 100.0), "proportion": (0.0, 1.0)}

MODEL_ATTRIBUTES: tuple[str, ...] = ("organisation", "family", "date")
SCENARIO_ATTRIBUTES: tuple[str, ...] = (
    "lower",
    "upper",
    "bounded",
    "n_options",
    "metric",
    "higher_is_better",
    "group",
)

_KEYS = (
    "data",
    "layout",
    "columns",
    "values",
    "metric",
    "scale",
    "bounds",
    "higher_is_better",
    "missing",
    "models",
    "scenarios",
    "folds",
)
_LARGEST_YAML = 1 << 20  # bytes

Bounds = tuple[float | None, float | None]


@dataclass(frozen=True)
class Attribute:
    """Where a property of a model or a scenario comes from.

    Attributes
    ----------
    column : str or None
        A column of the metadata (text in the YAML).
    rules : tuple of (str, object)
        Globs of names with their values, the first that fits counts (a mapping in the YAML; a
        number or true/false is the rule ``*``).

    Examples
    --------
    >>> Attribute(rules=(("bbh/*", 2), ("*", 4))).constant("bbh/navigate")
    2
    """

    column: str | None = None
    rules: tuple[tuple[str, Any], ...] = ()

    def constant(self, name: str) -> Any:
        """Give the value of the first rule that fits the name, else None."""
        return first_match(self.rules, name)


@dataclass(frozen=True)
class MetadataSpec:
    """A table of properties of models or of scenarios.

    Attributes
    ----------
    file : str or None
        Its file; None for columns of the table itself.
    name : str or None
        The column with the names; None to find it by its name.
    columns : tuple of str or None
        Globs of the columns that predictors may see; None for all (none of the table itself).
    attributes : mapping of str to Attribute
        Properties with a meaning: `MODEL_ATTRIBUTES` or `SCENARIO_ATTRIBUTES`.
    """

    file: str | None = None
    name: str | None = None
    columns: tuple[str, ...] | None = None
    attributes: Mapping[str, Attribute] = field(default_factory=dict)


@dataclass(frozen=True)
class FoldsSpec:
    """A separate file of prescribed folds.

    Attributes
    ----------
    file : str
        The file.
    on : tuple of (str, str)
        Pairs of columns that must be equal: the table's (or ``model``, ``scenario``,
        ``condition``) and the file's.
    columns : tuple of (str, str)
        Pairs of a fold's name (None: the column's) and a column or a glob of columns.
    """

    file: str
    on: tuple[tuple[str, str], ...]
    columns: tuple[tuple[str | None, str], ...]


@dataclass(frozen=True)
class TableSpec:
    """What a YAML file says about a table. Everything is optional.

    Attributes
    ----------
    path : str or None
        The YAML file; files that it names lie beside it.
    data : tuple of str
        The table's files.
    layout : str or None
        ``long``, ``wide`` or None to find out.
    columns : mapping of str to (str or None)
        Role → column; None says that there is no such column.
    folds_in : mapping of str to str
        Name of a fold → column of the table.
    values : tuple of str or None
        Wide tables: names or globs of the value columns.
    metric : str or None
        The metric's name where no column gives it.
    bounds : tuple of (str, (float or None, float or None))
        Globs of metrics with least and greatest value.
    higher_is_better : tuple of (str, bool)
        Globs of metrics with their direction.
    missing : tuple of str
        Texts that stand for a missing value, beside the empty one and ``nan``.
    models, scenarios : MetadataSpec or None
        Their properties.
    folds : FoldsSpec or None
        A separate file of prescribed folds.

    Examples
    --------
    >>> spec = TableSpec.parse({"layout": "wide", "columns": {"model": "LLM"}, "scale": "percent"})
    >>> spec.columns["model"], spec.bounds_of("score")
    ('LLM', (0.0, 100.0))
    """

    path: str | None = None
    data: tuple[str, ...] = ()
    layout: str | None = None
    columns: Mapping[str, str | None] = field(default_factory=dict)
    folds_in: Mapping[str, str] = field(default_factory=dict)
    values: tuple[str, ...] | None = None
    metric: str | None = None
    bounds: tuple[tuple[str, Bounds], ...] = ()
    higher_is_better: tuple[tuple[str, bool], ...] = ()
    missing: tuple[str, ...] = ()
    models: MetadataSpec | None = None
    scenarios: MetadataSpec | None = None
    folds: FoldsSpec | None = None

    @classmethod
    def load(cls, path: str) -> TableSpec:
        """Read a YAML file.

        Parameters
        ----------
        path : str
            The file, at most 1 MiB.

        Raises
        ------
        UsageError
            If it cannot be read, is not YAML, or says something that is not understood: the
            message names the file, the key's path and the nearest valid key.
        """
        return cls.parse(load_yaml(path), path)

    @classmethod
    def parse(cls, raw: Any, path: str | None = None) -> TableSpec:
        """Check the content of a YAML file and give it its types.

        Parameters
        ----------
        raw : mapping
            The content.
        path : str, optional
            Where it lies, for messages and for the files it names.

        Raises
        ------
        UsageError
            If it says something that is not understood.
        """
        return _Parser(path or "the explanation of the table").spec(raw, path)

    def bounds_of(self, metric: str) -> Bounds | None:
        """Give least and greatest value of a metric; None where the YAML says nothing."""
        found: Bounds | None = first_match(self.bounds, metric)
        return found

    def direction_of(self, metric: str) -> bool | None:
        """Say whether more is better; None where the YAML says nothing."""
        found: bool | None = first_match(self.higher_is_better, metric)
        return found


def load_yaml(path: str) -> Any:
    """Read a YAML file of at most 1 MiB.

    Raises
    ------
    UsageError
        If it cannot be read or is not YAML.
    """
    import yaml

    try:
        if "://" in path:
            import fsspec

            with fsspec.open(path, "rb") as stream:
                raw = stream.read(_LARGEST_YAML + 1)
        else:
            with Path(path).open("rb") as stream:
                raw = stream.read(_LARGEST_YAML + 1)
        if len(raw) > _LARGEST_YAML:
            raise UsageError(f"{path}: larger than 1 MiB; this is not an explanation of a table.")
        return yaml.safe_load(raw.decode("utf-8-sig"))
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as err:
        if isinstance(err, UsageError):
            raise
        raise UsageError(f"cannot read {path}: {err}") from err


def first_match(rules: tuple[tuple[str, Any], ...], name: str) -> Any:
    """Give the value of the first rule whose name or glob fits, else None."""
    for glob, value in rules:
        if glob == name or fnmatch.fnmatchcase(name, glob):
            return value
    return None


def matching(globs: Collection[str], names: Collection[str]) -> list[str]:
    """Give the names that are listed or fit a glob, in the order of ``names``."""
    exact = set(globs)
    return [n for n in names if n in exact or any(fnmatch.fnmatchcase(n, g) for g in globs)]


def locate(name: str, spec_path: str | None, source: str) -> str | None:
    """Find a file that a YAML names: beside the YAML, else beside the table; None if nowhere.

    Examples
    --------
    >>> locate("models.csv", "s3://bucket/arena.yaml", "s3://bucket/scores.csv")
    's3://bucket/models.csv'
    """
    if "://" in name:
        return name
    for near in (spec_path, source):
        if near is None:
            continue
        if "://" in near:
            return posixpath.join(posixpath.dirname(near), name)
        path = Path(near).parent / name
        if path.is_file():
            return str(path)
    return None


class _Parser:
    """Checks the content of one YAML file; every message starts with the file and the key."""

    def __init__(self, where: str) -> None:
        self.where = where

    def fail(self, key: str, message: str) -> UsageError:
        return UsageError(f"{self.where}: {key}: {message}" if key else f"{self.where}: {message}")

    def mapping(self, key: str, raw: Any, known: Collection[str]) -> dict[str, Any]:
        if not isinstance(raw, Mapping):
            keys = ", ".join(known)
            raise self.fail(key, f"expected keys with values ({keys}), got {_shown(raw)}.")
        for inner in raw:
            if inner not in known:
                raise self.fail(key, str(unknown_name("key", str(inner), known)))
        return {str(k): v for k, v in raw.items()}

    def text(self, key: str, raw: Any) -> str:
        if isinstance(raw, bool) or not isinstance(raw, (str, int, float)) or raw == "":
            raise self.fail(key, f"expected a name, got {_shown(raw)}.")
        return str(raw)

    def texts(self, key: str, raw: Any) -> tuple[str, ...]:
        items = raw if isinstance(raw, list) else [raw]
        return tuple(self.text(f"{key}[{i}]", item) for i, item in enumerate(items))

    def number(self, key: str, raw: Any) -> float | None:
        if raw is None:
            return None
        if isinstance(raw, bool) or not isinstance(raw, (int, float)) or not math.isfinite(raw):
            raise self.fail(key, f"expected a number or null, got {_shown(raw)}.")
        return float(raw)

    def flag(self, key: str, raw: Any) -> bool:
        if not isinstance(raw, bool):
            raise self.fail(key, f"expected true or false, got {_shown(raw)}.")
        return raw

    def pair(self, key: str, raw: Any) -> Bounds:
        if not isinstance(raw, list) or len(raw) != 2:
            raise self.fail(key, f"expected [least, greatest], got {_shown(raw)}.")
        lower, upper = self.number(key, raw[0]), self.number(key, raw[1])
        if lower is not None and upper is not None and lower >= upper:
            raise self.fail(key, f"the least value {lower:g} is not below the greatest {upper:g}.")
        return lower, upper

    def scale(self, key: str, raw: Any) -> Bounds:
        if not isinstance(raw, str) or raw not in SCALES:
            raise self.fail(key, str(unknown_name("scale", str(raw), SCALES)))
        return SCALES[raw]

    def rules(self, key: str, raw: Any, one: Callable[[str, Any], Any]) -> tuple[Any, ...]:
        if isinstance(raw, Mapping):
            return tuple((str(glob), one(f"{key}.{glob}", item)) for glob, item in raw.items())
        return (("*", one(key, raw)),)

    def spec(self, raw: Any, path: str | None) -> TableSpec:
        top = self.mapping("", raw if raw is not None else {}, _KEYS)
        layout = top.get("layout")
        if layout not in (None, "long", "wide"):
            message = str(unknown_name("layout", str(layout), ("long", "wide")))
            raise self.fail("layout", message)
        if "scale" in top and "bounds" in top:
            raise self.fail("scale", "give either scale or bounds, not both.")
        bounds: tuple[Any, ...] = ()
        if "scale" in top:
            bounds = self.rules("scale", top["scale"], self.scale)
        elif "bounds" in top:
            bounds = self.rules("bounds", top["bounds"], self.pair)
        direction: tuple[Any, ...] = ()
        if "higher_is_better" in top:
            direction = self.rules("higher_is_better", top["higher_is_better"], self.flag)
        columns, folds_in = self.columns(top.get("columns"))
        scenarios = self.metadata("scenarios", top.get("scenarios"), SCENARIO_ATTRIBUTES)
        if scenarios and "bounded" in scenarios.attributes and not bounds:
            raise self.fail(
                "scenarios.bounded",
                "says which scenarios have the table's scale or bounds; give one of these too.",
            )
        if layout == "long" and "values" in top:
            raise self.fail("values", "belongs to the layout wide; a long table has columns.value.")
        if layout == "wide" and columns.get("value"):
            raise self.fail("columns.value", "belongs to the layout long; a wide table has values.")
        missing = top.get("missing", [])
        return TableSpec(
            path=path,
            data=self.texts("data", top["data"]) if "data" in top else (),
            layout=layout,
            columns=columns,
            folds_in=folds_in,
            values=self.texts("values", top["values"]) if "values" in top else None,
            metric=self.text("metric", top["metric"]) if "metric" in top else None,
            bounds=bounds,
            higher_is_better=direction,
            missing=self.texts("missing", missing),
            models=self.metadata("models", top.get("models"), MODEL_ATTRIBUTES),
            scenarios=scenarios,
            folds=self.folds(top.get("folds")),
        )

    def columns(self, raw: Any) -> tuple[dict[str, str | None], dict[str, str]]:
        columns: dict[str, str | None] = {}
        folds: dict[str, str] = {}
        entries = self.mapping("columns", raw if raw is not None else {}, ROLES)
        for role, column in entries.items():
            key = f"columns.{role}"
            if role == "fold" and isinstance(column, Mapping):
                folds = {str(k): self.text(f"{key}.{k}", v) for k, v in column.items()}
                columns["fold"] = None
            else:
                columns[role] = None if column is None else self.text(key, column)
        used: dict[str, str] = {}
        for role, name in columns.items():
            if name is not None and used.setdefault(name, role) != role:
                raise self.fail("columns", f"{used[name]} and {role} name one column, {name!r}.")
        return columns, folds

    def metadata(self, key: str, raw: Any, attributes: tuple[str, ...]) -> MetadataSpec | None:
        if raw is None:
            return None
        if isinstance(raw, str):
            raw = {"file": raw}
        entries = self.mapping(key, raw, ("file", "name", "columns", *attributes))
        found = {a: self.attribute(f"{key}.{a}", entries[a]) for a in attributes if a in entries}
        columns = entries.get("columns")
        return MetadataSpec(
            file=self.text(f"{key}.file", entries["file"]) if "file" in entries else None,
            name=self.text(f"{key}.name", entries["name"]) if "name" in entries else None,
            columns=None if columns is None else self.texts(f"{key}.columns", columns),
            attributes=found,
        )

    def attribute(self, key: str, raw: Any) -> Attribute:
        if isinstance(raw, str):
            return Attribute(column=self.text(key, raw))
        kind = key.rsplit(".", 1)[-1]
        one: Callable[[str, Any], Any] = self.text
        if kind in ("bounded", "higher_is_better"):
            one = self.flag
        elif kind in ("lower", "upper", "n_options"):
            one = self.number
        return Attribute(rules=self.rules(key, raw, one))

    def folds(self, raw: Any) -> FoldsSpec | None:
        if raw is None:
            return None
        if isinstance(raw, Mapping) and True in raw:  # YAML 1.1 reads the bare word "on" as true
            raw = {"on" if key is True else key: value for key, value in raw.items()}
        entries = self.mapping("folds", raw, ("file", "on", "columns"))
        for needed in ("file", "on", "columns"):
            if needed not in entries:
                raise self.fail("folds", f"the key {needed} is missing.")
        on, columns = entries["on"], entries["columns"]
        named: tuple[tuple[str | None, str], ...]
        if isinstance(columns, Mapping):
            named = tuple((str(k), self.text(f"folds.columns.{k}", v)) for k, v in columns.items())
        else:
            named = tuple((None, glob) for glob in self.texts("folds.columns", columns))
        if isinstance(on, Mapping):
            pairs = tuple((str(k), self.text(f"folds.on.{k}", v)) for k, v in on.items())
        else:
            pairs = tuple((column, column) for column in self.texts("folds.on", on))
        if not pairs or not named:
            raise self.fail("folds", "on and columns must each name a column.")
        return FoldsSpec(self.text("folds.file", entries["file"]), pairs, named)


def _shown(raw: Any) -> str:
    text = repr(raw)
    return text if len(text) <= 60 else text[:57] + "…"
