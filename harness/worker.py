"""What runs in a worker: load a predictor, give it its splits, write down what it returns.

A `Session` is one predictor on one fold. `serve` answers the parent's messages with it; under
isolation ``none`` the parent calls the same session itself.
"""

from __future__ import annotations

import copy
import hashlib
import inspect
import json
import os
import resource
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.answering import answer_of, as_wanted
from harness.channel import Channel, Closed
from harness.data_splits import TrainSplit
from harness.diagnostics import KINDS, to_table
from harness.fold_folder import FoldFolder
from harness.instance_predictor import InstancePredictor
from harness.loading import load_class
from harness.prediction_table import to_bytes
from harness.predictor import NotApplicable, Predictor, reseed
from suites.errors import NotInstalled


class Session:
    """One predictor on one fold, from loading its class to its last answer."""

    def __init__(self) -> None:
        self.predictor: Any = None
        self.make: Callable[[], Any] | None = None
        self.folder: FoldFolder | None = None
        self.train: TrainSplit | None = None

    def load(self, spec: dict[str, Any], instance: Any = None) -> dict[str, Any]:
        """Load the class and make the object.

        Parameters
        ----------
        spec : mapping
            As `harness.spec.Spec.to_json`.
        instance : object, optional
            A class or object to use instead, under isolation ``none``.
        """
        import ast

        if instance is not None and not inspect.isclass(instance):
            self.predictor, self.make = instance, lambda: copy.deepcopy(instance)
            return {}
        cls = instance if instance is not None else load_class(spec)
        settings = ast.literal_eval(spec["settings"])
        self.make = lambda: cls(**settings)
        try:
            self.predictor = self.make()
        except TypeError as err:
            known = ", ".join(settings_of(cls)) or "none"
            raise TypeError(f"{err}; its settings are: {known}") from err
        return {}

    def describe(self) -> dict[str, Any]:
        """Give what the class declares: needs, min_k, tasks, settings, kind, its code's hash."""
        cls = type(self.predictor)
        needs = getattr(cls, "needs", None)
        tasks = getattr(cls, "tasks", None)
        return {
            "class": f"{cls.__module__}:{cls.__qualname__}",
            "kind": "instance" if isinstance(self.predictor, InstancePredictor) else "run",
            "needs": None if needs is None else [str(n) for n in needs],
            "min_k": int(getattr(cls, "min_k", 0)),
            "tasks": None if tasks is None else [str(t) for t in tasks],
            "settings": settings_of(cls),
            "diagnostics": [k for k in KINDS if callable(getattr(self.predictor, k, None))],
            "magnet": isinstance(self.predictor, Predictor) and needs is None,
            "summary": (inspect.getdoc(cls) or "").strip().split("\n")[0],
            "code_hash": code_hash(cls),
        }

    def fit(self, folder: str, seed: int) -> dict[str, Any]:
        """Open the fold's folder and let the predictor learn from the train split."""
        self.folder = FoldFolder(Path(folder))
        self.train = self._train()
        self._fit(self.predictor, self.train, seed)
        return {}

    def predict(
        self,
        k: int,
        seed: int,
        shown: bytes | None = None,
        state: bytes | None = None,
        revealed: bytes | None = None,
    ) -> tuple[dict[str, tuple[str, str]], bytes]:
        """Predict the fold's targets with k shown responses each.

        Parameters
        ----------
        k : int
            How many responses are shown.
        seed : int
            For whatever is random in the predictor.
        shown : bytes or None
            The shown responses, an Arrow stream.
        state : bytes or None
            What may be seen of the targets' scenario_state, an Arrow stream.
        revealed : bytes or None
            Held-out runs whose values are revealed, an Arrow stream: a new object learns from them
            and the train runs.

        Returns
        -------
        (mapping, bytes)
            The status of targets that are not ok, and the predictions as an Arrow stream.
        """
        assert self.folder is not None
        assert self.make is not None
        assert self.train is not None
        folder = self.folder
        targets = folder.targets(k)
        test = folder.test_split(targets, k, shown, state)
        predictor, train = self.predictor, self.train
        if revealed is not None:
            predictor, train = self.make(), self._train(revealed)
            self._fit(predictor, train, seed)
        elif not hasattr(predictor, "fit"):
            # it learns in predict; each k starts from the same train split
            train = self._train()
        reseed(predictor, seed)
        answer = answer_of(predictor, train, test, targets)
        return answer.status, to_bytes(answer.table)

    def _train(self, revealed: bytes | None = None) -> TrainSplit:
        """Give the train split, fresh from the files."""
        assert self.folder is not None
        return as_wanted(self.folder.train_split(revealed), self.predictor)

    @staticmethod
    def _fit(predictor: Any, train: TrainSplit, seed: int) -> None:
        reseed(predictor, seed)
        fit = getattr(predictor, "fit", None)
        if callable(fit):
            fit(train)

    def diagnose(self, kind: str) -> bytes:
        """Let the predictor judge itself: leave each train run out in turn, or check its fit."""
        return to_bytes(to_table(kind, getattr(self.predictor, kind)(self.train)))

    def check(self, name: str, folder: str) -> dict[str, Any]:
        """Carry out one check of the contract on new objects of the predictor.

        Parameters
        ----------
        name : str
            One of `harness.contract.checks.CHECKS`.
        folder : str
            What `harness.contract.prepare` made.

        Returns
        -------
        mapping
            ``outcome``, ``message`` and ``mend``, as a `harness.contract.context.Finding` has them.
        """
        from harness.contract.cases import Cases
        from harness.contract.checks import carry_out
        from harness.contract.context import Context

        assert self.make is not None
        found = carry_out(name, Context(self.make, Cases(Path(folder))))
        return {"outcome": found.outcome, "message": found.message, "mend": found.mend}


