"""The section ``platform`` of a configuration."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from hibayes.configuration import Section, check_keys
from hibayes.platform.devices import cores, gpus
from suites.errors import UsageError, unknown_name

__all__ = ["CHAIN_METHODS", "PlatformConfig"]

logger = logging.getLogger("hibayes")

CHAIN_METHODS = ("parallel", "sequential", "vectorized")


@dataclass
class PlatformConfig(Section):
    """What to compute on, and how chains share it.

    Attributes
    ----------
    device_type : str, default "cpu"
        ``"cpu"`` or ``"gpu"``; where there is no GPU the CPU is used, with a warning.
    num_devices : int, optional
        Cores or GPUs; by default all that this process may use.
    gpu_memory_fraction : float, default 0.9
        The share of each GPU's memory that JAX may take, 0.1 to 1.
    chain_method : str, default "parallel"
        ``"parallel"``, ``"sequential"`` or ``"vectorized"``; on a GPU parallel becomes vectorized.
    mem_on_demand : bool, optional
        Let JAX take GPU memory as it needs it.

    Raises
    ------
    UsageError
        A ValueError: for a value that is not one of these.

    Examples
    --------
    >>> PlatformConfig(num_devices=2).chain_method
    'parallel'
    >>> PlatformConfig(chain_method="paralel")
    Traceback (most recent call last):
        ...
    suites.errors.UsageError: platform: unknown chain_method 'paralel'; did you mean 'parallel'?...
    """

    device_type: str = "cpu"
    num_devices: int | None = None
    gpu_memory_fraction: float = 0.9
    chain_method: str = "parallel"
    mem_on_demand: bool | None = None

    allowed: ClassVar[tuple[str, ...]] = (
        "device_type", "num_devices", "gpu_memory_fraction", "chain_method", "mem_on_demand",
    )  # fmt: skip

    def __post_init__(self) -> None:
        _one_of("device_type", self.device_type, ("cpu", "gpu"))
        _one_of("chain_method", self.chain_method, CHAIN_METHODS)
        fraction = self.gpu_memory_fraction
        if not _is_number(fraction) or not 0.1 <= fraction <= 1.0:
            raise UsageError(
                f"platform: gpu_memory_fraction must be between 0.1 and 1.0, got {fraction!r}."
            )
        number = self.num_devices
        if number is not None and (not isinstance(number, int) or number is True or number < 1):
            raise UsageError(
                f"platform: num_devices must be a whole number from 1, got {number!r}."
            )
        if self.mem_on_demand not in (None, True, False):
            raise UsageError(
                f"platform: mem_on_demand is true or false, not {self.mem_on_demand!r}"
            )
        if self.device_type == "gpu":
            self._find_gpus()
        if self.num_devices is None:
            self.num_devices = cores()

    def merge_in_dict(self, config: Mapping[str, Any]) -> Self:
        """Give this configuration with other values of some keys."""
        check_keys(config, self.allowed, type(self).__name__)
        return dataclasses.replace(self, **dict(config))

    def _find_gpus(self) -> None:
        found = gpus()
        if not found:
            logger.warning("There is no GPU that JAX can use: the CPU is used instead.")
            self.device_type, self.num_devices = "cpu", None
            return
        self.num_devices = self.num_devices or found
        if self.chain_method == "parallel":
            self.chain_method = "vectorized"

    @classmethod
    def _from(cls, config: dict[str, Any], where: str) -> Self:
        try:
            return cls(**config)
        except UsageError as err:
            raise UsageError(f"{where}: {err}" if where else str(err)) from err


def _one_of(key: str, value: Any, known: tuple[str, ...]) -> None:
    if value not in known:
        raise UsageError(f"platform: {unknown_name(key, str(value), known)}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
