"""Predictors that attack what is around them; each says in its prediction whether it got through.

The mean is 0.9 where it did and 0.1 where it did not. The names are those of the table in
`harness.jail.openings`.
"""

import contextlib
import ctypes
import errno
import gc
import hashlib
import os
import platform
import re
import resource
import socket
import sysconfig
import tempfile
import threading
import time
import traceback
from pathlib import Path
from typing import ClassVar

import numpy as np

from harness.predictor import RunPrediction, RunPredictor

LIBC = ctypes.CDLL(None, use_errno=True)
COLUMN = 0 if platform.machine() == "x86_64" else 1
ATTACKS = {}


def syscall(numbers, *arguments):
    """Give the result of a system call, or minus its errno."""
    result = LIBC.syscall(numbers[COLUMN], *map(ctypes.c_long, arguments))
    return -ctypes.get_errno() if result == -1 else result


def attack(name):
    def register(cls):
        ATTACKS[name] = cls.__name__
        return cls

    return register


class Attack(RunPredictor):
    needs = ("runs",)

    def __init__(self, **settings):
        super().__init__()
        vars(self).update(settings)

    def attempt(self) -> bool:
        raise NotImplementedError

    def predict(self, train_split, sequestered_test_split):
        try:
            through = bool(self.attempt())
        except (OSError, MemoryError, RuntimeError) as err:
            traceback.print_exception(err)
            through = False
        for target in sequestered_test_split.targets["target"]:
            yield RunPrediction(target=target, normal=(0.9 if through else 0.1, 0.01))


class Honest(Attack):
    def attempt(self):
        return False


def digest_is_in(content, digest):
    found = re.findall(rb"truth-[0-9a-f]{32}", content)
    return any(hashlib.sha256(text).hexdigest() == digest for text in found)


# -- what it may not know --------------------------------------------------------------------------


@attack("truth")
class ReadsTruth(Attack):
    def attempt(self):
        return digest_is_in(Path(self.truth).read_bytes(), self.digest)


@attack("others")
class ReadsOthers(Attack):
    def attempt(self):
        return b"prediction" in Path(self.other).read_bytes()


def others():
    """Give the ids of processes that are not this one; only to read of them."""
    with contextlib.suppress(OSError):
        return [int(n) for n in os.listdir("/proc") if n.isdigit() and int(n) != os.getpid()]
    return []


@attack("memory")
class ReadsMemory(Attack):
    def attempt(self):
        for pid in [self.victim, *others()]:
            with contextlib.suppress(OSError):
                first = Path(f"/proc/{pid}/maps").read_text().split("-")[0]
                with open(f"/proc/{pid}/mem", "rb") as memory:
                    memory.seek(int(first, 16))
                    if memory.read(16):
                        return True
        return False


@attack("environment")
class ReadsEnvironment(Attack):
    def attempt(self):
        if any(
            digest_is_in(value.encode(errors="replace"), self.digest)
            for value in os.environ.values()
        ):
            return True
        for pid in [self.victim, *others()]:
            with contextlib.suppress(OSError):
                if Path(f"/proc/{pid}/environ").read_bytes():
                    return True
        return False


@attack("descriptors")
class ReadsDescriptors(Attack):
    def attempt(self):
        for number in range(3, 1024):
            with contextlib.suppress(OSError):
                if digest_is_in(os.pread(number, 4096, 0), self.digest):
                    return True
            with contextlib.suppress(OSError):
                path = Path(f"/proc/self/fd/{number}")
                if path.is_file() and digest_is_in(path.read_bytes(), self.digest):
                    return True
        return False


@attack("heap")
class ReadsHeap(Attack):
    def attempt(self):
        for value in gc.get_objects():
            if isinstance(value, dict):
                for text in list(value.values()):
                    if isinstance(text, str) and digest_is_in(
                        text[:100].encode(errors="replace"), self.digest
                    ):
                        return True
        with open("/proc/self/mem", "rb", 0) as memory:
            for line in Path("/proc/self/maps").read_text().splitlines():
                bounds, mode = line.split()[:2]
                if mode.startswith("rw"):
                    start, end = (int(part, 16) for part in bounds.split("-"))
                    with contextlib.suppress(OSError, OverflowError, MemoryError):
                        memory.seek(start)
                        if digest_is_in(memory.read(min(end - start, 1 << 26)), self.digest):
                            return True
        return False


