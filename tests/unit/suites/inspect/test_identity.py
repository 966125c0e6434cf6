"""Scenario and condition of Inspect's logs."""

import copy
import json
import os
import struct
import tarfile
import zlib
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suites.identity import canonical_json, condition_of, scenario_group_of
from suites.inspect.identity import agent_name, condition_fields, scenario_args, scenario_label

ROOT = Path(__file__).resolve().parents[4]


# ---------- the scenario


@pytest.mark.parametrize(
    ("task", "version", "args", "label"),
    [
        ("gpqa", None, None, "gpqa"),
        ("inspect_evals/gpqa", 0, {}, "gpqa"),
        ("a/b/c", "0", {}, "c"),
        ("gpqa/", 0, {}, "gpqa"),
        ("team:gpqa", 0, {"k": 1}, "team_gpqa:k=1"),
        ("gpqa", 2, {}, "gpqa:version=2"),
        ("gpqa", "1-B", {"cot": True}, "gpqa:cot=True,version=1-B"),
        ("gpqa", 2, {"version": "hard"}, "gpqa:task_version=2,version=hard"),
        ("t", 0, {"b": 1.0, "a": "x"}, "t:a=x,b=1"),
        ("t", 0, {"a": "x, y", "b": ["p", 2.0]}, 't:a="x, y",b=["p",2]'),
        ("t", 0, {"c": {"q": None, "r": 1}}, 't:c={"r":1}'),
        ("t", 0, {"a": None, "limit": 3, "n_samples": 5, "num_samples": 1}, "t"),
        ("t", 0, {"max_samples": 3, "sample_limit": 5, "n_doors": 5}, "t:n_doors=5"),
        ("t", 0, {"model": "a/b", "grader": "a/c", "grader_model": "x", "judges": ["y"]}, "t"),
        ("t", 0, {"user_model_config": {"temperature": 0}, "model_size": 3}, "t:model_size=3"),
        ("t", 0, {"odd key": 1}, "t:odd_key=1"),
        (None, None, None, "unnamed"),
        ({"a": 1}, [], 7, "unnamed"),
    ],
)  # fmt: skip
def test_labels(task, version, args, label):
    assert scenario_label(task, version, args) == label
    assert scenario_group_of(label) == label.partition(":")[0]


def test_the_arguments_that_were_passed():
    assert scenario_args({"task_args": {"a": 1, "b": 2}, "task_args_passed": {}}) == {}
    assert scenario_args({"task_args": {"a": 1}, "task_args_passed": None}) == {"a": 1}
    assert scenario_args({"task_args": [1]}) == {}


# ---------- the condition

PLAN = {
    "name": "plan",
    "steps": [
        {"solver": "system_message", "params": {"template": "Be brief.", "params": {}},
         "params_passed": {"template": "Be brief."}},
        {"solver": "generate", "params": {"tool_calls": "loop", "kwargs": {}}, "params_passed": {}},
    ],
    "config": {"temperature": 0.5, "max_tokens": 100},
}  # fmt: skip
SPEC = {
    "model": "a/b",
    "task_args": {"k": 1},
    "dataset": {"name": "adds", "location": "here", "samples": 4},
    "sandbox": {"type": "docker", "config": "compose.yaml"},
    "model_generate_config": {"seed": 1, "temperature": 0.9},
    "model_roles": {"grader": {"model": "a/judge", "config": {}, "args": {}}},
    "config": {"message_limit": 20, "epochs": 1},
    "scorers": [
        {
            "name": "match",
            "options": {"numeric": True},
            "metrics": [{"name": "inspect_ai/accuracy", "options": {}}],
        }
    ],
}


def test_the_fields():
    assert condition_fields(SPEC, PLAN) == {
        "dataset": "adds",
        "max_tokens": 100,
        "message_limit": 20,
        "model_roles.grader": "a/judge",
        "sandbox": "docker",
        "scorers": [{"name": "match", "options": {"numeric": True}}],
        "seed": 1,
        "solver": [
            {"name": "system_message", "params": {"template": "Be brief."}},
            {"name": "generate"},
        ],
        "temperature": 0.5,  # of the plan: it comes last in Inspect too
    }


