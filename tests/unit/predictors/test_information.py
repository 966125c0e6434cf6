"""Nothing that is not shown, and no order of the source, changes a prediction.

Each predictor is evaluated on a made table, on the same table with other truth behind what is
shown, and on the same table in another order.
"""

from functools import cache
from importlib.metadata import entry_points
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import harness
from harness.instance_predictor import InstancePredictor
from harness.predictor import RunPredictor
from harness.spec import GROUP, INSTANCE, SLOW
from suites import read
from suites.identity import canonical_json
from suites.selection import Selection

KS = (0, 5)
TASKS = ("heldout-run", "new-model")
OF_INSTANCES = ("instance",)  # holds out the runs of heldout-run, and shows the same of them
FEW = {
    "hibayes": {"draws": 25},
    "random-forest": {"n_estimators": 5},
    "factorisation": {"sweeps": 20},
}
KEY = ["k", "target", "output_type", "output_type_id"]

POINTS = {group: list(entry_points(group=group)) for group in (GROUP, INSTANCE, SLOW)}
SLOWS = {point.name for point in POINTS[SLOW]}
ASKED = {
    point.name: OF_INSTANCES if issubclass(point.load(), InstancePredictor) else TASKS
    for points in POINTS.values()
    for point in points
}


def spec(name: str) -> str:
    """Name a predictor, with few draws."""
    few = next((FEW[start] for start in FEW if name.startswith(start)), {})
    settings = ", ".join(f"{key}={value}" for key, value in few.items())
    return f"{name}({settings})" if settings else name


def quick(task: str) -> tuple[str, ...]:
    """Give the quick predictors that a task is for."""
    return tuple(n for n, tasks in sorted(ASKED.items()) if n not in SLOWS and task in tasks)


each = pytest.mark.parametrize(
    ("name", "task"),
    [
        pytest.param(name, task, marks=[pytest.mark.slow] * (name in SLOWS))
        for name, tasks in sorted(ASKED.items())
        for task in tasks
    ],
)
every_task = pytest.mark.parametrize("task", TASKS)


def made() -> pd.DataFrame:
    """Make responses of 6 models on 2 scenarios, each with two strengths of misspellings too."""
    rng = np.random.default_rng(0)
    rows = []
    for i, ability in enumerate(rng.normal(0, 1, 6)):
        for j, demand in enumerate(rng.normal(0, 1, 2)):
            for strength in (None, 0.1, 0.3):
                p = 1 / (1 + np.exp(demand - ability + 3 * (strength or 0)))
                noise = {"name": "misspellings", "prob": strength, "robustness": True}
                text = None if strength is None else canonical_json(noise)
                for item, value in enumerate(rng.random(12) < p):
                    rows.append((f"o{i % 3}/m{i}", f"s{j}", text, f"q{item}", int(value)))
    columns = ["model", "scenario", "perturbation", "instance", "value"]
    return pd.DataFrame(rows, columns=columns)


def opened(table: pd.DataFrame, folder: Path, order: int = 1):
    """Write the table as two files, and read them."""
    folder.mkdir()
    first = table["model"].isin(sorted(set(made()["model"]))[:3])
    files = [folder / "a.csv", folder / "b.csv"]
    for file, rows in zip(files, (table[first], table[~first]), strict=True):
        rows.to_csv(file, index=False)
    return read([str(file) for file in files][::order], select=Selection(perturbation="*"))


class Recorder(RunPredictor):
    """Notes what is shown of the first fold's targets."""

    seen: list[pd.DataFrame]

    def predict(self, train_split, sequestered_test_split):
        split = sequestered_test_split
        names = split.targets[["target", "model", "scenario", "perturbation"]]
        self.seen.append(names.merge(split.responses[["target", "instance"]], how="left"))
        return []


@cache
def shown(task: str, folder: Path) -> pd.DataFrame:
    """Give the targets of the first fold, with the instances that are shown at the largest k."""
    Recorder.seen = []
    harness.evaluate(
        opened(made(), folder),
        Recorder,
        task=TASKS[0] if task in OF_INSTANCES else task,
        k=KS[-1],
        folds=2,
        isolation="none",
    )
    seen = Recorder.seen[0]
    assert (seen.groupby("target")["instance"].nunique() == KS[-1]).all()
    return seen


