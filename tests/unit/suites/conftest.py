"""Runs of HELM made up for a test."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

SPEC = {
    "name": "toy:model=acme_one",
    "scenario_spec": {"class_name": "helm.benchmark.scenarios.toy_scenario.ToyScenario"},
    "adapter_spec": {"method": "generation", "model": "acme/one"},
    "groups": ["toy"],
}


def stat(name="exact_match", value=1.0, count=1, **context):
    name = {"name": name, "split": "test", **context}
    if count == 0:
        return {"name": name, "count": 0, "sum": 0, "sum_squared": 0}
    return {"name": name, "count": count, "sum": value * count, "mean": value}


@pytest.fixture
def make_run():
    """Give a function that writes a run folder; contents given replace those of a tiny run."""

    def make(folder: Path, spec=None, stats=None, records=None, state=None) -> Path:
        folder.mkdir(parents=True)
        instance = {"instance": {"id": "id0", "input": {"text": "q"}}, "train_trial_index": 0}
        whole = {
            "run_spec.json": {**SPEC, **(spec or {})},
            "scenario.json": {"name": "toy", "description": "", "tags": []},
            "stats.json": stats if stats is not None else [stat(), stat("num_instances", 1.0)],
            "per_instance_stats.json": records
            if records is not None
            else [{"instance_id": "id0", "train_trial_index": 0, "stats": [stat()]}],
            "scenario_state.json": state
            if state is not None
            else {"adapter_spec": {"method": "generation"}, "request_states": [instance]},
        }
        for file, content in whole.items():
            text = content if isinstance(content, str) else json.dumps(content)
            (folder / file).write_text(text)
        return folder

    return make


@pytest.fixture
def make_stat():
    return stat