def _with(path, value):
    spec, plan = copy.deepcopy(SPEC), copy.deepcopy(PLAN)
    *way, last = path.split(".")
    inner = {"spec": spec, "plan": plan}
    for step in way:
        inner = inner[int(step)] if isinstance(inner, list) else inner.setdefault(step, {})
    inner[int(last) if isinstance(inner, list) else last] = value
    return condition_fields(spec, plan)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("spec.model", "c/d"),
        ("spec.model_base_url", "http://here"),
        ("spec.model_args", {"device": 1}),
        ("spec.task", "pkg/other"),
        ("spec.task_args", {"k": 2}),
        ("spec.dataset.location", "there"),
        ("spec.dataset.samples", 9),
        ("spec.dataset.sample_ids", [1]),
        ("spec.sandbox", ["docker", "other.yaml"]),
        ("spec.sandbox", "docker"),
        ("spec.config.limit", 5),
        ("spec.config.epochs", 3),
        ("spec.config.epochs_reducer", ["mean"]),
        ("spec.config.fail_on_error", False),
        ("spec.config.max_samples", 3),
        ("spec.config.token_limit_type", "all"),
        ("spec.config.cost_limit", None),
        ("spec.config", {"max_messages": 20}),
        ("spec.model_generate_config.max_connections", 8),
        ("spec.model_generate_config.top_p", None),
        ("plan.config.cache", True),
        ("plan.config.batch", {"size": 3}),
        ("plan.config.max_retries", 8),
        ("plan.config.timeout", 8),
        ("plan.config.attempt_timeout", 8),
        ("plan.config.max_tokens", 100.0),
        ("plan.name", "mine"),
        ("plan.finish", None),
        ("plan.steps.0.solver", "inspect_ai/system_message"),
        ("plan.steps.1", {"solver": "generate", "params": {}}),
        ("plan.steps.1.params_passed", {"cache": True}),
        ("plan.steps.0", {"solver": "system_message", "params": {"message": "Be brief."}}),
        ("spec.model_roles.grader", {"model": "a/judge", "base_url": "http://here"}),
        ("spec.model_roles.grader", {"model": "a/judge"}),
        ("spec.scorers.0.name", "pkg/match"),
        ("spec.scorers.0.metadata", {"a": 1}),
        ("spec.scorers.0.metrics", {"*": [{"name": "stderr", "options": {"cluster": "topic"}}]}),
        ("spec.scorers.0.options", {"numeric": True, "template": None}),
    ],
)
def test_what_is_no_part_of_the_condition(path, value):
    assert _with(path, value) == condition_fields(SPEC, PLAN)


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("spec.dataset.name", "other", "dataset"),
        ("spec.sandbox.type", "k8s", "sandbox"),
        ("spec.config.message_limit", 21, "message_limit"),
        ("spec.config.token_limit", 21, "token_limit"),
        ("spec.config.working_limit", 21, "working_limit"),
        ("spec.config.approval", {"approvers": [{"name": "auto", "tools": "*"}]}, "approval"),
        ("spec.model_generate_config.top_p", 0.5, "top_p"),
        ("plan.config.temperature", 0, "temperature"),
        ("plan.config.extra_body", {"a": 1}, "extra_body"),
        ("plan.steps.0.params_passed", {"template": "Be long."}, "solver"),
        ("plan.steps.1.solver", "basic_agent", "solver"),
        ("plan.finish", {"solver": "tidy", "params": {}}, "solver"),
        ("spec.model_roles.grader.model", "a/other", "model_roles.grader"),
        ("spec.model_roles.grader.config", {"temperature": 0}, "model_roles.grader"),
        ("spec.model_roles.grader", [{"model": "a/j"}, {"model": "a/k"}], "model_roles.grader"),
        ("spec.model_roles.red", {"model": "a/red"}, "model_roles.red"),
        ("spec.task_args.grader_model", "a/judge", "task_args.grader_model"),
        ("spec.task_args.model", "a/other", "task_args.model"),
        ("spec.scorers.0.name", "includes", "scorers"),
        ("spec.scorers.0.options.model", "a/judge", "scorers"),
        ("spec.scorers.0.options", {"model": "a/judge"}, "scorers"),
        ("spec.scorers.0.metrics.0.options", {"threshold": 2}, "scorers"),
        ("spec.scorers.0.metrics", [{"a": [{"name": "own", "options": {"t": 2}}]}], "scorers"),
        ("spec.metrics", [{"name": "own", "params": {"t": 2}}], "scorers"),
    ],
)
def test_what_is_part_of_the_condition(path, value, field):
    old, new = condition_fields(SPEC, PLAN), _with(path, value)
    assert {k for k in old | new if old.get(k) != new.get(k)} == {field}
    assert condition_of(old) != condition_of(new)


