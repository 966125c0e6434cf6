"""Predictors that do all that a predictor should not do; each is named for what it does."""

import gc
import json
import os
import signal
import stat
import struct
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from harness.predictor import RunPrediction, RunPredictor


class Honest(RunPredictor):
    """Predicts one half for every target."""

    needs = ("runs", "responses")

    def predict(self, train_split, sequestered_test_split):
        names = sequestered_test_split.targets["target"]
        return [RunPrediction(target=name, normal=(0.5, 0.2)) for name in names]


class RaisesInFit(Honest):
    def fit(self, train_split):
        raise ValueError("it cannot learn")


class RaisesInPredict(Honest):
    def predict(self, train_split, sequestered_test_split):
        return 1 / 0


class RaisesAtFive(Honest):
    def predict(self, train_split, sequestered_test_split):
        if sequestered_test_split.k == 5:
            raise LookupError("five is too many")
        return super().predict(train_split, sequestered_test_split)


class RaisesInConstructor(Honest):
    def __init__(self):
        raise OSError("there is no such file")


class RunsOutOfMemory(Honest):
    def predict(self, train_split, sequestered_test_split):
        raise MemoryError


class Recurses(Honest):
    def predict(self, train_split, sequestered_test_split):
        return self.predict(train_split, sequestered_test_split)


class SaysHalfACharacter(Honest):
    def predict(self, train_split, sequestered_test_split):
        raise ValueError("half a character: \ud800, and a null: \0")


SaysHalfACharacter.__doc__ = "And in its description \ud800."


class EndsItsProcess(Honest):
    def predict(self, train_split, sequestered_test_split):
        os._exit(3)


class Exits(Honest):
    def predict(self, train_split, sequestered_test_split):
        sys.exit("I am done")


class Interrupts(Honest):
    def predict(self, train_split, sequestered_test_split):
        raise KeyboardInterrupt


class KillsItself(Honest):
    def predict(self, train_split, sequestered_test_split):
        os.kill(os.getpid(), signal.SIGKILL)


class ClosesEverything(Honest):
    def predict(self, train_split, sequestered_test_split):
        os.closerange(0, 256)
        return super().predict(train_split, sequestered_test_split)


class Hangs(Honest):
    def predict(self, train_split, sequestered_test_split):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while True:
            time.sleep(1)


class ReturnsNone(Honest):
    def predict(self, train_split, sequestered_test_split):
        return None


class ReturnsStrings(Honest):
    def predict(self, train_split, sequestered_test_split):
        return ["0.5"] * len(sequestered_test_split.targets)


class ReturnsNaN(Honest):
    def predict(self, train_split, sequestered_test_split):
        names = sequestered_test_split.targets["target"]
        return [RunPrediction(target=name, mean=float("nan")) for name in names]


class ReturnsProbabilitiesAboveOne(Honest):
    def predict(self, train_split, sequestered_test_split):
        targets = sequestered_test_split.targets
        rows = targets[["target", "n"]].itertuples(index=False)
        return [RunPrediction(target=name, pmf=np.full(n + 1, 2.0)) for name, n in rows]


class AnswersTwice(Honest):
    def predict(self, train_split, sequestered_test_split):
        return super().predict(train_split, sequestered_test_split) * 2


class AnswersWhatWasNotAsked(Honest):
    def predict(self, train_split, sequestered_test_split):
        more = [RunPrediction(target=f"not asked {i} \ud800", mean=0.5) for i in range(3)]
        return more + super().predict(train_split, sequestered_test_split)


class AnswersAMillionTimes(Honest):
    def predict(self, train_split, sequestered_test_split):
        first, *rest = super().predict(train_split, sequestered_test_split)
        draws = np.linspace(0, 1, 500_000 if sequestered_test_split.k == 0 else 500)
        many = [RunPrediction(target=f"x{i}", mean=0.5) for i in range(20_000)]
        return [RunPrediction(target=first.target, samples=draws), *rest, *many]


class ForgetsOne(Honest):
    def predict(self, train_split, sequestered_test_split):
        answers = super().predict(train_split, sequestered_test_split)
        return sorted(answers, key=lambda p: p.target)[1:]


class ForgetsFive(Honest):
    def predict(self, train_split, sequestered_test_split):
        answers = super().predict(train_split, sequestered_test_split)
        return sorted(answers, key=lambda p: p.target)[5:]


class Generates(Honest):
    def predict(self, train_split, sequestered_test_split):
        yield from super().predict(train_split, sequestered_test_split)


class PrintsALot(Honest):
    def predict(self, train_split, sequestered_test_split):
        for _ in range(2000):
            print("x" * 500)  # noqa: T201
            sys.stderr.write("y" * 500)
        os.write(1, b"z" * 10_000)
        return super().predict(train_split, sequestered_test_split)


class ChangesItsInputs(Honest):
    """Ruins all it is given, and finds it whole at the next k."""

    def predict(self, train_split, sequestered_test_split):
        answers = super().predict(train_split, sequestered_test_split)
        train, test = train_split, sequestered_test_split
        assert train.runs["value"].between(0, 1).all()
        assert not (train.responses["value"] == 99).any()
        assert not (test.responses["value"] == 99).any()
        train.runs["value"] = 99.0
        for split in (train, test):
            split.responses["value"] = 99.0
            split.models["model"] = None
            split.stats = "gone"
        del test.targets["target"]
        test.targets["instances"] = None
        return answers


