"""What models are computed on."""

from __future__ import annotations

from hibayes.platform.config import PlatformConfig
from hibayes.platform.setup import configure_computation_platform

__all__ = ["PlatformConfig", "configure_computation_platform"]
