"""Logs of Inspect, read here and by the newest inspect_ai, run by another Python.

Set BENCHCAST_INSPECT_PYTHON to a Python that has inspect_ai, pandas, pyarrow and benchcast; without
it these tests are skipped. BENCHCAST_SHARED may name the folder with the logs. Where
BENCHCAST_CONFORMANCE_PAGE names a page, the differences are written into it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import inspect_oracle as oracle
import pytest

PYTHON = os.environ.get("BENCHCAST_INSPECT_PYTHON")
PAGE = os.environ.get("BENCHCAST_CONFORMANCE_PAGE")
HEADING = "## Logs of Inspect"

pytestmark = [
    pytest.mark.skipif(
        not PYTHON, reason="BENCHCAST_INSPECT_PYTHON names no Python with inspect_ai"
    ),
    pytest.mark.slow,
]

OBJECTS = """
import sys
import suites

runs = [run for place in sys.argv[1:] for run in suites.InspectRuns(place)]
firsts = [next(run.samples(), None) for run in runs]
assert not any(name.partition(".")[0] == "inspect_ai" for name in sys.modules)

from inspect_ai.log import EvalLog, EvalSample, read_eval_log

for run, sample in zip(runs, firsts):
    log = run.eval_log
    assert type(log) is EvalLog, type(log)
    assert log.eval.model == run.header.model and log.status == run.header.status
    assert log.model_dump_json() == read_eval_log(run.path).model_dump_json()
    ids = {(str(s.id), s.epoch) for s in log.samples or []}
    assert ids == {(s.id, s.epoch) for s in run.samples()}
    if sample is not None:
        own = sample.eval_sample
        assert type(own) is EvalSample and (str(own.id), own.epoch) == (sample.id, sample.epoch)
        assert own.output.completion == (sample.completion or "")
print(len(runs), sum(sample is not None for sample in firsts))
"""


def test_every_log_is_read_as_the_newest_inspect_reads_it_or_the_difference_has_a_reason(
    shared_logs, inspects_readings, tmp_path
):
    names = [record["file"] for record in inspects_readings]
    out = tmp_path / "newest.jsonl"
    _run([oracle.__file__, str(shared_logs), str(out), *names])
    records = [json.loads(line) for line in out.read_text().splitlines()]
    assert [record["file"] for record in records] == names
    compared = [oracle.compare(record, shared_logs) for record in records]
    facts = sum(count for count, _ in compared)
    differences = [difference for _, found in compared for difference in found]
    version = _run(["-c", "import inspect_ai; print(inspect_ai.__version__)"]).split()[-1]
    refused = sum(any(key.endswith("_refused") for key in record) for record in records)
    report = _report(version, records, refused, facts, differences)
    sys.stdout.write("\n" + report)
    assert [d for d in differences if not d.reason] == []
    assert len(records) == 122
    if PAGE:
        page = Path(PAGE)
        kept = page.read_text(encoding="utf-8").partition(HEADING)[0].rstrip()
        page.write_text(f"{kept}\n\n{report}", encoding="utf-8")


def test_inspects_own_objects_are_given_where_inspect_is(shared_logs):
    packs = ["cdinu-civic-misinfo", "monty-hall", "inspect_ai-history", "hibayes-tests"]
    places = ["demo/inspect", *(str(shared_logs / pack) for pack in packs)]
    logs, samples = map(int, _run(["-c", OBJECTS, *places]).split()[-2:])
    assert logs > 60
    assert samples > 60


def _run(words: list[str]) -> str:
    done = subprocess.run([PYTHON, "-W", "ignore", *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def _report(version, records, refused, facts, differences) -> str:
    samples = sum(len(record.get("rows", ())) for record in records)
    lines = [
        HEADING,
        "",
        "Written by `make conformance`, which installs the newest inspect_ai in an environment of",
        f"its own; here {version}. Of {len(records)} real and made-up logs, since Inspect 0.3.2x,",
        "these facts are compared: what the header says, published figures, ids and epochs of",
        "samples, scores as they stand, errors, limits, retries, the values of the table of",
        "responses against `value_to_float`, counts of unscored and failed samples, and values",
        "reduced over epochs. The logs are looked for in `$BENCHCAST_SHARED`.",
        "",
        "| logs | refused by Inspect, wholly or in part | samples | facts compared | differences "
        "| of them unexplained |",
        "|---|---|---|---|---|---|",
        f"| {len(records)} | {refused} | {samples} | {facts} | {len(differences)} "
        f"| {sum(not d.reason for d in differences)} |",
        "",
        "| reason of a difference | times |",
        "|---|---|",
        *(
            f"| {r or '**none**'} | {n} |"
            for r, n in Counter(d.reason for d in differences).most_common()
        ),
        "",
        "| log | what | Inspect | here | reason |",
        "|---|---|---|---|---|",
        *(
            f"| {_cell(d.file)} | {_cell(d.what)} | {_cell(d.theirs)} | {_cell(d.ours)} "
            f"| {d.reason or '**none**'} |"
            for d in differences
        ),
    ]
    return "\n".join(lines) + "\n"


def _cell(value: object) -> str:
    if value is None:
        return "missing"
    if isinstance(value, list):
        return f"{len(value)} samples"
    text = " ".join(str(value).split()).replace("|", "\\|")
    return text if len(text) <= 90 else f"{text[:89]}…"
