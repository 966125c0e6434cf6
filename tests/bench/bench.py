"""Timings, as ratios within one run: machines are noisy, so absolute seconds mean little.

    python tests/bench/bench.py [--write FILE] [--only hibayes]

Each line times two things in turn, five times, and gives the median of each and of their ratio.
What `hibayes_bench` measures is a section of its own; --only measures it alone, and leaves the
rest of the page as it is.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import hibayes_bench
import msgspec

import harness
import suites
from harness.pool import Pool
from harness.server import PRELOAD

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("BENCHCAST_SHARED") or ROOT.parent / "shared")
ARENA = SHARED / "data" / "arena"
MAKE_LOGS = SHARED / "tools" / "make_inspect_logs.py"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", metavar="FILE")
    parser.add_argument("--only", choices=["hibayes"])
    options = parser.parse_args()
    section = []
    for line in hibayes_bench.report(SHARED, ROOT):
        section.append(line)
        print(line, file=sys.stderr)
    if options.only:
        text = "\n".join(section) + "\n"
        if options.write:
            page = Path(options.write)
            rest = page.read_text(encoding="utf-8").partition(section[0])[0].rstrip()
            page.write_text(f"{rest}\n\n{text}", encoding="utf-8")
        print(text)
        return
    lines = [
        "# Timings",
        "",
        "Written by `make bench`; seconds are those of one machine with "
        f"{os.cpu_count()} cores, ratios travel better.",
        "",
        "| what | s | against | s | ratio |",
        "|---|---|---|---|---|",
    ]
    for row in (commands(), responses(), frames(), workers(), jobs()):
        lines.append(row)
        print(row, file=sys.stderr)
    lines += ["", *inspect_logs(), "", *arena(), "", *section]
    text = "\n".join(lines) + "\n"
    print(text)
    if options.write:
        Path(options.write).write_text(text, encoding="utf-8")


def commands() -> str:
    """`harness --help` against an interpreter that does nothing."""
    program = str(Path(sys.executable).parent / "harness")
    return _row(
        "`harness --help`",
        lambda: _run([program, "--help"]),
        "`python -c pass`",
        lambda: _run([sys.executable, "-c", "pass"]),
    )


def responses() -> str:
    """Main metric of 48 HELM runs against a bare decode of the same files."""
    suite = _demo("standin-v1")
    files = [run.path / "per_instance_stats.json" for run in suite.runs()]
    return _row(
        "responses of the main metric, 48 HELM runs",
        lambda: suites.read(suite.path).responses(),
        "bare JSON decode of the same files",
        lambda: [msgspec.json.decode(file.read_bytes()) for file in files],
    )


def frames() -> str:
    """The four frames of 48 HELM runs against a bare decode of all their files."""
    suite = _demo("standin-v1")
    names = ("run_spec", "scenario_state", "stats", "per_instance_stats")
    files = [run.path / f"{name}.json" for run in suite.runs() for name in names]
    runs = suite.runs()
    return _row(
        "the four frames, 48 HELM runs",
        lambda: (runs.run_spec(), runs.scenario_state(), runs.stats(), runs.per_instance_stats()),
        "bare JSON decode of the same files",
        lambda: [msgspec.json.decode(file.read_bytes()) for file in files],
    )


def workers() -> str:
    """A worker forked by the server against a new interpreter with the same imports."""
    with tempfile.TemporaryDirectory() as folder, Pool(Path(folder)) as pool:
        with pool.start("warm-up"):
            pass

        def fork() -> None:
            with pool.start("worker") as worker:
                load = {"module": "predictors.scenario_mean", "file": None, "cls": "ScenarioMean"}
                worker.call({"call": "load", "spec": {**load, "settings": "{}"}}, timeout=60)

        imports = "; ".join(f"import {name}" for name in (*PRELOAD, "predictors.scenario_mean"))
        return _row(
            "a worker, forked, with its predictor loaded",
            fork,
            "a new interpreter with the same imports",
            lambda: _run([sys.executable, "-c", imports]),
        )


def jobs() -> str:
    """Two workers at a time against one."""
    suite = suites.read("demo/standin-v1")
    names = ["kernel-ridge", "additive-logit", "beta-binomial"]
    return _row(
        "an evaluation of the demo with `jobs=2`",
        lambda: harness.evaluate(suite, names, k=[0, 5, 20], jobs=2),
        "with `jobs=1`",
        lambda: harness.evaluate(suite, names, k=[0, 5, 20], jobs=1),
        times=3,
    )


# Each runs in a process of its own, after its imports and a small log have been read; what it
# prints is the CPU time of ``work`` alone, user and system, and the process's most memory.
SIDE = """
import sys, time
path, small = sys.argv[1:]
{imports}
def work(path):
    return {work}