def with_moved(task: str, folder: Path, *, of_shown: bool) -> pd.DataFrame:
    """Permute the values of the first fold's responses that are (not) shown."""
    table, known = made(), shown(task, folder)
    cell = ["model", "scenario", "perturbation"]
    rows = table.fillna({"perturbation": ""}).merge(
        known.fillna({"perturbation": ""})[[*cell, "instance"]].assign(is_shown=True), how="left"
    )
    targets = set(map(tuple, known[cell].fillna("").to_numpy()))
    held = np.array([key in targets for key in map(tuple, rows[cell].to_numpy())])
    moved = held & (rows["is_shown"].eq(True).to_numpy() == of_shown)
    assert moved.sum() > 50
    values = table["value"].to_numpy().copy()
    values[moved] = np.random.default_rng(1).permutation(values[moved])
    return table.assign(value=values)


class Variants:
    """The evaluations of one task, each made when it is asked for first."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @cache  # noqa: B019 (lives as long as the tests of this file)
    def suite(self, task: str, variant: str):
        folder = self.folder / f"{task}-{variant}"
        if variant == "plain":
            return opened(made(), folder)
        if variant == "other order":
            return opened(made().sample(frac=1.0, random_state=2), folder, order=-1)
        return opened(
            with_moved(task, self.folder / f"{task}-seen", of_shown=variant == "other shown"),
            folder,
        )

    @cache  # noqa: B019
    def results(self, task: str, variant: str, names: tuple[str, ...]):
        # once in workers too, whose answers are then those of this process
        in_workers = task == "heldout-run" and variant == "other truth"
        return harness.evaluate(
            self.suite(task, variant),
            [spec(name) for name in names],
            task=task,
            k=KS,
            folds=2,
            isolation="process" if in_workers else "none",
        )

    def predictions(self, task: str, variant: str, name: str):
        """Give a predictor's rows, sorted; the quick ones are evaluated together."""
        names = (name,) if name in SLOWS else quick(task)
        table = self.results(task, variant, names).predictions
        mine = table[table["predictor"] == spec(name)]
        assert len(mine)
        return mine[["fold", *KEY, "value"]].sort_values(["fold", *KEY], ignore_index=True)


@pytest.fixture(scope="module")
def variants(tmp_path_factory):
    return Variants(tmp_path_factory.mktemp("information"))


def first(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[rows["fold"] == 0].reset_index(drop=True)


@each
def test_what_is_not_shown_changes_no_prediction(name, task, variants):
    one = first(variants.predictions(task, "plain", name))
    other = first(variants.predictions(task, "other truth", name))
    pd.testing.assert_frame_equal(one, other, check_exact=True)
    assert set(one["k"]) == set(KS if name not in ("sample-mean", "ppi") else KS[1:])


@each
def test_the_order_of_rows_and_files_changes_no_prediction(name, task, variants):
    one = variants.predictions(task, "plain", name)
    other = variants.predictions(task, "other order", name)
    pd.testing.assert_frame_equal(one, other, check_exact=True)


@every_task
def test_what_is_shown_changes_what_learns_from_it(task, variants):
    names = ("beta-binomial", "sample-mean", "scenario-mean")
    plain, moved = (variants.results(task, v, names) for v in ("plain", "other shown"))
    keys = ["predictor", "fold", *KEY]
    tables = [r.predictions.query("fold == 0").set_index(keys)["value"] for r in (plain, moved)]
    one, other = tables[0].align(tables[1])  # a count without probability has no row
    differ = one.index[one.fillna(0.0) != other.fillna(0.0)]
    found = set(zip(*map(differ.get_level_values, ("predictor", "k")), strict=True))
    assert found == {("beta-binomial", 5), ("sample-mean", 5)}


@pytest.mark.parametrize("task", [task for task in (*TASKS, *OF_INSTANCES) if quick(task)])
def test_the_truth_was_another_one(task, variants):
    plain, moved = (variants.results(task, v, quick(task)) for v in ("plain", "other truth"))
    held = plain.split.loc[plain.split["fold"] == 0, "target"]
    truth = [r.targets.set_index("target").loc[held, "value"] for r in (plain, moved)]
    assert (truth[0] != truth[1]).mean() > 0.5
