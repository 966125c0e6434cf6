"""Predictive distributions of one run's value, in the metric's own units.

Owns their checking (`from_parts`), the move onto the count grid of a binary metric (`discretise`)
and every closed form that the scoring rules of `harness.rules` need.
"""

from __future__ import annotations

from harness.distribution.base import Distribution, InvalidPrediction
from harness.distribution.build import discretise, from_parts
from harness.distribution.counts import CountPmf, grid_count, grid_tolerance
from harness.distribution.draws import Draws
from harness.distribution.numerics import ATOM_TOLERANCE as ATOM_TOLERANCE
from harness.distribution.parametric import Beta, Normal, PointMass
from harness.distribution.quantiles import Quantiles

__all__ = [
    "Beta",
    "CountPmf",
    "Distribution",
    "Draws",
    "InvalidPrediction",
    "Normal",
    "PointMass",
    "Quantiles",
    "discretise",
    "from_parts",
    "grid_count",
    "grid_tolerance",
]
