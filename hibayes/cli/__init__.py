"""The commands: ``hibayes`` with its subcommands, and ``hibayes-load`` … ``hibayes-full``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["setup_platform"]


def setup_platform(config: Mapping[str, Any] | str | Path) -> None:
    """Set the environment that JAX reads when it is imported.

    Parameters
    ----------
    config : mapping or path
        The configuration, or its file. Unless ``platform.device_type`` is ``gpu`` the CPU is used,
        with a device for each chain.
    """
    from hibayes.configuration import load_yaml
    from hibayes.platform.devices import cores, use_cpu, use_host_devices

    sections = load_yaml(config) if isinstance(config, str | Path) else config
    platform = sections.get("platform")
    platform = platform if isinstance(platform, Mapping) else {}
    if platform.get("device_type") == "gpu":
        return
    use_cpu()
    number = platform.get("num_devices")
    devices = number if isinstance(number, int) and number > 0 else cores()
    use_host_devices(max(devices, _chains(sections)))


def _chains(sections: Mapping[str, Any]) -> int:
    """Give the most chains that any model is given; 4 where none is."""
    found = [4]
    parts: list[Any] = [sections.get("model") or sections.get("modelling")]
    while parts:
        part = parts.pop()
        if isinstance(part, list):
            parts.extend(part)
        elif isinstance(part, Mapping):
            chains = part.get("chains")
            found.extend([chains] if isinstance(chains, int) else [])
            parts.extend(part.values())
    return max(found)
