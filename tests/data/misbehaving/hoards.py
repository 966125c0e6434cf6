"""A predictor that keeps what it sees of one fold for the next, wherever it can."""

import contextlib
import ctypes
import json
import os
import socket
import sys
import tempfile
import time
from pathlib import Path

from harness.predictor import RunPrediction, RunPredictor

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.shmat.restype = ctypes.c_void_p
SIZE = 1 << 16


class Hoards(RunPredictor):
    """Predicts the values that it saw when other folds were held out; else one half.

    Parameters
    ----------
    token : str
        Tells what it keeps from what others do.
    where : str
        Name of a place.
    """

    needs = ("runs",)

    def __init__(self, token, where):
        super().__init__()
        self.token, self.where = token, where

    def fit(self, train_split):
        runs = train_split.runs
        seen = {f"{r.model} {r.scenario}": r.value for r in runs.itertuples()}
        self.known = {}
        with contextlib.suppress(OSError, ValueError):
            self.known = json.loads(getattr(self, f"get_{self.where}")() or "{}")
        with contextlib.suppress(OSError):
            getattr(self, f"put_{self.where}")(json.dumps({**self.known, **seen}))

    def predict(self, train_split, sequestered_test_split):
        for row in sequestered_test_split.targets.itertuples():
            value = self.known.get(f"{row.model} {row.scenario}")
            normal = (0.5, 0.3) if value is None else (value, 0.001)
            yield RunPrediction(target=row.target, normal=normal)

    def get_nowhere(self):
        return ""

    def put_nowhere(self, text):
        pass

    # memory of the process

    def get_globals(self):
        return getattr(sys, f"hoard_{self.token}", "")

    def put_globals(self, text):
        setattr(sys, f"hoard_{self.token}", text)

    def get_environment(self):
        return os.environ.get(f"HOARD_{self.token}", "")

    def put_environment(self, text):
        os.environ[f"HOARD_{self.token}"] = text

    # folders

    def place(self):
        folders = {
            "working_folder": os.getcwd(),
            "home": os.path.expanduser("~"),
            "temporary": tempfile.gettempdir(),
            "tmp": "/tmp",
            "shm": "/dev/shm",
            "beside": os.path.dirname(__file__),
        }
        return Path(folders[self.where]) / f"hoard-{self.token}"

    def get_files(self):
        return self.place().read_text()

    def put_files(self, text):
        self.place().write_text(text)

    get_working_folder = get_home = get_temporary = get_tmp = get_shm = get_beside = get_files
    put_working_folder = put_home = put_temporary = put_tmp = put_shm = put_beside = put_files

    # System V memory

    def segment(self, flags):
        key = int.from_bytes(self.token.encode()[:3], "big")
        number = LIBC.shmget(key, SIZE, flags)
        if number < 0:
            raise OSError(ctypes.get_errno(), "no segment")
        return number

    def get_system_v(self):
        at = LIBC.shmat(self.segment(0), None, 0)
        return ctypes.string_at(at).decode()

    def put_system_v(self, text):
        at = LIBC.shmat(self.segment(0o1666), None, 0)
        content = text.encode()[: SIZE - 1] + b"\0"
        ctypes.memmove(at, content, len(content))

    # a process that goes on

    def get_daemon(self):
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(f"\0hoard-{self.token}")
            return b"".join(iter(lambda: line.recv(1 << 16), b"")).decode()

    def put_daemon(self, text):
        if self.known:
            return  # the first fold's will do
        if os.fork():
            time.sleep(0.2)
            return
        os.setsid()
        if os.fork():
            os._exit(0)
        with socket.socket(socket.AF_UNIX) as line:
            line.bind(f"\0hoard-{self.token}")
            line.listen()
            line.settimeout(20)
            with contextlib.suppress(OSError):
                while True:
                    with line.accept()[0] as asker:
                        asker.sendall(text.encode())
        os._exit(0)


PLACES = [name[4:] for name in vars(Hoards) if name[:4] == "get_"]
PLACES = [place for place in PLACES if place not in ("nowhere", "files")]
