"""Hostile predictors in workers: what gets through at a level is what the table says, no more."""

import dataclasses
import hashlib
import importlib.util
import os
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

import pandas as pd
import pytest

from harness.design import Design
from harness.held_out import HeldOut
from harness.jail.openings import ATTACKS, Machine, left_open
from harness.jail.policy import JAILS, LEVELS, Limits
from harness.jail.probe import reached
from harness.local import Local
from harness.pool import CallFailed, Pool, WorkerLost
from harness.prediction_table import COLUMNS, from_bytes
from harness.spec import parse_spec
from harness.unit import Unit
from suites.reading import read

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="there are no jails here")

FILE = Path(__file__).parents[2] / "data" / "misbehaving" / "attacks.py"
LIMITS = Limits(memory=3 << 30, disk=4 << 20, files=500, processes=48)
LEFT_OPEN = {level: left_open(level, Machine.here()) for level in LEVELS}


def attacks():
    """Import the file of the attacks, as a worker does."""
    spec = importlib.util.spec_from_file_location("attacks", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


OURS = attacks()


@pytest.fixture(scope="module")
def view(place):
    """One fold of a small table of runs."""
    folder = place / "held"
    folder.mkdir()
    grid = [(f"m{i}", f"s{j}", (i + j) / 8) for i in range(4) for j in range(4)]
    pd.DataFrame(grid, columns=["model", "scenario", "score"]).to_csv(folder / "t.csv", index=False)
    design = Design.of("heldout-run", 0, 2, 0, "block")
    held = HeldOut(read(folder / "t.csv"), folder, frames=False, progress=lambda *_: None)
    _, folds = design.apply(held)
    return held.write_fold(folds[0], design.task)


@pytest.fixture(scope="module")
def place():
    """A folder that every user can read, with the truth and what another predictor wrote."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        place.chmod(0o755)
        (place / "other").write_text("prediction")
        yield place


@pytest.fixture(scope="module")
def victim():
    """A process of this user."""
    with subprocess.Popen(["sleep", "600"]) as process:
        yield process.pid
        process.kill()


@pytest.fixture(scope="module")
def world(place, victim):
    """What attacks are told of where to look; the truth is named by its hash only."""
    truth = f"truth-{uuid.uuid4().hex}"
    (place / "truth").write_text(truth)
    name = f"benchcast-{uuid.uuid4().hex}"
    with (
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        socket.socket(socket.AF_UNIX) as stream,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as datagrams,
        open(place / "truth") as inherited,
    ):
        udp.bind(("127.0.0.1", 0))
        stream.bind(f"\0{name}")
        stream.listen()
        datagrams.bind(f"\0{name}-datagrams")
        os.set_inheritable(inherited.fileno(), True)
        settings = {
            "truth": str(place / "truth"),
            "digest": hashlib.sha256(truth.encode()).hexdigest(),
            "other": str(place / "other"),
            "victim": victim,
            "tcp": tcp.getsockname()[1],
            "udp": udp.getsockname()[1],
            "unix": name,
            **{k: v for k, v in dataclasses.asdict(LIMITS).items() if k != "open_files"},
        }
        yield truth, settings


@pytest.fixture(scope="module")
def pools(world, place):
    """A pool of each level, started when it is needed."""
    started = {}

    def get(level):
        if why := reached()[level]:
            pytest.skip(f"this machine has no level {level}: {why}")
        if level not in started:
            folder = place / level
            folder.mkdir()
            started[level] = (
                Pool(folder, level=level, limits=LIMITS),
                folder,
            )
            started[level][0].__enter__()
        return started[level]

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENCHCAST_TEST_SECRET", world[0])
        yield get
    for pool, _ in started.values():
        pool.__exit__()


def message(cls, settings, file=FILE):
    spec = {"module": None, "file": str(file), "cls": cls, "settings": repr(settings)}
    return {"call": "load", "spec": spec}


def predicted(worker, view) -> bool:
    """Let a worker fit and predict; give whether it says that it got through."""
    worker.call({"call": "fit", "folder": str(view.path), "seed": 0}, timeout=60)
    asked = {"call": "predict", "k": 0, "seed": 0, "tables": []}
    _, (table, status) = worker.call(asked, timeout=60)
    assert status == b"{}"
    values = from_bytes(table, COLUMNS).to_pandas()["value"].astype(float)
    return bool((values == 0.9).any())


def carry_out(pool, view, cls, settings, file=FILE, name="attack") -> bool:
    with pool.start(name, [view.path], [file.parent]) as worker:
        worker.call(message(cls, settings, file), timeout=60)
        return predicted(worker, view)


def got_through(pools, level, view, name, settings) -> bool:
    pool, folder = pools(level)
    cls = OURS.ATTACKS[name]
    settings = {**settings, "token": uuid.uuid4().hex}
    through = carry_out(pool, view, cls, settings, name=name)
    if name == "daemon":
        log = folder / f"{name}.log"
        assert b"still here" in log.read_bytes()
        before = log.stat().st_size
        time.sleep(0.2)
        return log.stat().st_size > before
    if name.startswith("leave-"):
        assert not through
        through = carry_out(pool, view, cls, settings, name=name)
        getattr(OURS, cls)(**settings).clean()
    return through


def test_every_attack_of_the_table_is_carried_out():
    assert set(OURS.ATTACKS) == set(ATTACKS)


@pytest.mark.parametrize("name", ATTACKS)
@pytest.mark.parametrize("level", LEVELS[:-1])
def test_what_gets_through_is_what_the_table_says(pools, view, world, level, name):
    assert got_through(pools, level, view, name, world[1]) == (name in LEFT_OPEN[level])


def test_nothing_gets_through_at_strong():
    assert LEFT_OPEN["strong"] == ()


def test_the_truth_in_this_process_would_be_found(world):
    """The control of what no worker can do: here, where the truth is, the search finds it."""
    assert OURS.ReadsHeap(**world[1]).attempt()
    assert OURS.ReadsDescriptors(**world[1]).attempt()


# -- what must go on working ----------------------------------------------------------------------


@pytest.mark.parametrize("level", JAILS)
def test_libraries_programs_and_neighbours_work_in_a_jail(pools, view, place, level):
    file = place / "mine" / "predictor.py"
    file.parent.mkdir(exist_ok=True)
    file.write_text(FILE.read_text())
    (file.parent / "neighbour.txt").write_text("hello")
    assert carry_out(pools(level)[0], view, "Computes", {}, file)


@pytest.mark.parametrize("level", JAILS)
def test_jax_works_in_a_jail(pools, view, place, level):
    pytest.importorskip("jax", exc_type=ImportError)
    pools(level)
    limits = Limits(memory=3 << 30)
    with Pool(place, level=level, limits=limits) as pool:
        assert carry_out(pool, view, "UsesJax", {})


@pytest.mark.parametrize("level", ["strong", "medium"])
def test_what_is_hidden_beside_a_predictor_is_not_there(pools, view, tmp_path, level):
    pools(level)  # or skip
    file = tmp_path / "mine" / "predictor.py"
    (file.parent / "results").mkdir(parents=True)
    file.write_text(FILE.read_text())
    (file.parent / "weights").mkdir()
    (file.parent / "weights" / "w.txt").write_text("1")
    (file.parent / "results" / "truth.txt").write_text("0.5")
    for hidden, found in (([], True), ([file.parent / "results"], False)):
        with Pool(tmp_path, level=level, hidden=hidden) as pool:
            assert carry_out(pool, view, "NamesWhatItSees", {}, file) == found
    if level == "strong":  # there the folder shows only what may be read
        said = [s for s in (tmp_path / "attack.log").read_text().splitlines() if s[:6] == "folder"]
        assert said[-1] == "folder ['predictor.py', 'w.txt']"


@pytest.mark.parametrize("level", JAILS)
@pytest.mark.parametrize("name", ["kernel-ridge", "beta-binomial", "random-forest"])
def test_a_jail_changes_no_byte_of_the_predictions(pools, view, level, name):
    pool, _ = pools(level)
    spec = parse_spec(name)
    unit = Unit(spec, {"min_k": 0}, view, [0], 60.0, False)
    readable = [view.path]
    inside = unit.run(lambda name: pool.start(name, readable))
    with Local() as here:
        outside = unit.run(here.start)
    assert {row[2:] for row in inside.status} == {("ok", 0.0, "")}
    assert inside.predictions[0].equals(outside.predictions[0])
    assert inside.status == outside.status


@pytest.mark.parametrize("level", JAILS)
@pytest.mark.parametrize(
    ("cls", "how"), [("EndsItsProcess", "exited with status 3"), ("KillsItself", "by signal 9")]
)
def test_how_a_worker_ended_is_told(pools, view, level, cls, how):
    file = FILE.with_name("predictors.py")
    with pytest.raises(WorkerLost, match=how):
        carry_out(pools(level)[0], view, cls, {}, file)


@pytest.mark.parametrize("level", JAILS)
def test_a_worker_that_hangs_is_ended_with_all_it_started(pools, view, level, place):
    file = place / "hangs.py"
    file.write_text(
        "import os, subprocess, time\n"
        "from harness.predictor import RunPredictor\n"
        "class Hangs(RunPredictor):\n"
        "    def predict(self, train_split, test_split):\n"
        "        print('started', flush=True)\n"
        "        subprocess.run(['sleep', '4242'])\n"
    )
    pool, _ = pools(level)
    with pool.start("hangs", [view.path], [place]) as worker:
        worker.call(message("Hangs", {}, file), timeout=60)
        worker.call({"call": "fit", "folder": str(view.path), "seed": 0}, timeout=60)
        asked = {"call": "predict", "k": 0, "seed": 0, "tables": []}
        with pytest.raises(WorkerLost, match="took over 1 s"):
            worker.call(asked, timeout=1.0)
    commands = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline")]
    assert b"sleep\x004242\x00" not in commands


@pytest.mark.parametrize("level", ["strong", "medium"])
def test_a_file_that_was_not_given_is_missed_and_said(pools, view, level):
    with pools(level)[0].start("blind") as worker, pytest.raises(CallFailed) as told:
        worker.call(message("Honest", {}), timeout=60)
    assert FILE.name in str(told.value)


def test_a_jail_that_cannot_be_entered_says_why(pools, view, tmp_path):
    pools("strong")
    with (
        Pool(tmp_path, level="strong", limits=Limits(disk=-1)) as pool,
        pool.start("never") as worker,
        pytest.raises(CallFailed, match="cannot be entered: its files cannot be mounted"),
    ):
        worker.call(message("Honest", {}), timeout=60)


def test_what_a_worker_may_write_outside_is_removed(pools, view, tmp_path):
    pools("medium")
    with Pool(tmp_path, level="medium") as pool:
        carry_out(pool, view, "LeavesFiles", {"token": "t"})
        assert not list(tmp_path.glob("scratch-*"))