def settings_of(cls: type) -> list[str]:
    """Give the names of a class's settings: what its constructors take, but for MAGNET's own.

    Examples
    --------
    >>> from predictors.kernel_ridge import KernelRidge
    >>> settings_of(KernelRidge)
    ['ridge', 'gaps']
    """
    names: dict[str, None] = {}
    for base in cls.__mro__:
        if "__init__" in vars(base) and base not in (Predictor, object):
            for name, parameter in inspect.signature(base.__init__).parameters.items():  # type: ignore[misc]
                if name != "self" and parameter.kind not in (
                    parameter.VAR_KEYWORD,
                    parameter.VAR_POSITIONAL,
                ):
                    names[name] = None
    return list(names)


def code_hash(cls: type) -> str | None:
    """Hash the file that a class is defined in, or the files of its sub-package; None without one.

    A class of ``package.part.module`` is made of all files of ``package.part``; one of a module,
    or of ``package.module``, of its file.
    """
    try:
        file = Path(inspect.getfile(cls))
        files = sorted(file.parent.glob("*.py")) if cls.__module__.count(".") > 1 else [file]
        return hashlib.sha256(b"".join(each.read_bytes() for each in files)).hexdigest()
    except (OSError, TypeError):
        return None


def failure(err: BaseException) -> dict[str, Any]:
    """Describe an exception: its type, message and the last line of the predictor's own code."""
    here = os.path.dirname(os.path.abspath(__file__))
    frames = [f for f in traceback.extract_tb(err.__traceback__) if not f.filename.startswith(here)]
    where = (
        f" ({os.path.basename(frames[-1].filename)}, line {frames[-1].lineno})" if frames else ""
    )
    kind = "not_applicable" if isinstance(err, NotApplicable) else "failed"
    own_words = isinstance(err, NotApplicable | NotInstalled)
    text = str(err) if own_words else f"{type(err).__name__}: {err}{where}"
    return {"error": kind, "message": text[:2000]}


def serve(channel: Channel) -> None:
    """Answer the parent's messages until it is gone."""
    session = Session()
    while True:
        try:
            message, blobs = channel.receive()
        except Closed:
            return
        wall, cpu = time.perf_counter(), _cpu()
        header: dict[str, Any] = {}
        out: list[bytes] = []
        try:
            header, out = answer(session, message, blobs)
        except MemoryError:
            header = {"error": "failed", "message": "MemoryError"}
        except Exception as err:
            header = failure(err)
        header["wall_s"] = time.perf_counter() - wall
        header["cpu_s"] = _cpu() - cpu
        channel.send(header, out)


def answer(
    session: Session, message: dict[str, Any], blobs: list[bytes]
) -> tuple[dict[str, Any], list[bytes]]:
    """Carry out one message: load, describe, fit, predict, checks, loo or check."""
    calls: dict[str, Callable[[], tuple[dict[str, Any], list[bytes]]]] = {
        "load": lambda: (session.load(message["spec"], message.get("instance")), []),
        "describe": lambda: (session.describe(), []),
        "fit": lambda: (session.fit(message["folder"], message["seed"]), []),
        "predict": lambda: _predict(session, message, blobs),
        "checks": lambda: ({}, [session.diagnose("checks")]),
        "loo": lambda: ({}, [session.diagnose("loo")]),
        "check": lambda: (session.check(message["name"], message["folder"]), []),
    }
    return calls[message["call"]]()


def _predict(
    session: Session, message: dict[str, Any], blobs: list[bytes]
) -> tuple[dict[str, Any], list[bytes]]:
    tables = dict(zip(message["tables"], blobs, strict=True))
    status, table = session.predict(message["k"], message["seed"], **tables)
    return {}, [table, json.dumps(status).encode()]


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
