"""What the crossed models read of their features, and how their Gibbs sweeps are run."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hibayes.model.aggregation import check_outcomes
from hibayes.model.definition import (
    Axis,
    Coords,
    Drawn,
    Features,
    Structure,
    check_features,
    level_axis,
)
from suites.errors import UsageError

if TYPE_CHECKING:
    from hibayes.hierarchical.cells import Grid
    from hibayes.hierarchical.gibbs import Schedule
    from hibayes.hierarchical.posterior import Posterior
    from hibayes.model.model_config import FitConfig

Index = NDArray[np.intp]


@dataclass(frozen=True)
class Layout:
    """Where each row of the data is in the grid.

    Attributes
    ----------
    models, scenarios, groups, organisations : int
        How many there are.
    row, column : ndarray of int, shape (R,)
        Model and scenario of each row.
    group : ndarray of int, shape (S,)
        Of each scenario.
    organisation : ndarray of int, shape (M,)
        Of each model.
    """

    models: int
    scenarios: int
    row: Index
    column: Index
    group: Index
    groups: int
    organisation: Index
    organisations: int

    @property
    def has_makers(self) -> bool:
        """Whether some organisation made several models: else it has no effect of its own."""
        return self.organisations < self.models


@dataclass(frozen=True)
class Effects:
    """The categorical features that a crossed model reads."""

    model: str
    scenario: str
    group: str | None = None
    organisation: str | None = None

    def __post_init__(self) -> None:
        named = {
            "model_effect": self.model,
            "scenario_effect": self.scenario,
            "group_effect": self.group,
            "organisation_effect": self.organisation,
        }
        seen: dict[str, str] = {}
        for argument, name in named.items():
            optional = argument in ("group_effect", "organisation_effect")
            if name is None and optional:
                continue
            if not isinstance(name, str) or not name:
                raise UsageError(f"{argument} must be the name of a feature, got {name!r}.")
            if name in seen:
                raise UsageError(f"{argument} and {seen[name]} both name the feature {name!r}.")
            seen[name] = argument

    @property
    def names(self) -> tuple[str, ...]:
        """Those that are used."""
        every = (self.model, self.scenario, self.group, self.organisation)
        return tuple(name for name in every if name is not None)

    def layout(self, features: Features) -> Layout:
        """Say where each row is in the grid.

        Raises
        ------
        UsageError
            If features are missing, two rows are of one cell, or a group or organisation is not
            one for each scenario or model.
        """
        levels = [part for name in self.names for part in (f"{name}_index", f"num_{name}")]
        check_features(features, ["n_total", *levels])
        row, column = (_codes(features, name) for name in (self.model, self.scenario))
        models, scenarios = (int(features[f"num_{n}"]) for n in (self.model, self.scenario))
        cell = row * scenarios + column
        _, first, times = np.unique(cell, return_index=True, return_counts=True)
        if (times > 1).any():
            at = np.flatnonzero(cell == cell[first[times > 1][0]])[:2]
            raise UsageError(
                f"the crossed models need one row per {self.model} and {self.scenario}, and rows "
                f"{at[0]} and {at[1]} are of one cell ({int((times > 1).sum())} cells have several "
                f"rows). Count them together: groupby with groupby_columns: {list(self.names)}, "
                "or keep one condition of each scenario."
            )
        group = _of(features, self.group, self.scenario, column, scenarios)
        maker = _of(features, self.organisation, self.model, row, models)
        own = np.arange(models)
        return Layout(
            models=models,
            scenarios=scenarios,
            row=row,
            column=column,
            group=np.zeros(scenarios, np.intp) if group is None else group,
            groups=1 if self.group is None else int(features[f"num_{self.group}"]),
            organisation=own if maker is None else maker,
            organisations=models if maker is None else int(features[f"num_{self.organisation}"]),
        )

    def model_axis(self, features: Features, coords: Coords) -> Axis:
        """Give the axis of the models."""
        return level_axis(self.model, features, coords)

    def scenario_axis(self, features: Features, coords: Coords) -> Axis:
        """Give the axis of the scenarios."""
        return level_axis(self.scenario, features, coords)

    def group_axis(self, features: Features, coords: Coords) -> Axis:
        """Give the axis of the groups; a single one where no feature names them."""
        if self.group is None:
            return Axis(f"{self.scenario}_group", ["all"])
        return level_axis(self.group, features, coords)

    def grid(self, features: Features, layout: Layout) -> Grid:
        """Arrange the rows' shares for the sampler.

        Raises
        ------
        UsageError
            If an outcome is no count of its trials.
        """
        from hibayes.hierarchical.cells import Grid

        obs = np.asarray(features["obs"], float)
        n = np.asarray(features["n_total"], float)
        if (n < 1).any():
            raise UsageError(
                f"features['n_total'] must be at least 1, and is {n.min():g} in row "
                f"{int(n.argmin())}."
            )
        y = np.full((layout.models, layout.scenarios), np.nan)
        trials = np.zeros(y.shape)
        y[layout.row, layout.column] = obs / n
        trials[layout.row, layout.column] = n
        return Grid(
            models=tuple(map(str, range(layout.models))),
            columns=tuple(range(layout.scenarios)),
            y=y,
            n=trials,
            group=layout.group,
            family=np.arange(layout.scenarios),
            maker=layout.organisation,
        )

    def check(self, features: Features) -> None:
        """Refuse outcomes that are no counts of their trials; graded scores may sum to fractions.

        Raises
        ------
        UsageError
            If so.
        """
        check_features(features, ["obs", "n_total"])
        obs = np.asarray(features["obs"], float)
        whole = np.sign(obs) * np.ceil(np.abs(obs))
        rows = tuple(f"{name}_index" for name in self.names)
        check_outcomes({**features, "obs": whole}, Structure(rows=rows, likelihood="binomial"))


Sweep = Callable[["Grid", "Schedule", Callable[[int], None]], "Posterior"]


def sampler(
    name: str, effects: Effects, thin: int | None, sweep: Callable[[Features], Sweep]
) -> Callable[..., Drawn]:
    """Make the sampler of a crossed model: Gibbs sweeps in place of NUTS.

    Parameters
    ----------
    name : str
        One of `hibayes.hierarchical.choice.MODELS`.
    effects : Effects
    thin : int, optional
        Sweeps between kept draws; by default as many as the sampler's own schedule makes in all.
    sweep : callable
        Gives for the features what samples the posterior of a grid under a schedule.
    """

    def sample(
        features: Features, fit: FitConfig, progress: Callable[[int, int], None] | None
    ) -> Drawn:
        from hibayes.hierarchical.loo import log_likelihood

        effects.check(features)
        layout = effects.layout(features)
        grid = effects.grid(features, layout)
        check_size(name, grid, effects)
        schedule = schedule_of(name, fit, thin)
        posterior = sweep(features)(grid, schedule, _teller(progress, schedule))
        constant = ("family_",) if layout.has_makers else ("family_", "maker_")
        found = {
            site: draws.astype(np.float32)
            for site, draws in posterior.draws.items()
            if not site.startswith(constant)
        }
        found["expected"] = _expected(posterior)
        pointwise = None
        if fit.log_likelihood != "none":
            pointwise = log_likelihood(posterior, layout.row, layout.column).astype(np.float32)
        shape = (schedule.chains, schedule.draws)
        stats = {
            stat: np.full(shape, value, np.float32)
            for stat, value in posterior.stats.items()
            if stat.startswith("accepted")
        }
        return Drawn(found, pointwise, stats)

    return sample


def schedule_of(name: str, fit: FitConfig, thin: int | None = None) -> Schedule:
    """Give the schedule of the sweeps: of each chain, ``thin`` sweeps for each draw.

    Examples
    --------
    >>> from hibayes.model import FitConfig
    >>> schedule_of("crossed", FitConfig(samples=2000, warmup=1000), thin=2).warmup
    2000
    """
    from hibayes.hierarchical import crossed, factor, items
    from hibayes.hierarchical.gibbs import Schedule

    module = {"crossed": crossed, "crossed_factor": factor, "crossed_factor_items": items}[name]
    own = module.SCHEDULE
    if thin is None:
        thin = max(1, math.ceil(own.draws * own.thin / fit.samples))
    return Schedule(fit.chains, fit.warmup * thin, fit.samples, thin, fit.seed)


def check_size(name: str, grid: Grid, effects: Effects) -> None:
    """Refuse a grid that is too small for factors.

    Raises
    ------
    UsageError
        If it is; `hibayes.hierarchical.choice.choose` says when.
    """
    from hibayes.hierarchical.choice import choose

    if name == "crossed" or choose("crossed_factor", grid, None) != "crossed":
        return
    models, scenarios = grid.y.shape
    raise UsageError(
        f"{name}: {models} levels of {effects.model}, {scenarios} of {effects.scenario} and "
        f"{int(grid.mask.sum())} rows are too few for factors, which need 6, 4 and "
        f"{2 * (models + scenarios)} (twice as many rows as levels). Fit the model crossed to them."
    )


def _codes(features: Features, name: str) -> Index:
    return np.asarray(features[f"{name}_index"]).reshape(-1).astype(np.intp)


def _of(features: Features, name: str | None, of: str, level: Index, size: int) -> Index | None:
    """Give a feature of each level of another, of which it must be a function."""
    if name is None:
        return None
    code = _codes(features, name)
    found = np.full(size, -1, np.intp)
    found[level] = code
    differs = np.flatnonzero(found[level] != code)
    if len(differs):
        raise UsageError(
            f"{name} must be the same in all rows of a {of}, and row {differs[0]} has another than "
            f"another row of its {of}."
        )
    without = np.flatnonzero(found < 0)
    if len(without):
        raise UsageError(f"level {without[0]} of {of} has no rows, so that its {name} is unknown.")
    unused = set(range(int(features[f"num_{name}"]))) - set(found.tolist())
    if unused:
        raise UsageError(f"level {min(unused)} of {name} has no {of}.")
    return found


def _expected(posterior: Posterior) -> NDArray[np.float32]:
    """Give the expected logits of all cells, shape (chain, draw, M, S), a model at a time."""
    models, scenarios = posterior.grid.y.shape
    out = np.empty((posterior.size, models, scenarios), np.float32)
    columns = np.arange(scenarios)
    for i in range(models):
        out[:, i] = posterior.expected(np.full(scenarios, i), columns)
    return out.reshape(posterior.schedule.chains, posterior.schedule.draws, models, scenarios)


def _teller(
    progress: Callable[[int, int], None] | None, schedule: Schedule
) -> Callable[[int], None]:
    """Tell of sweeps as of steps: the chains make them together, ``thin`` sweeps a step."""
    made = 0

    def tell(sweeps: int) -> None:
        nonlocal made
        steps = (made + sweeps) // schedule.thin - made // schedule.thin
        made += sweeps
        for chain in range(schedule.chains if progress is not None and steps else 0):
            assert progress is not None
            progress(chain, steps)

    return tell
