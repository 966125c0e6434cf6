from __future__ import annotations

import io
import json
import math
import os
import re
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path

import pytest
import zstandard

import suites
from suites.demo_data import cache_dir, unpack
from suites.errors import UsageError
from suites.helm.objects import HelmOutputs


def test_the_cache_is_the_users_unless_it_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("BENCHCAST_CACHE", str(tmp_path / "own"))
    assert cache_dir() == tmp_path / "own"
    monkeypatch.delenv("BENCHCAST_CACHE")
    assert cache_dir().name == "benchcast"


def test_demo_data_are_unpacked_once(demo):
    before = (demo.root_dir / "runs").stat().st_mtime_ns
    again = HelmOutputs.demo()
    assert again == demo
    assert (again.root_dir / "runs").stat().st_mtime_ns == before
    assert demo.root_dir.parent.name.startswith("helm-demo-")
    assert not list(cache_dir().glob("unpacking-*"))


def _little(data: bytes, folder: Path) -> None:
    """Stand in for the real unpacking."""
    (folder / "benchmark_output" / "runs").mkdir(parents=True)
    (folder / "benchmark_output" / "done").write_text(str(os.getpid()))


WORKER = """
import os, time
from suites import demo_data

def little(data, folder):
    (folder / "benchmark_output" / "runs").mkdir(parents=True)
    time.sleep(1)
    (folder / "benchmark_output" / "done").write_text(str(os.getpid()))

demo_data._unpack = little
print(demo_data.unpack("helm-standin"))
"""


def test_processes_that_unpack_at_once_agree(tmp_path):
    root = str(Path(__file__).resolve().parents[3])
    env = {**os.environ, "BENCHCAST_CACHE": str(tmp_path), "PYTHONPATH": root}
    workers = [
        subprocess.Popen([sys.executable, "-c", WORKER], stdout=subprocess.PIPE, text=True, env=env)
        for _ in range(3)
    ]
    answers = [worker.communicate(timeout=60)[0].strip() for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0, 0]
    assert len(set(answers)) == 1
    assert (Path(answers[0]) / "benchmark_output" / "done").is_file()
    assert len(list(tmp_path.iterdir())) == 1


def test_what_a_killed_unpacking_left_is_removed_later(tmp_path, monkeypatch):
    monkeypatch.setenv("BENCHCAST_CACHE", str(tmp_path))
    monkeypatch.setattr("suites.demo_data._unpack", _little)
    old, young = tmp_path / "unpacking-old", tmp_path / "unpacking-young"
    old.mkdir()
    young.mkdir()
    os.utime(old, (1, 1))
    unpack("helm-standin")
    assert not old.exists()
    assert young.exists()


