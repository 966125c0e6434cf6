"""Prepare JAX for a platform: before its first computation."""

from __future__ import annotations

import importlib
import os
from typing import Any

from hibayes.platform.config import PlatformConfig
from hibayes.platform.devices import use_cpu, use_host_devices

__all__ = ["configure_computation_platform", "get_device_memory_info"]


def configure_computation_platform(
    platform_config: PlatformConfig, display: Any, *, chains: int = 4
) -> None:
    """Set the environment that JAX reads, and say what will be used.

    Parameters
    ----------
    platform_config : PlatformConfig
        What to compute on.
    display : hibayes.ui.Display
        Told what is used.
    chains : int, default 4
        How many devices the CPU is parted into at least, for programs that place chains on
        devices themselves. `hibayes.model.fit` needs one: its chains share it as threads do.
    """
    number = platform_config.num_devices or 1
    if platform_config.device_type == "gpu":
        os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
        os.environ.setdefault(
            "XLA_PYTHON_CLIENT_MEM_FRACTION", str(platform_config.gpu_memory_fraction)
        )
        if platform_config.mem_on_demand:
            os.environ.setdefault("XLA_PYTHON_CLIENT_ALLOCATOR", "platform")
    else:
        use_cpu()
        use_host_devices(max(number, chains))
    if display is not None:
        display.update_stat("Device", f"{platform_config.device_type} × {number}")
        display.update_logs(
            f"Computing on {number} {platform_config.device_type} device(s), "
            f"chains {platform_config.chain_method}."
        )


def get_device_memory_info() -> list[dict[str, Any]]:
    """Give the memory of each device that JAX uses, in bytes.

    Returns
    -------
    list of dict
        device, bytes_in_use, bytes_limit; None for what a device does not say, as CPUs.
    """
    jax = importlib.import_module("jax")
    found = []
    for device in jax.devices():
        said = device.memory_stats() or {}
        found.append(
            {"device": str(device)} | {k: said.get(k) for k in ("bytes_in_use", "bytes_limit")}
        )
    return found