class LeavesAChild(Honest):
    """Leaves a process behind that holds whatever it can, then ends before it answers."""

    def __init__(self, pids="", ends=True):
        super().__init__()
        self.pids, self.ends = pids, ends

    def predict(self, train_split, sequestered_test_split):
        child = subprocess.Popen(["sleep", "600"], close_fds=False)
        with open(self.pids, "a") as file:
            file.write(f"{child.pid}\n")
        if self.ends:
            pid = os.fork()
            if pid == 0:
                time.sleep(600)
            with open(self.pids, "a") as file:
                file.write(f"{pid}\n")
            os._exit(4)
        child.returncode = 0  # so that it is not waited for
        return super().predict(train_split, sequestered_test_split)


def sockets():
    """Find the sockets of this process."""
    for name in os.listdir("/proc/self/fd"):
        try:
            if stat.S_ISSOCK(os.fstat(int(name)).st_mode):
                yield int(name)
        except OSError:
            continue


def forge(*messages):
    """Write messages on whatever socket there is, as if they were the worker's answers."""
    for number in sockets():
        for text, blob in messages:
            os.write(number, struct.pack(">Q", len(text)) + text + blob)


class Forges(Honest):
    """Writes answers of its own on the worker's socket."""

    def __init__(self, text="", blob=""):
        super().__init__()
        self.text, self.blob = text, blob

    def predict(self, train_split, sequestered_test_split):
        forge((self.text.encode(), self.blob.encode()))
        time.sleep(600)


class ForgesItsDescription(Honest):
    """Writes nonsense as the answer to load, so that the real one is that to describe."""

    def __init__(self):
        super().__init__()
        forge((b'{"blobs": [], "kind": "dog", "wall_s": "much"}', b""))


class Unpredictable(Honest):
    """Uses whatever randomness there is."""

    def predict(self, train_split, sequestered_test_split):
        import random

        sd = 0.1 + random.random() * np.random.rand()  # noqa: NPY002
        names = sequestered_test_split.targets["target"]
        return [RunPrediction(target=name, normal=(0.5, sd)) for name in names]


class Reads(Honest):
    """Notes in a file all numbers that it can reach, its environment and its descriptors."""

    needs = None

    def __init__(self, out="", everything=True):
        super().__init__()
        self.out, self.everything = out, everything

    def predict(self, train_split, sequestered_test_split):
        targets = sequestered_test_split.targets
        name = f"{targets['target'].min().replace('/', '_')}-{sequestered_test_split.k}"
        for touched in ("runs", "responses", "models", "scenarios", "run_specs", "stats"):
            for split in (train_split, sequestered_test_split):
                getattr(split, touched)
        gc.collect()
        roots = [train_split, sequestered_test_split]
        if self.everything:
            roots += gc.get_objects()
        np.save(Path(self.out) / f"{name}.npy", reachable(roots))
        content = {
            "environment": dict(os.environ),
            "descriptors": [kind_of(n) for n in os.listdir("/proc/self/fd")],
            "targets": targets["target"].tolist(),
        }
        (Path(self.out) / f"{name}.json").write_text(json.dumps(content))
        return super().predict(train_split, sequestered_test_split)


def kind_of(number):
    try:
        mode = os.fstat(int(number)).st_mode
        return [number, stat.filemode(mode)[0], os.readlink(f"/proc/self/fd/{number}")]
    except OSError:
        return [number, "closed", ""]


def reachable(roots, most=3_000_000):
    """Gather the numbers of all objects that can be reached."""
    import types

    import pandas as pd
    import pyarrow as pa

    seen, arrays, floats = set(), [np.empty(0)], []
    # the walker's own things, and what every process has, lead nowhere new
    leaves = (types.ModuleType, type, types.BuiltinFunctionType, types.CodeType)
    queue = list(roots)
    kept = []
    while queue:
        thing = queue.pop()
        if id(thing) in seen or isinstance(thing, leaves):
            continue
        seen.add(id(thing))
        kept.append(thing)
        assert len(seen) < most, "too much can be reached"
        if isinstance(thing, float):
            floats.append(thing)
        elif isinstance(thing, np.ndarray):
            if thing.dtype.kind == "f":
                arrays.append(np.array(thing, dtype=float).ravel())
            elif thing.dtype == object:
                queue.extend(thing.ravel().tolist())
        elif isinstance(thing, bytes | bytearray | memoryview):
            arrays.extend(doubles(bytes(thing)))
        elif isinstance(thing, pa.Table | pa.RecordBatch):
            queue.extend(thing.columns)
        elif isinstance(thing, pa.ChunkedArray | pa.Array):
            if pa.types.is_floating(thing.type):
                arrays.append(thing.to_numpy(zero_copy_only=False))
            elif not pa.types.is_integer(thing.type):
                queue.append(thing.to_pylist())
        elif isinstance(thing, pd.DataFrame):
            queue.extend(thing[c] for c in thing.columns)
        elif isinstance(thing, pd.Series):
            queue.append(thing.tolist())
        elif isinstance(thing, types.FunctionType):
            queue.extend(cell.cell_contents for cell in thing.__closure__ or () if has(cell))
            queue += [thing.__defaults__, thing.__kwdefaults__]
            continue  # its globals are those of a module
        elif isinstance(thing, types.FrameType):
            queue.append(dict(thing.f_locals))
        queue.extend(gc.get_referents(thing))
    return np.unique(np.concatenate([*arrays, np.array(floats, float)]))


def has(cell):
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:
        return False
    return True


def doubles(data):
    """Read every eight bytes as a number."""
    for offset in range(min(8, len(data) - 7)):
        part = data[offset : offset + (len(data) - offset) // 8 * 8]
        yield np.frombuffer(part, "<f8")
