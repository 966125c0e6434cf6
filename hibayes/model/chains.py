"""Chains: compiled steps of a sampler, run side by side, and what is computed of their draws."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from hibayes.model.model_config import FitConfig
from hibayes.model.sampler import PORTION, Sampler
from hibayes.platform.devices import cores
from suites.errors import UsageError

__all__ = ["Draws", "Progress", "evaluate", "run", "steps_of"]

_NUMBERS, _DRAWS = 4_000_000, 500
"""What is computed of all draws at once: at most so many numbers, and so many draws."""

_ATTEMPTS = 100
"""Starting points that a chain tries."""

Progress = Callable[[int, int], None]
"""Called with a chain's number and how many steps it made just now."""


@dataclass(frozen=True)
class Draws:
    """What chains give.

    Attributes
    ----------
    z : ndarray, shape (chains, draws, D)
        Unconstrained parameters.
    stats : dict
        Statistics of each draw, of shape (chains, draws).
    """

    z: Any
    stats: dict[str, Any]


def run(
    sampler: Sampler,
    data: Any,
    fit: FitConfig,
    *,
    method: str = "parallel",
    progress: Progress | None = None,
) -> Draws:
    """Run all chains.

    Parameters
    ----------
    sampler : Sampler
        See `sampler_of`.
    data : mapping
        See `data_of`.
    fit : FitConfig
        Numbers of chains and draws, and the seed: chain c starts from the c-th of its keys.
    method : {"parallel", "sequential", "vectorized"}
        As many chains at once as there are cores (or GPUs), one after another, or all as one
        program.
    progress : callable, optional
        Told of each portion, by the thread that calls this.

    Raises
    ------
    UsageError
        If the model has no finite density at any of 100 starting points.
    """
    import jax

    if method == "vectorized":
        return _run_together(sampler, jax.device_put(data), fit, progress)
    # a CPU is one device whatever the number of its cores: a program is compiled for one device
    one = method == "sequential" or jax.default_backend() == "cpu"
    devices = jax.local_devices()[: 1 if one else fit.chains]
    placed = [jax.device_put(data, device) for device in devices]
    states = [_started(sampler, fit, c, placed[c % len(devices)]) for c in range(fit.chains)]
    programs = [_ready(sampler, d, states[0], own) for d, own in zip(devices, placed, strict=True)]
    workers = len(devices)
    if method == "parallel" and jax.default_backend() == "cpu":
        workers = cores()

    told: queue.SimpleQueue[tuple[int, int]] = queue.SimpleQueue()
    stop = threading.Event()

    def chain(c: int) -> dict[str, Any]:
        device, state, kept = c % len(devices), states[c], []
        try:
            for n, keep in steps_of(fit):
                if stop.is_set():
                    break
                state, steps = programs[device](state, np.int32(n), placed[device])
                if keep:
                    kept.append({name: np.asarray(x)[:n] for name, x in steps.items()})
                else:
                    state.i.block_until_ready()
                told.put((c, n))
        finally:
            told.put((c, 0))  # it is over
        return {name: np.concatenate([part[name] for part in kept]) for name in kept[0]}

    with ThreadPoolExecutor(min(workers, fit.chains)) as pool:
        running = [pool.submit(chain, c) for c in range(fit.chains)]
        try:
            over = 0
            while over < fit.chains:
                c, n = told.get()
                over += n == 0
                if n and progress is not None:
                    progress(c, n)
            chains = [future.result() for future in running]
        except BaseException:
            stop.set()
            raise
    return _draws({name: np.stack([chain[name] for chain in chains]) for name in chains[0]})


def evaluate(program: Callable[..., Any], z: Any, data: Any, rows: int) -> dict[str, Any]:
    """Compute something of every draw, a portion at a time so that memory stays bounded.

    Parameters
    ----------
    program : callable
        ``program(z, data)`` for a portion of draws: `Sampler.sites` or `Sampler.pointwise`.
    z : ndarray, shape (chains, draws, D)
        Unconstrained parameters.
    data : mapping
        See `data_of`.
    rows : int
        Numbers per draw, about.
    """
    chains, draws = z.shape[:2]
    total = chains * draws
    flat = np.reshape(z, (total, -1))
    # of one size whatever the number of draws, so that the program is compiled once
    size = int(np.clip(_NUMBERS // max(rows, 1), 1, _DRAWS))
    parts: dict[str, list[Any]] = {}
    for at in range(0, total, size):
        found = program(flat[np.arange(at, at + size) % total], data)
        for name, values in found.items():
            parts.setdefault(name, []).append(np.asarray(values)[: total - at])
    joined = {name: np.concatenate(values) for name, values in parts.items()}
    return {name: x.reshape(chains, draws, *x.shape[1:]) for name, x in joined.items()}


def steps_of(fit: FitConfig) -> list[tuple[int, bool]]:
    """Give the numbers of steps of a chain's calls, and whether they are kept.

    Examples
    --------
    >>> steps_of(FitConfig(warmup=100, samples=150))
    [(100, False), (100, True), (50, True)]
    """
    found = []
    for n, keep in ((fit.warmup, False), (fit.samples, True)):
        found += [(min(PORTION, n - at), keep) for at in range(0, n, PORTION)]
    return found


def _started(sampler: Sampler, fit: FitConfig, chain: int, data: Any) -> Any:
    """Give the first state of a chain, where the density and its slope are finite."""
    for attempt in range(_ATTEMPTS):
        state = sampler.start(np.uint32(fit.seed % 2**32), np.int32(chain), np.int32(attempt), data)
        if np.isfinite(state.potential_energy) and np.isfinite(np.asarray(state.z_grad)).all():
            return state
    raise UsageError(
        "the sampler found no starting point at which the model's density is finite. Look at "
        "the features' ranges and the priors, or set fit.init_strategy to uniform."
    )


def _ready(sampler: Sampler, device: Any, state: Any, data: Any) -> Callable[..., Any]:
    """Compile the steps for a device, before threads would do it each for themselves."""
    import jax

    if device not in sampler.compiled:
        given = jax.device_put(state, device), np.int32(0), data
        sampler.compiled[device] = sampler.advance.lower(*given).compile()
    return sampler.compiled[device]


def _run_together(sampler: Sampler, data: Any, fit: FitConfig, progress: Progress | None) -> Draws:
    """Run all chains as one program, on one device."""
    import jax

    every = [_started(sampler, fit, c, data) for c in range(fit.chains)]
    states = jax.tree_util.tree_map(lambda *leaves: np.stack(leaves), *every)
    kept = []
    for n, keep in steps_of(fit):
        states, steps = sampler.together(states, np.int32(n), data)
        if keep:
            kept.append({name: np.asarray(x)[:, :n] for name, x in steps.items()})
        if progress is not None:
            states.i.block_until_ready()
            for c in range(fit.chains):
                progress(c, n)
    return _draws({name: np.concatenate([x[name] for x in kept], axis=1) for name in kept[0]})


def _draws(joined: Mapping[str, Any]) -> Draws:
    return Draws(joined["z"], {name: x for name, x in joined.items() if name != "z"})