work(small)
before = time.process_time()
work(path)
seconds = time.process_time() - before
peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(seconds, int(peak) / 1024)
"""

OURS = "import suites, pandas, pyarrow.compute"
THEIRS = """
import glob
from inspect_ai.analysis import samples_df
from inspect_ai.log import read_eval_log
"""
SCORES = (OURS, "suites.read(path).responses()")
FRAMES = (
    OURS,
    "[(r.run_spec(), r.scenario_state(), r.stats(), r.per_instance_stats())"
    " for r in suites.InspectRuns(path)]",
)
BARE = (
    "import msgspec, zipfile, glob",
    "[msgspec.json.decode(zipfile.ZipFile(p).read('summaries.json')) for p in glob.glob(path)]",
)
SAMPLES_DF = (THEIRS, "samples_df(glob.glob(path), quiet=True)")
FULL = (THEIRS, "[read_eval_log(p) for p in glob.glob(path)]")
LOADER = (
    THEIRS,
    "(samples_df(glob.glob(path), quiet=True), [read_eval_log(p) for p in glob.glob(path)])",
)

# Four samples that Inspect really runs, with all events it writes, again and again.
REAL = """
import sys
from inspect_ai import Task, eval
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.log import read_eval_log, write_eval_log
from inspect_ai.model import ModelOutput, ModelUsage, get_model
from inspect_ai.scorer import match
from inspect_ai.solver import generate, system_message

folder, out, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
answers = []
for text in ("yes", "no", "yes", "yes"):
    answer = ModelOutput.from_content("mockllm/model", text)
    answer.usage = ModelUsage(input_tokens=40, output_tokens=1, total_tokens=41)
    answers.append(answer)
