"""A predictor that searches every object of its process for numbers, and writes them down."""

import gc
from pathlib import Path

import numpy as np

from harness.instance_predictor import InstancePrediction, InstancePredictor
from harness.predictor import RunPrediction, RunPredictor


def numbers(*roots) -> np.ndarray:
    """Give all numbers in all objects that can be reached, and in all that there are."""
    import pyarrow as pa

    found, seen, left = [], set(), [*roots, *gc.get_objects()]
    while left:
        value = left.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, float):
            found.append(np.array([value]))
        elif isinstance(value, np.ndarray):
            if value.dtype.kind == "f":
                found.append(value.ravel().astype(float))
            elif value.dtype == object:
                left.extend(value.ravel().tolist())
        elif isinstance(value, pa.Table):
            left.extend(value.columns)
        elif isinstance(value, pa.ChunkedArray):
            left.extend(value.chunks)
        elif isinstance(value, pa.Array):
            if pa.types.is_floating(value.type):
                found.append(value.to_numpy(zero_copy_only=False).astype(float))
        elif isinstance(value, bytes | bytearray | memoryview):
            content = bytes(value)
            for start in range(8 if len(content) < 1 << 22 else 1):
                whole = (len(content) - start) // 8 * 8
                if whole > 0:
                    found.append(np.frombuffer(content, "<f8", whole // 8, start))
        elif not isinstance(value, str | int | type | type(gc)):
            left.extend(gc.get_referents(value))
            left.extend(getattr(value, "__dict__", {}).values())
    out = np.unique(np.concatenate(found))
    return out[np.isfinite(out)]


class _Seeks:
    needs = ("runs", "responses")

    def __init__(self, folder=""):
        self.folder = folder

    def note(self, train, test):
        for split in (train, test):  # read what is read when it is touched
            for name in ("runs", "responses", "models", "scenarios"):
                getattr(split, name)
        name = f"{len(list(Path(self.folder).iterdir()))}-{test.k}.npz"
        targets = test.targets["target"].astype(str).to_numpy().astype("U")
        np.savez(Path(self.folder) / name, found=numbers(train, test), targets=targets, k=test.k)


class Seeker(_Seeks, RunPredictor):
    def predict(self, train_split, sequestered_test_split):
        self.note(train_split, sequestered_test_split)
        for target in sequestered_test_split.targets["target"]:
            yield RunPrediction(target=target, normal=(0.5, 0.3))


class ValueSeeker(Seeker):
    needs = ("runs",)


class ResponseSeeker(_Seeks, InstancePredictor):
    def predict(self, train_split, sequestered_test_split):
        self.note(train_split, sequestered_test_split)
        for target in sequestered_test_split.targets["target"]:
            yield InstancePrediction(target=target, mean=0.5)