def test_the_task_argument_that_names_the_evaluated_model_says_nothing_more():
    assert _with("spec.task_args.model", "a/b") == condition_fields(SPEC, PLAN)
    agent = {**SPEC, "model": "none/none", "task_args": {"model": "a/b"}}
    assert condition_fields(agent, PLAN) == condition_fields(SPEC, PLAN)


def test_a_model_in_an_option_is_its_name():
    model = {"model": "a/judge", "config": {}, "base_url": None, "model_args": {}}
    one = _with("spec.scorers.0.options.grader", model)
    assert one["scorers"][0]["options"]["grader"] == "a/judge"
    warm = {**model, "config": {"temperature": 1, "timeout": 3}}
    said = _with("spec.scorers.0.options.grader", warm)["scorers"][0]["options"]["grader"]
    assert said == {"model": "a/judge", "config": {"temperature": 1}}


def test_random_names_of_tools_are_left_out():
    def tools(instance):
        tool = {"type": "tool", "name": "browser", "params": {"instance": instance, "width": 3}}
        return _with("plan.steps.0", {"solver": "use_tools", "params": {"tools": [[tool]]}})

    assert tools("abc") == tools("def")
    assert tools("abc")["solver"][0]["params"]["tools"][0][0]["params"] == {"width": 3}


def test_a_solver_without_steps():
    spec = {"solver": "pkg/agent", "solver_args": {"a": 1, "b": None, "c": 2}}
    assert condition_fields(spec, {}) == {
        "solver": [{"name": "agent", "params": {"a": 1, "c": 2}}],
    }
    spec["solver_args_passed"] = {"a": 1}
    assert condition_fields(spec, {"steps": []})["solver"][0]["params"] == {"a": 1}
    assert condition_fields(spec, {"steps": [{"solver": "x"}]})["solver"] == [{"name": "x"}]


def test_agents_are_named_by_their_settings():
    settings = ({"agent": "a", "k": 1.0}, "pkg/solve", {"b": 2}, {"team": "x"})
    name = agent_name(*settings)
    assert name == agent_name({"k": 1, "agent": "a", "limit": 5}, "solve", {"b": 2}, {"team": "x"})
    others = [({}, *settings[1:]), (*settings[:3], None), (settings[0], None, *settings[2:])]
    assert len({name, *(agent_name(*other) for other in others)}) == 4
    assert agent_name(None, None, None, None) == agent_name([], 1, "x", {})


# ---------- hostile headers

_KEYS = [
    "name",
    "options",
    "metrics",
    "model",
    "config",
    "args",
    "type",
    "params",
    "steps",
    "\ud800",
]
_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["\ud800", "a/b", "generate", "tool", 10**4000]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_KEYS), inner, max_size=4)
    ),
    max_leaves=12,
)
_FIELDS = st.sampled_from([*SPEC, *PLAN, "metrics", "solver", "solver_args", "finish"])


@given(st.dictionaries(_FIELDS, _JSON), st.dictionaries(_FIELDS, _JSON), _JSON, _JSON)
def test_any_header_has_an_identity(spec, plan, task, version):
    fields = condition_fields(spec, plan)
    assert len(condition_of(fields)) == 8
    canonical_json(fields).encode()
    label = scenario_label(task, version, scenario_args(spec))
    assert label.encode()
    assert "/" not in label.partition(":")[0]
    agent_name(spec.get("task_args"), spec.get("solver"), plan, task)


@given(_JSON)
def test_any_thing_in_place_of_a_header(value):
    assert isinstance(condition_fields(value, value), dict)
    assert scenario_label(value, value, value)


def test_deep_headers():
    deep = value = {}
    for _ in range(900):
        value["config"] = value = {}
    fields = condition_fields({"scorers": [{"name": "a", "options": deep}], "metrics": deep}, deep)
    assert condition_of(fields)
    assert scenario_label("t", 0, {"deep": deep}).startswith("t:deep=")


# ---------- real headers


def _header(path, data):
    """Give a log's header; None if it has none."""
    if path.endswith(".json"):
        header = json.loads(data)
        return header if isinstance(header, dict) and "eval" in header else None
    members = dict(_members(data))
    member = members.get("header.json") or members.get("_journal/start.json")
    return json.loads(member()) if member else None


