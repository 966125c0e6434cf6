"""Cores, GPUs, and the environment that JAX reads before its first computation."""

from __future__ import annotations

import importlib
import os
import re

__all__ = ["cores", "gpus", "use_cpu", "use_host_devices"]

_FLAG = "--xla_force_host_platform_device_count"


def cores() -> int:
    """Give the number of cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS
        return os.cpu_count() or 1


def gpus() -> int:
    """Give the number of GPUs that JAX sees; 0 where there is no JAX."""
    try:
        return len(importlib.import_module("jax").devices("gpu"))
    except (ImportError, RuntimeError):
        return 0


def use_cpu() -> None:
    """Keep JAX from looking for a GPU, unless the environment says what to use."""
    os.environ.setdefault("JAX_PLATFORMS", "cpu")


def use_host_devices(number: int) -> None:
    """Let JAX split the CPU into so many devices, one for each chain that runs in parallel.

    Takes effect before JAX's first computation only. A flag that the environment sets stays.

    Parameters
    ----------
    number : int
        Devices; more than cores is no harm, chains then share them.
    """
    flags = os.environ.get("XLA_FLAGS", "")
    if not re.search(rf"{_FLAG}=\d+", flags):
        os.environ["XLA_FLAGS"] = f"{flags} {_FLAG}={number}".strip()
