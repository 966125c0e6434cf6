"""`Task`: a recipe for what is held out and what may be seen of it, read from a YAML file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from importlib.resources import files
from pathlib import Path
from typing import Any

from harness.settings import settings_text, split_settings
from suites.errors import UsageError, unknown_name

INFORMATION: tuple[str, ...] = ("spec", "prompts", "completions")
CHOICES: tuple[str, ...] = ("folds", "strongest", "latest")
TARGETS: tuple[str, ...] = ("all", "perturbed")
COLUMNS: tuple[str, ...] = (
    "run",
    "model",
    "organisation",
    "family",
    "scenario",
    "scenario_group",
    "condition",
    "perturbation",
)
SELECT: tuple[str, ...] = ("perturbation", "reruns")
"""What of the selection (`suites.Selection`) a task may ask for."""


class TaskNotApplicable(UsageError):
    """A task asks for what the sources do not have: several organisations, dates, responses."""


@dataclass(frozen=True)
class Task:
    """What is held out together, and what may be seen of it.

    Attributes
    ----------
    name, summary : str
        What it is called, its own settings included, and one sentence on what it asks.
    recipe : str
        Its name without settings; the same as `name` where that is left out.
    predicts : str
        ``run``: the value of a run; ``instance``: the value of a response.
    targets : str
        Which runs may be held out: ``all``, or only ``perturbed`` ones (then HELM's worst of
        several perturbations is never known: it tells of what is held out).
    hold_out : tuple of str
        Columns of the runs: runs that agree in all of them are held out together, whatever their
        metric, condition, perturbation, suite or date, unless these are named. Models and
        scenarios under two names count as one (`harness.leaks`).
    within : tuple of str
        Columns: a fold holds out runs of one value of these only; the folds of each value are made
        apart, so there are ``folds`` of each.
    drop : tuple of str
        Columns: runs that agree with a held-out one in these, and are not held out themselves, are
        no train runs, but for those that agree with it in `within`.
    settings : mapping of str to mapping of str to mapping
        Settings of its own: ``by`` → ``organisation`` → the keys of the recipe that it changes.
    choose : str
        Which of these units are held out: ``folds``, each once; ``strongest``, the best models
        (`share` of them, at least `least`) together; ``latest``, what was released from `cut` on.
    share, least : float, int
        For ``strongest``, and for the default cut of ``latest``.
    cut : str or None
        For ``latest``: a date, or the name of a suite or release.
    select : mapping of str to str
        What it needs of the selection, where the user leaves it at its default: of `SELECT`.
    information : str
        The information set: ``spec`` (descriptions and instance ids), ``prompts`` (and the texts
        of the questions), ``completions`` (and the answers to the shown instances).
    reference : str
        The predictor that skill is measured against.
    k, folds, seeds
        What is evaluated unless the user says otherwise; ``folds: each`` makes one of each unit.

    Examples
    --------
    >>> load_task("heldout-run").hold_out
    ('model', 'scenario')
    >>> load_task("new-model(by='organisation')").hold_out
    ('organisation',)
    """

    name: str
    summary: str = ""
    recipe: str = ""
    predicts: str = "run"
    targets: str = "all"
    hold_out: tuple[str, ...] = ("model", "scenario")
    within: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    settings: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)
    choose: str = "folds"
    share: float = 0.2
    least: int = 2
    cut: str | None = None
    select: Mapping[str, str] = field(default_factory=dict)
    information: str = "spec"
    reference: str = "scenario-mean"
    k: tuple[int, ...] = (0, 5, 20)
    folds: int | str = 10
    seeds: tuple[int, ...] = (0,)

    def __post_init__(self) -> None:
        if not self.recipe:
            object.__setattr__(self, "recipe", self.name)


def task_names() -> list[str]:
    """Give the names of the tasks that come with the package.

    Examples
    --------
    >>> "heldout-run" in task_names()
    True
    """
    folder = files("harness") / "tasks"
    return sorted(p.name[:-5] for p in folder.iterdir() if p.name.endswith(".yaml"))


def load_task(name: str | Path) -> Task:
    """Load a task by name, or from a YAML file of one's own.

    Parameters
    ----------
    name : str or Path
        ``heldout-run``, ``new-model(by='organisation')``, ``mine.yaml``, ``mine.yaml(folds=5)``:
        settings in brackets take the place of what the recipe says.

    Raises
    ------
    UsageError
        If there is no such task, or the file holds unknown keys or values.
    """
    import yaml

    home, settings = split_settings(str(name))
    if home in task_names():
        text, where = (files("harness") / "tasks" / f"{home}.yaml").read_text("utf-8"), home
    else:
        path = Path(home)
        if path.suffix not in (".yaml", ".yml"):
            raise unknown_name("task", home, task_names())
        where = str(path)
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as err:
            raise UsageError(f"cannot read the task {where}: {err}") from err
    try:
        raw = yaml.safe_load(text)
    except yaml.YAMLError as err:
        raise UsageError(f"the task {where} is not YAML: {err}") from err
    if not isinstance(raw, dict) or not isinstance(raw.get("name"), str):
        raise UsageError(f"the task {where} must be a mapping with at least the key name.")
    return _checked({**raw, **_chosen(raw, settings, where)}, where)


def task_of(recipe: Mapping[str, Any], where: str) -> Task:
    """Make a task of a recipe's keys and values, as a manifest keeps them (``asdict`` of a task).

    Parameters
    ----------
    recipe : mapping
        Fields of `Task`.
    where : str
        Where it comes from; errors name it.

    Raises
    ------
    UsageError
        If it holds unknown keys or values.

    Examples
    --------
    >>> from dataclasses import asdict
    >>> task_of(asdict(load_task("new-model")), "here") == load_task("new-model")
    True
    """
    if not isinstance(recipe.get("name"), str):
        raise UsageError(f"the task {where} must be a mapping with at least the key name.")
    return _checked(dict(recipe), where)


def _chosen(raw: Mapping[str, Any], settings: dict[str, Any], where: str) -> dict[str, Any]:
    """Give what settings change of a recipe, its name among it."""
    if not settings:
        return {}
    own = raw.get("settings") or {}
    if not isinstance(own, dict):
        return {}  # refused by the checks
    changed = {key: value for key, value in settings.items() if key not in own}
    for key, value in settings.items():
        if key not in own:
            continue
        ways = _changes(own[key], f"{where}: settings: {key}")
        if value not in ways:
            wrong = unknown_name(f"value of {key}", str(value), ways)
            raise UsageError(f"task {where}: {wrong}")
        changed = {**ways[value], **changed}
    return {**changed, "name": f"{raw['name']}{settings_text(settings)}", "recipe": raw["name"]}


def _checked(raw: dict[str, Any], where: str) -> Task:
    known = {f.name for f in fields(Task)}
    for key in raw:
        if key not in known:
            raise UsageError(f"task {where}: {unknown_name('key', str(key), known)}")
    for key in ("hold_out", "within", "drop", "k", "seeds"):
        if key in raw:
            raw[key] = _tuple(raw[key])
    for key in ("settings", "select"):
        if not isinstance(raw.get(key, {}), dict):
            raise UsageError(f"task {where}: {key} must be a mapping, got {raw[key]!r}.")
    for key, ways in raw.get("settings", {}).items():
        for way, changes in _changes(ways, f"{where}: settings: {key}").items():
            _checked({**raw, **changes, "settings": {}}, f"{where}: {key}={way!r}")
    if raw.get("cut") is not None:
        raw["cut"] = str(raw["cut"])  # YAML reads a date
    task = Task(**raw)
    for key, wrong in _wrong_kinds(task):
        if wrong:
            raise UsageError(f"task {where}: {key} must be {wrong}, got {getattr(task, key)!r}.")
    for key, values, there in (
        ("column", [*task.hold_out, *task.within, *task.drop], COLUMNS),
        ("information set", [task.information], INFORMATION),
        ("choice", [task.choose], CHOICES),
        ("kind of targets", [task.targets], TARGETS),
        ("selection", list(task.select), SELECT),
        ("kind of prediction", [task.predicts], ("run", "instance")),
    ):
        for value in map(str, values):
            if value not in there:
                raise UsageError(f"task {where}: {unknown_name(key, value, there)}")
    return task


def _changes(ways: Any, where: str) -> dict[str, dict[str, Any]]:
    """Give what each value of a setting changes of the recipe."""
    if not isinstance(ways, dict) or not all(isinstance(w, dict) for w in ways.values()):
        raise UsageError(
            f"task {where} must name its values, each with the keys that it changes, "
            f"as in {{organisation: {{hold_out: [organisation]}}}}; got {ways!r}."
        )
    return ways


def _tuple(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def _wrong_kinds(task: Task) -> Iterator[tuple[str, str]]:
    """Give each key of which a wrong kind of value does harm, with what it must be, or ''."""
    for key in ("summary", "reference"):
        yield key, "" if isinstance(getattr(task, key), str) else "text"
    yield "hold_out", "" if task.hold_out else "at least one column"
    number = _whole(task.folds, least=1) or isinstance(task.folds, str)
    yield "folds", "" if number else "a whole number of at least 1, each, or a name of folds"
    share = isinstance(task.share, int | float) and 0 < task.share < 1
    yield "share", "" if share else "a number between 0 and 1"
    yield "least", "" if _whole(task.least, least=1) else "a whole number of at least 1"
    for key in ("k", "seeds"):
        numbers = getattr(task, key)
        right = numbers and all(_whole(number, least=0) for number in numbers)
        yield key, "" if right else "whole numbers of at least 0"


def _whole(value: Any, *, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least