# -- other processes -------------------------------------------------------------------------------


@attack("trace")
class Traces(Attack):
    def attempt(self):
        seize = 0x4206  # unlike attaching, it does not stop the other
        first = [1] if os.getppid() == 1 else []  # of a namespace; else not to be touched
        return any(syscall((101, 117), seize, pid, 0, 0) >= 0 for pid in [self.victim, *first])


@attack("signal")
class Signals(Attack):
    def attempt(self):
        os.kill(self.victim, 0)
        return True


@attack("daemon")
class LeavesADaemon(Attack):
    """The one that is left writes to the log, which the test watches."""

    def attempt(self):
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                LIBC.prctl(1, 0)  # it shall not end with its parent
                for _ in range(400):
                    os.write(1, b"I am still here\n")
                    time.sleep(0.01)
            os._exit(0)
        time.sleep(0.05)
        return False


# -- the network -----------------------------------------------------------------------------------


@attack("tcp")
class Connects(Attack):
    def attempt(self):
        socket.create_connection(("127.0.0.1", self.tcp), timeout=2).close()
        return True


@attack("udp")
class Sends(Attack):
    def attempt(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"truth", ("127.0.0.1", self.udp))
        return True


@attack("unix")
class FindsASocket(Attack):
    def attempt(self):
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as ours:
            ours.connect(f"\0{self.unix}")
            return True
        left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        with left, right:
            left.sendto(b"truth", f"\0{self.unix}-datagrams")
        return True


# -- what stays ------------------------------------------------------------------------------------


@attack("leave-files")
class LeavesFiles(Attack):
    """Asked twice: it gets through where the second worker finds what the first left."""

    folders = ("/tmp", "/var/tmp", "~", ".", tempfile.gettempdir())

    def attempt(self):
        paths = [Path(os.path.expanduser(folder)) / f"left-{self.token}" for folder in self.folders]
        found = any(os.path.lexists(path) for path in paths)
        for path in paths:
            with contextlib.suppress(OSError):
                path.write_text("remember")
        return found

    def clean(self):
        for folder in self.folders:
            with contextlib.suppress(OSError):
                (Path(os.path.expanduser(folder)) / f"left-{self.token}").unlink(missing_ok=True)


@attack("leave-shm")
class LeavesSharedMemory(LeavesFiles):
    folders = ("/dev/shm",)


@attack("leave-sysv")
class LeavesSystemV(Attack):
    def attempt(self):
        key, create = int(self.token[:7], 16), 0o1666
        if syscall((29, 194), key, 4096, 0) >= 0:
            return True
        syscall((29, 194), key, 4096, create)
        return False

    def clean(self):
        found = syscall((29, 194), int(self.token[:7], 16), 4096, 0)
        if found >= 0:
            syscall((31, 195), found, 0, 0)


# -- bombs -----------------------------------------------------------------------------------------


def write_files(number, size):
    with tempfile.TemporaryDirectory() as folder:
        for i in range(number):
            Path(folder, str(i)).write_bytes(b"x" * size)
    return True


@attack("large-file")
class WritesALargeFile(Attack):
    def attempt(self):
        return write_files(1, self.disk + 1)