def test_a_cache_that_cannot_be_written_is_said_with_the_way_out(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("BENCHCAST_CACHE", str(tmp_path / "file" / "below"))
    with pytest.raises(UsageError, match="set BENCHCAST_CACHE to a folder that can be written"):
        unpack("helm-standin")


def test_an_archive_that_there_is_not_is_named_with_those_there_are():
    with pytest.raises(UsageError, match="inspect-standin"):
        unpack("inspekt-standin")


@pytest.fixture(scope="module")
def inspect_demo() -> Path:
    return unpack("inspect-standin") / "inspect-standin"


@pytest.fixture(scope="module")
def judge_demo() -> Path:
    return unpack("judge-standin") / "judge-standin"


@pytest.fixture(scope="module")
def logs(inspect_demo) -> dict[str, dict[str, bytes]]:
    return _logs(inspect_demo)


@pytest.fixture(scope="module")
def judge_logs(judge_demo) -> dict[str, dict[str, bytes]]:
    return _logs(judge_demo)


def _logs(folder: Path) -> dict[str, dict[str, bytes]]:
    """Give the inflated members of every log; read here by hand, so that a reader is not needed."""
    return {path.name: dict(_members(path)) for path in sorted((folder / "logs").iterdir())}


def _members(path: Path):
    raw = path.read_bytes()
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        for info in archive.infolist():
            start = info.header_offset + 30 + len(info.filename.encode())
            data = raw[start : start + info.compress_size]
            if info.compress_type == 93:
                data = zstandard.ZstdDecompressor().decompressobj().decompress(data)
            yield info.filename, data


def test_the_inspect_demo_is_small_and_unpacked_once(inspect_demo):
    assert inspect_demo.parent.name.startswith("inspect-demo-")
    assert unpack("inspect-standin") == inspect_demo.parent
    archive = Path(__file__).parents[3] / "suites" / "demo" / "inspect-standin.tar.zst"
    assert archive.stat().st_size < 700_000


def test_the_inspect_demo_has_the_logs_that_real_folders_have(logs):
    headers = [json.loads(members["header.json"]) for members in logs.values()]
    assert len(headers) == 158
    assert Counter(header["status"] for header in headers) == {
        "success": 155,
        "error": 2,
        "cancelled": 1,
    }
    assert sum(header["invalidated"] for header in headers) == 1
    tries = Counter(header["eval"]["task_id"] for header in headers)
    assert sorted(tries.values())[-2:] == [1, 2]  # one evaluation was tried again
    cells = Counter(
        (h["eval"]["model"], h["eval"]["task"], str(h["eval"]["task_args"])) for h in headers
    )
    assert Counter(cells.values()) == {1: 154, 2: 2}  # that one, and one that was run twice


def test_models_of_the_inspect_demo_are_those_of_the_helm_demo(inspect_demo, demo):
    truth = json.loads((inspect_demo / "truth.json").read_text())
    helm = {
        run.run_spec()["run_spec.adapter_spec.model"].iloc[0]
        for suite in demo.suites()
        for run in suite.runs()
    }
    assert set(truth["ability"]) < helm
    assert {m.split("/")[0] for m in truth["ability"]} == {m.split("/")[0] for m in helm}


def test_answers_of_the_inspect_demo_come_from_its_truth(inspect_demo, logs):
    truth = json.loads((inspect_demo / "truth.json").read_text())
    observed, chance = [], []
    for members in logs.values():
        run = json.loads(members["header.json"])["eval"]
        subject = run["task_args"].get("subject")
        scenario = f"{run['task']}:subject={subject}" if subject else run["task"]
        if truth["scenarios"][scenario]["kind"] != "binary":
            continue
        for row in json.loads(members["summaries.json"]):
            for score in (row.get("scores") or {}).values():
                value = score["value"]
                observed.append(float({"C": 1, "I": 0}.get(value, value)))
                chance.append(_chance(truth, run["model"], scenario, str(row["id"])))
    assert len(observed) > 4000
    spread = math.sqrt(sum(p * (1 - p) for p in chance))
    assert abs(sum(observed) - sum(chance)) < 3 * spread
    squares = sum((x - p) ** 2 for x, p in zip(observed, chance, strict=True))
    assert abs(squares - spread**2) < 0.05 * spread**2


def _chance(truth: dict, model: str, name: str, item: str) -> float:
    scenario = truth["scenarios"][name]
    asked = scenario["items"][item]
    skill = (
        truth["ability"][model]
        + truth["in_domain"][model][asked["domain"]]
        + truth["in_scenario"][model][name]
    )
    q = 1 / (1 + math.exp(-asked["discrimination"] * (skill - asked["difficulty"])))
    return scenario["floor"] + (1 - scenario["floor"]) * q


def test_no_log_of_the_inspect_demos_tells_of_the_machine_it_was_made_on(logs, judge_logs):
    folder = re.compile(
        rb"(?<![0-9A-Za-z.])/(?:root|home|work|tmp|usr|opt|mnt|Users)(?![0-9A-Za-z])"
    )
    for name, members in [*logs.items(), *judge_logs.items()]:
        for member, data in members.items():
            assert not folder.search(data), f"{name}: {member}"


def test_the_judge_demo_is_small_and_unpacked_once(judge_demo):
    assert judge_demo.parent.name.startswith("judge-demo-")
    assert unpack("judge-standin") == judge_demo.parent
    archive = Path(__file__).parents[3] / "suites" / "demo" / "judge-standin.tar.zst"
    assert archive.stat().st_size < 100_000


def test_the_judge_demo_is_a_grid_of_graders_models_and_items(judge_demo, judge_logs, logs):
    truth = json.loads((judge_demo / "truth.json").read_text())
    cells = Counter()
    for members in judge_logs.values():
        header = json.loads(members["header.json"])
        assert header["status"] == "success"
        for row in json.loads(members["summaries.json"]):
            told = row["metadata"]
            assert told["grader"] == header["eval"]["task_args"]["grader"]
            assert told["grader_type"] == truth["grader_type"][told["grader"]]
            assert told["LLM"] == header["eval"]["model"].split("/")[1]
            assert told["item"] == row["id"]
            cells[told["grader"], told["LLM"]] += 1
    assert cells == {(g, m): 30 for g in truth["grader"] for m in truth["LLM"]}
    assert sorted(truth["grader_type"].values()) == ["human", "model", "model"]
    ids = [
        {json.loads(members["header.json"])["eval"]["task_id"] for members in some.values()}
        for some in (logs, judge_logs)
    ]
    assert ids[0].isdisjoint(ids[1])  # else one log would pass for another try of the other


def test_points_of_the_judge_demo_come_from_its_truth(judge_demo, judge_logs):
    truth = json.loads((judge_demo / "truth.json").read_text())
    points, off = Counter(), Counter()
    for members in judge_logs.values():
        for row in json.loads(members["summaries.json"]):
            value, told = row["scores"]["judge"]["value"], row["metadata"]
            mass = _chances(truth, told["grader"], told["LLM"], str(told["item"]))
            mean = sum(k * p for k, p in enumerate(mass))
            points[value] += 1
            for key in ("all", told["grader"], told["LLM"], told["grader"] == told["LLM"]):
                off[key] += value - mean
                off[key, "variance"] += sum((k - mean) ** 2 * p for k, p in enumerate(mass))
    assert sorted(points) == list(range(11))  # whole numbers, all of them
    for key in ("all", True, *truth["grader"], *truth["LLM"]):
        assert abs(off[key]) < 3 * math.sqrt(off[key, "variance"]), key


def _chances(truth: dict, grader: str, llm: str, item: str) -> list[float]:
    eta = truth["location"] + truth["grader"][grader] + truth["LLM"][llm] + truth["item"][item]
    eta += truth["self_preference"] * (grader == llm)
    more = [1 / (1 + math.exp(cut - eta)) for cut in truth["cutpoints"]]
    return [a - b for a, b in zip([1, *more], [*more, 0], strict=True)]


def test_the_judge_demo_is_a_source_like_the_others(judge_demo):
    suite = suites.read("demo/judges")
    assert (len(suite), suite.runs["model"].nunique(), len(suite.problems)) == (12, 4, 0)
    assert set(suite.runs["metric"]) == {"judge"}
    assert set(suite.runs["n"]) == {30}
    assert suites.read(judge_demo / "logs").runs["name"].tolist() == suite.runs["name"].tolist()
    with pytest.raises(UsageError, match="did you mean 'judges'"):
        suites.read("demo/judge")
    both = suites.read("demo/judges", "demo/inspect")
    assert len(both) == 12 + len(suites.read("demo/inspect"))
