"""The table of main metrics against the schemas and metadata of HELM itself.

Set BENCHCAST_HELM_SCHEMAS to the folder ``helm/benchmark`` of an installed crfm-helm 0.5.16.
"""

from __future__ import annotations

import ast
import collections
import os
from pathlib import Path

import pytest
import yaml

from suites.helm.main_metric import _look_up
from suites.helm.reader import scenario_base

HOME = os.environ.get("BENCHCAST_HELM_SCHEMAS")

pytestmark = pytest.mark.skipif(not HOME, reason="BENCHCAST_HELM_SCHEMAS names no HELM")


def _declared():
    """Give what HELM declares: group → {(metric, part)}."""
    found = collections.defaultdict(set)
    for path in sorted(Path(HOME, "static").glob("schema_*.yaml")):
        for group in yaml.safe_load(path.read_text()).get("run_groups") or []:
            environment = group.get("environment") or {}
            if environment.get("main_name"):
                found[group["name"]].add((environment["main_name"], environment.get("main_split")))
    for path in sorted(Path(HOME, "scenarios").rglob("*.py")):
        for call in ast.walk(ast.parse(path.read_text())):
            if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "ScenarioMetadata":
                given = {k.arg: k.value for k in call.keywords}
                try:
                    name, metric, part = (
                        ast.literal_eval(given[k]) for k in ("name", "main_metric", "main_split")
                    )
                except (KeyError, ValueError):
                    continue  # written as an expression
                found[name].add((metric, part))
    return found


def test_the_table_holds_what_helm_declares_for_every_group():
    for group, declared in _declared().items():
        wanted = {(m, p) for m, p in declared if m not in ("unknown", "none")}
        if wanted:
            assert {(m, p) for _, m, p in _look_up(group)} == wanted, group


def test_no_two_scenario_classes_of_helm_share_a_name():
    classes = []
    for path in sorted(Path(HOME, "scenarios").rglob("*.py")):
        module = ".".join(path.relative_to(HOME).with_suffix("").parts)
        classes += [
            f"helm.benchmark.{module}.{node.name}"
            for node in ast.parse(path.read_text()).body
            if isinstance(node, ast.ClassDef)
        ]
    names = collections.Counter(map(scenario_base, classes))
    assert len(classes) > 300
    assert [name for name, times in names.items() if times > 1] == []