def _members(data):
    """Walk through the directory of a zip: names, and how to read them."""
    end = data.rfind(b"PK\x05\x06")
    count, at = struct.unpack_from("<10xH4xI", data, end) if end >= 0 else (0, 0)
    for _ in range(count):
        method, packed, *sizes, offset = struct.unpack_from("<10xH8xI4xHHH8xI", data, at)
        name = data[at + 46 : at + 46 + sizes[0]].decode()
        yield name, lambda m=method, n=packed, o=offset: _unpacked(data, m, n, o)
        at += 46 + sum(sizes)


def _unpacked(data, method, packed, offset):
    start = offset + 30 + sum(struct.unpack_from("<26xHH", data, offset))
    raw = data[start : start + packed]
    if method == 93:
        import zstandard

        reader = zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True)
        return reader.read()
    return zlib.decompress(raw, -15) if method == 8 else raw


@pytest.fixture(scope="module")
def identities():
    """Give (scenario, condition, model, header) of every real log, by its path."""
    folder = Path(os.environ.get("BENCHCAST_SHARED") or ROOT.parent / "shared")
    folder = folder / "data" / "inspect-logs"
    packs = sorted(folder.glob("*.tar.zst"))
    if not packs:
        pytest.skip(f"real Inspect logs are not here: none in {folder} (set BENCHCAST_SHARED)")
    import zstandard

    found = {}
    for pack in packs:
        with (
            pack.open("rb") as file,
            zstandard.ZstdDecompressor(max_window_size=2**27).stream_reader(file) as stream,
            tarfile.open(fileobj=stream, mode="r|") as tar,
        ):
            for member in tar:
                if member.isfile() and member.name.endswith((".eval", ".json")):
                    header = _header(member.name, tar.extractfile(member).read())
                    if header:
                        found[member.name] = (*_identity(header), header)
    return found


def _identity(header):
    spec, plan = header["eval"], header.get("plan") or {}
    label = scenario_label(spec["task"], spec.get("task_version"), scenario_args(spec))
    return label, condition_of(condition_fields(spec, plan)), spec["model"]


def _cells(identities, part):
    cells = defaultdict(list)
    for path, (scenario, condition, model, _) in sorted(identities.items()):
        if part in path:
            cells[scenario, condition].append(model)
    return cells


def test_the_grid_is_one_column_per_task(identities):
    cells = _cells(identities, "cdinu-civic-misinfo/")
    grid = {cell: models for cell, models in cells.items() if len(models) > 1}
    assert sorted(len(models) for models in grid.values()) == [5, 5, 6, 6]
    assert len({scenario_group_of(scenario) for scenario, _ in grid}) == 4
    assert all(len(set(models)) == len(models) for models in grid.values())
    smoke = [models for models in cells.values() if len(models) == 1]
    assert sorted(smoke) == [
        ["anthropic/claude-sonnet-4-5"],
        ["openrouter/deepseek/deepseek-v4-flash"],
    ]


def test_three_models_of_one_eval_set_share_a_cell(identities):
    ((_, models),) = _cells(identities, "log-sets/set2").items()
    assert sorted(models) == [
        "anthropic/claude-sonnet-4-20250514",
        "google/gemini-2.5-pro",
        "openai/gpt-5",
    ]


def test_a_retry_is_of_the_same_cell_and_another_framing_is_not(identities):
    cells = _cells(identities, "monty-hall/")
    assert sorted(len(models) for models in cells.values()) == [1, 2, 2]
    assert len({scenario for scenario, _ in cells}) == 3
    tasks = defaultdict(set)
    for path, (scenario, condition, _, header) in identities.items():
        if "monty-hall/" in path:
            tasks[header["eval"]["task_id"]].add((scenario, condition))
    assert all(len(cells) == 1 for cells in tasks.values())
    old = _cells(identities, "test_eval_set/2024-08-29")
    assert [len(models) for models in old.values()] == [2]


def test_two_formats_of_a_log_agree(identities):
    pairs = 0
    for path, found in identities.items():
        made = path.replace("made-edge-cases/json/", "made-edge-cases/").replace(".json", ".eval")
        if path != made and made in identities:
            assert found[:3] == identities[made][:3]
            pairs += 1
    assert pairs >= 6


def test_every_real_header_has_an_identity(identities):
    assert len(identities) > 100
    for scenario, condition, _, _ in identities.values():
        assert scenario
        assert len(condition) == 8