asked = [Sample(id=i, input="word " * 60 + f"{i}?", target="yes") for i in range(4)]
task = Task(
    dataset=MemoryDataset(asked, name="made"),
    solver=[system_message("Be brief."), generate()],
    scorer=match(),
    name="made",
)
model = get_model("mockllm/model", custom_outputs=answers)
(log,) = eval(task, model=model, log_dir=folder, display="none")
log = read_eval_log(log.location)
log.samples = [
    log.samples[i % 4].model_copy(update={"id": f"s{i}", "uuid": f"u{i}"}) for i in range(count)
]
log.eval.dataset.sample_ids = [sample.id for sample in log.samples]
log.reductions = None
write_eval_log(log, out)
"""


def inspect_logs() -> list[str]:
    """Inspect logs against inspect_ai: CPU seconds without imports, and memory."""
    python = os.environ.get("BENCHCAST_INSPECT_PYTHON")
    if not python or not Path(python).is_file():
        return ["Inspect logs are not compared: BENCHCAST_INSPECT_PYTHON names no Python with it."]
    if not MAKE_LOGS.is_file():
        return [f"Inspect logs are not compared: no {MAKE_LOGS.name} (set BENCHCAST_SHARED)."]
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        for name, models, tasks, samples in (
            ("small", 1, 1, 20),
            ("5000", 1, 1, 5000),
            ("20000", 1, 1, 20_000),
            ("folder", 12, 8, 200),
        ):
            sizes = ["--models", models, "--tasks", tasks, "--samples", samples]
            words = ["--kind", "binary", *map(str, sizes), "--out", str(home / name)]
            _run([sys.executable, str(MAKE_LOGS), *words])
        (home / "real" / "logs").mkdir(parents=True)
        real = str(home / "real" / "logs" / "log.eval")
        _run([python, "-W", "ignore", "-c", REAL, str(home / "run"), real, "5000"])
        return [
            "Inspect logs, CPU seconds (user and system, all threads) without imports; each side",
            "in processes of its own, medians of five:",
            "",
            "| what | CPU s | against | CPU s | times less |",
            "|---|---|---|---|---|",
            *_compared(python, home),
            "",
            f"The score table of a log of 20,000 samples: at most {_peak(home):.0f} MiB in all.",
            "HiBayES, which is not on PyPI, calls `samples_df`, then reads each log in full with",
            "`read_eval_log`, then looks up each row; only the first two are in the line above.",
        ]


def _compared(python: str, home: Path) -> Iterator[str]:
    one, many, real = "log of 5,000 samples", "96 logs of 200 samples", "5000"
    for what, ours, where, against, theirs, by in (
        (f"score table of a {one}", SCORES, real, "`samples_df`", SAMPLES_DF, python),
        (
            f"score table of a {one} with all events",
            SCORES,
            "real",
            "`samples_df`",
            SAMPLES_DF,
            python,
        ),
        (
            f"score table of a {one}",
            SCORES,
            real,
            "bare decode of summaries.json",
            BARE,
            sys.executable,
        ),
        (
            f"four frames of a {one} with all events",
            FRAMES,
            "real",
            "`read_eval_log`",
            FULL,
            python,
        ),
        (f"four frames of a {one} without events", FRAMES, real, "`read_eval_log`", FULL, python),
        (f"score table of {many}", SCORES, "folder", "`samples_df`", SAMPLES_DF, python),
        (
            f"score table of {many}",
            SCORES,
            "folder",
            "`samples_df`, and `read_eval_log` of each",
            LOADER,
            python,
        ),
    ):
        pairs = [
            (_side(sys.executable, ours, home, where)[0], _side(by, theirs, home, where)[0])
            for _ in range(5)
        ]
        a, b = (statistics.median(side) for side in zip(*pairs, strict=True))
        ratio = statistics.median(y / x for x, y in pairs)
        row = f"| {what} | {a:.3f} | {against} | {b:.3f} | {ratio:.2f} |"
        print(row, file=sys.stderr)
        yield row


def _peak(home: Path) -> float:
    return _side(sys.executable, SCORES, home, "20000")[1]


def _side(python: str, side: tuple[str, str], home: Path, where: str) -> tuple[float, float]:
    """Give CPU seconds and MiB of one side's work on a folder of logs."""
    imports, work = side
    ending = "" if imports == OURS else "/*.eval"
    paths = [str(home / name / "logs") + ending for name in (where, "small")]
    program = SIDE.format(imports=imports, work=work)
    words = [python, "-W", "ignore", "-c", program, *paths]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    seconds, peak = done.stdout.split()[-2:]
    return float(seconds), float(peak)


def arena() -> list[str]:
    """All baselines on the arena: wall seconds and memory of one command."""
    table = ARENA / "openllm2.parquet"
    if not table.is_file():
        return ["The arena is not here: set BENCHCAST_SHARED to the folder that holds data/."]
    command = "harness evaluate openllm2.parquet --k 0,1,2,5,10,20,50,100 --folds 10 --jobs 2"
    with tempfile.TemporaryDirectory() as folder:
        program = str(Path(sys.executable).parent / "harness")
        started = time.monotonic()
        words = [*command.split()[1:], "--out", f"{folder}/results"]
        words[1] = str(table)
        _run([program, *words])
        wall = time.monotonic() - started
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024**2
    return [
        f"The quick predictors on the arena (57 × 35 runs, 8 k, one seed): `{command}` took "
        f"{wall:.0f} s; its largest process used {peak:.2f} GiB.",
    ]


def _demo(name: str) -> suites.HelmSuite:
    return next(s for s in suites.HelmOutputs.demo().suites() if s.name == name)


def _row(
    what: str, left: Callable[[], object], against: str, right: Callable[[], object], times: int = 5
) -> str:
    pairs = []
    for _ in range(times):
        pairs.append((_seconds(left), _seconds(right)))
    a, b = (statistics.median(side) for side in zip(*pairs, strict=True))
    ratio = statistics.median(x / y for x, y in pairs)
    return f"| {what} | {a:.3f} | {against} | {b:.3f} | {ratio:.2f} |"


def _seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, capture_output=True)


if __name__ == "__main__":
    main()
