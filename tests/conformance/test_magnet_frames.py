"""The four frames against those of MAGNET itself, run by another Python.

Set BENCHCAST_MAGNET_PYTHON to a Python (3.11, pandas 2) that has aiq-magnet 0.1.0; without it these
tests are skipped. BENCHCAST_SHARED may name a folder with the real runs, which are compared too.
"""

from __future__ import annotations

import json
import math
import os
import pickle
import subprocess
import sys
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

from suites.helm.objects import HelmOutputs, HelmRuns

MAGNET = os.environ.get("BENCHCAST_MAGNET_PYTHON")
TABLES = ("run_spec", "scenario_state", "stats", "per_instance_stats")

pytestmark = [
    pytest.mark.skipif(not MAGNET, reason="BENCHCAST_MAGNET_PYTHON names no Python with MAGNET"),
    pytest.mark.slow,
]

# Runs in the other Python. Writes plain objects: a frame of pandas 2 need not unpickle elsewhere.
THEIRS = """
import pickle, sys
from magnet.backends.helm.helm_outputs import HelmRun, HelmRuns

def plain(frame):
    return {
        "columns": list(frame.columns),
        "dtypes": [str(t) for t in frame.dtypes],
        "index": list(frame.index),
        "values": [frame.iloc[:, i].tolist() for i in range(frame.shape[1])],
    }

paths, out = pickle.load(open(sys.argv[1], "rb")), sys.argv[2]
tables = ("run_spec", "scenario_state", "stats", "per_instance_stats")
with open(out, "wb") as file:
    for group in paths:
        runs = HelmRuns(group) if len(group) > 1 else HelmRun(group[0])
        for table in tables:
            pickle.dump(plain(getattr(runs, table)()), file)
"""