@attack("much-disk")
class WritesMuch(Attack):
    def attempt(self):
        return write_files(5, self.disk // 4)


@attack("many-files")
class WritesManyFiles(Attack):
    def attempt(self):
        return write_files(self.files + 1500, 0)


@attack("much-memory")
class TakesMuchMemory(Attack):
    def attempt(self):
        return len(np.empty(self.memory + 1, np.uint8)) > 0


@attack("fork-bomb")
class ForkBomb(Attack):
    def attempt(self):
        children = []
        try:
            for _ in range(self.processes + 1):
                pid = os.fork()
                if pid == 0:
                    time.sleep(30)
                    os._exit(0)
                children.append(pid)
        finally:
            for pid in children:
                os.kill(pid, 9)
                os.waitpid(pid, 0)
        return True


@attack("thread-bomb")
class ThreadBomb(Attack):
    def attempt(self):
        stop, threads = threading.Event(), []
        try:
            for _ in range(self.processes + 1):
                threads.append(threading.Thread(target=stop.wait))
                threads[-1].start()
        finally:
            stop.set()
        return True


# -- privileges ------------------------------------------------------------------------------------


@attack("setuid")
class GainsPrivileges(Attack):
    def attempt(self):
        if "NoNewPrivs:\t0" in Path("/proc/self/status").read_text():
            return True
        if os.geteuid() == 0:
            return False  # of a container, without what makes root root
        os.setuid(0)
        return True


@attack("new-users")
class MakesUsers(Attack):
    def attempt(self):
        new_user = 0x10000000
        child = syscall((56, 220), new_user | 17, 0, 0, 0, 0)
        if child == 0:
            os._exit(0)
        if child > 0:
            os.waitpid(child, 0)
            return True
        pid = os.fork()  # a process with threads may not
        if pid == 0:
            os._exit(0 if syscall((272, 97), new_user) >= 0 else 1)
        return os.waitpid(pid, 0)[1] == 0


@attack("kernel")
class ReachesTheKernel(Attack):
    calls: ClassVar = {
        "bpf": ((321, 280), 9999, 0, 0),
        "perf_event_open": ((298, 241), 0, 0, -1, -1, 0),
        "keyctl": ((250, 219), 0, -3, 0),
        "userfaultfd": ((323, 282), 9999),
        "io_uring_setup": ((425, 425), 1, 0),
        "mount": ((165, 40), 0, 0, 0, 0, 0),
        "setns": ((308, 268), -1, 0),
        "process_vm_readv": ((310, 270), 0, 0, 0, 0, 0, 9999),
        "memfd_create": ((319, 279), 0, 9999),
    }

    def attempt(self):
        refused = {-errno.EPERM, -errno.ENOSYS, -errno.EACCES}
        open_ = [name for name, call in self.calls.items() if syscall(*call) not in refused]
        return open_


@attack("install")
class ChangesTheInstallation(Attack):
    def attempt(self):
        import harness

        for folder in (sysconfig.get_path("purelib"), os.path.dirname(harness.__file__)):
            path = Path(folder) / f"left_{self.token}.py"
            with contextlib.suppress(OSError):
                path.write_text("")
                path.unlink()
                return True
        return False


# -- what must go on working -----------------------------------------------------------------------


class Computes(Attack):
    """Uses the numerical libraries, a program, a neighbour of its file and memory to write to."""

    def attempt(self):
        import subprocess
        import sys

        import pandas as pd
        from scipy import optimize
        from sklearn.ensemble import RandomForestRegressor

        x = np.random.default_rng(0).normal(size=(200, 3))
        frame = pd.DataFrame(x, columns=list("abc"))
        forest = RandomForestRegressor(5, n_jobs=2, random_state=0).fit(x, x[:, 0])
        assert forest.score(x, x[:, 0]) > 0.8
        assert abs(optimize.brentq(lambda v: v - 1, 0, 3) - 1) < 1e-6
        assert np.allclose(np.linalg.inv(np.linalg.inv(x.T @ x)), x.T @ x)
        path = Path(tempfile.gettempdir()) / "mine.parquet"
        frame.to_parquet(path)
        assert pd.read_parquet(path).equals(frame)
        said = subprocess.run(["true"], check=True, stdin=subprocess.DEVNULL)
        assert said.returncode == 0
        assert sys.version
        assert resource.getrlimit(resource.RLIMIT_CORE)[0] == 0
        return (Path(__file__).parent / "neighbour.txt").read_text() == "hello"


class UsesJax(Attack):
    def attempt(self):
        import jax

        return float(jax.jit(lambda x: (x @ x.T).sum())(np.ones((20, 20)))) == 8000.0


class NamesWhatItSees(Attack):
    """Prints the names in its file's folder, and what of them it can read."""

    def attempt(self):
        here = Path(__file__).parent
        print("folder", sorted(p.name for p in here.rglob("*.[pt]*[yt]")), flush=True)  # noqa: T201
        return (here / "results" / "truth.txt").read_text() == "0.5"
