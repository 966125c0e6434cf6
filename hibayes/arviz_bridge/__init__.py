"""The one package that speaks to ArviZ: 0.2x on Python 3.11, 1.x above.

=================  ===============================================================================
posterior draws    `new_data`, `add_group`, `groups`, `dataset`, and their file: `save`, `load`
convergence        `summary` (with R-hat and effective sample sizes), `constants`, `bfmi`
predictive fit     `loo`, `waic` (each an `Elpd`), `compare`, `psis`, `relative_efficiency`
=================  ===============================================================================

ArviZ is optional and slow to import, so it is imported inside the functions that need it.
"""

from __future__ import annotations

from hibayes.arviz_bridge.comparison import compare
from hibayes.arviz_bridge.container import add_group, dataset, groups, load, new_data, save
from hibayes.arviz_bridge.convergence import bfmi, constants, summary
from hibayes.arviz_bridge.elpd import Elpd, loo, waic
from hibayes.arviz_bridge.psis import psis, relative_efficiency

__all__ = [
    "Elpd",
    "add_group",
    "bfmi",
    "compare",
    "constants",
    "dataset",
    "groups",
    "load",
    "loo",
    "new_data",
    "psis",
    "relative_efficiency",
    "save",
    "summary",
    "waic",
]