def _theirs(groups, folder: Path):
    """Yield MAGNET's frame of each group of runs and table, in order."""
    asked, answered, script = folder / "paths.pkl", folder / "frames.pkl", folder / "theirs.py"
    asked.write_bytes(pickle.dumps([[str(p) for p in group] for group in groups]))
    script.write_text(THEIRS)
    done = subprocess.run(
        [MAGNET, "-W", "ignore", str(script), str(asked), str(answered)],
        capture_output=True,
        text=True,
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    with answered.open("rb") as file:
        for group in groups:
            for table in TABLES:
                yield group, table, pickle.load(file)


def _same(a, b) -> bool:
    if isinstance(a, float) and isinstance(b, float):
        return a == b or (math.isnan(a) and math.isnan(b))
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(_same, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return list(a) == list(b) and all(_same(a[k], b[k]) for k in a)
    return type(a) is type(b) and a == b


def _check(groups, folder: Path) -> int:
    shapes: dict[tuple[str, tuple[int, int]], int] = {}
    for group, table, theirs in _theirs(groups, folder):
        ours = getattr(HelmRuns(group), table)()
        where = f"{table} of {len(group)} runs from {group[0]}"
        assert list(ours.columns) == theirs["columns"], where
        assert [str(t) for t in ours.dtypes] == theirs["dtypes"], where
        assert list(ours.index) == theirs["index"], where
        for i, name in enumerate(theirs["columns"]):
            for row, (a, b) in enumerate(
                zip(ours.iloc[:, i].tolist(), theirs["values"][i], strict=True)
            ):
                assert _same(a, b), f"{where}: {name}, row {row}: {a!r}, MAGNET has {b!r}"
        shapes[table, ours.shape] = shapes.get((table, ours.shape), 0) + 1
    for (table, shape), times in sorted(shapes.items()):
        sys.stdout.write(f"{table:20} {shape[0]:6} x {shape[1]:3}   {times} times\n")
    return len(groups)


def test_frames_of_every_run_and_suite_of_the_demo_data_are_those_of_magnet(tmp_path):
    suites = [suite.runs().paths for suite in HelmOutputs.demo().suites()]
    groups = [[path] for paths in suites for path in paths] + suites
    assert _check(groups, tmp_path) == 78 + 3


def test_frames_of_real_runs_are_those_of_magnet(tmp_path, shared_helm):
    roots = [shared_helm("mmlu-llama3"), shared_helm("eee-tests")]
    groups = [[path] for root in roots for path in HelmRuns.coerce(root).paths]
    llama = HelmRuns.coerce(roots[0]).paths
    assert _check([*groups, llama[:40], HelmRuns.coerce(roots[1]).paths], tmp_path) == 187 + 2


STAT = {"name": {"name": "em", "split": "test"}, "count": 1, "sum": 1, "mean": 1.0}
ODD = {
    "plain": {},
    "no instances": {"request_states": [], "stats": [], "per_instance_stats": []},
    "HELM 0.1: texts that are strings": {
        "request_states": [
            {"instance": {"input": "q", "references": [{"output": "a", "tags": []}], "id": "id0"}}
        ]
    },
    "nulls, numbers, empty objects": {
        "run_spec": {
            "scenario_spec": {"class_name": "m.C", "args": {"a": None, "b": {}, "c": 2.0}}
        },
        "request_states": [
            {"instance": {"id": "id0", "extra_data": {"x": None, "n": 1, "b": True, "e": {}}}},
            {"instance": {"id": "id1", "extra_data": {"x": 2, "n": 2, "l": []}}, "annotations": {}},
            {"instance": {"id": "id2", "extra_data": None}, "annotations": {"j": {"s": None}}},
        ],
    },
    "text and numbers in one column": {
        "request_states": [
            {"instance": {"id": "id0", "extra_data": {"x": "1", "b": 1}}},
            {"instance": {"id": "id1", "extra_data": {"x": 2, "b": False}}},
        ]
    },
    "numbers": {
        "request_states": [
            {"instance": {"id": "id0", "extra_data": {"x": 1, "n": 0.5, "b": True, "t": "t"}}},
        ]
    },
    "nulls alone": {
        "request_states": [
            {"instance": {"id": "id0", "extra_data": {"x": None, "n": None, "b": None, "t": None}}},
        ]
    },
    "perturbed": {
        "stats": [
            STAT,
            {**STAT, "name": {**STAT["name"], "perturbation": {"name": "p", "prob": 1}}, "mean": 1},
        ],
        "per_instance_stats": [
            {"instance_id": "id0", "train_trial_index": 0, "stats": [STAT]},
            {
                "instance_id": "id0",
                "perturbation": {"name": "p", "prob": 0.5},
                "train_trial_index": 0,
                "stats": [STAT, {**STAT, "count": 0}],
            },
        ],
    },
}


def test_frames_of_odd_but_valid_runs_are_those_of_magnet(tmp_path):
    paths = []
    for i, (what, given) in enumerate(ODD.items()):
        folder = tmp_path / f"odd:{i}"
        folder.mkdir()
        name = f"odd:{what}"
        spec = {
            "name": name,
            "adapter_spec": {"method": "m"},
            "groups": [],
            **given.get("run_spec", {}),
        }
        one = [{"instance": {"id": "id0", "input": {"text": "q"}}, "train_trial_index": 0}]
        state = {
            "adapter_spec": {"method": "m"},
            "request_states": given.get("request_states", one),
        }
        record = [{"instance_id": "id0", "train_trial_index": 0, "stats": [STAT]}]
        for file, content in (
            ("run_spec", spec),
            ("scenario_state", state),
            ("stats", given.get("stats", [STAT])),
            ("per_instance_stats", given.get("per_instance_stats", record)),
        ):
            (folder / f"{file}.json").write_text(json.dumps(content))
        paths.append(folder)
    groups = [
        *([path] for path in paths),
        paths,
        paths[::-1],
        *(list(p) for p in permutations(paths, 3)),
    ]
    assert _check(groups, tmp_path) == len(groups)


def test_dtypes_that_are_compared_are_those_of_pandas_2():
    frame = HelmOutputs.demo().suites()[0].runs()[0].stats()
    assert frame["stats.name.name"].dtype == np.dtype(object)
