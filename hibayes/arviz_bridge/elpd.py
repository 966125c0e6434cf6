"""How well a model predicts data that it has not seen: PSIS-LOO and WAIC of a container."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from hibayes.arviz_bridge.container import dataset, groups
from hibayes.arviz_bridge.package import arviz
from hibayes.arviz_bridge.psis import psis
from suites.errors import UsageError, unknown_name

if TYPE_CHECKING:
    import pandas as pd
    import xarray

Array = NDArray[np.float64]

SCALES: dict[str, float] = {"log": 1.0, "negative_log": -1.0, "deviance": -2.0}
"""By what an elpd is multiplied to stand on a scale."""

_BLOCK = 20_000_000  # draws × observations taken at once: 160 MB


@dataclass(frozen=True)
class Elpd:
    """An expected log pointwise predictive density, and what it is made of.

    Whatever `scale` is, `elpd` is a sum of log densities: larger is better. The scale governs
    `value` alone.

    Attributes
    ----------
    kind : str
        ``"loo"`` or ``"waic"``.
    elpd : float
        Nats, over all observations.
    se : float
        Its standard error, from the spread over observations.
    p : float
        Effective number of parameters.
    n_points, n_draws : int
        Observations, and draws of all chains.
    good_k : float
        Pareto k up to which an observation's estimate is reliable, for so many draws; NaN for
        WAIC.
    pointwise : DataFrame
        One row per observation, in order: elpd, p (nats) and, for loo, pareto_k. For WAIC p is
        the variance of the log density; above 0.4 the observation's elpd is not to be trusted.
        Empty where only the sums were kept.
    scale : str
        One of `SCALES`.

    Examples
    --------
    >>> found = Elpd("waic", elpd=-100.0, se=5.0, p=3.0, n_points=50, n_draws=400, scale="deviance")
    >>> found.value, found.elpd_waic
    (200.0, -100.0)
    >>> Elpd.from_dict(found.to_dict()) == found
    True
    """

    kind: str
    elpd: float
    se: float
    p: float
    n_points: int
    n_draws: int
    good_k: float = math.nan
    pointwise: pd.DataFrame = field(default_factory=lambda: _table({}), compare=False)
    scale: str = "log"

    def __eq__(self, other: object) -> bool:
        """Compare all that is kept, an absent number being like an absent number."""
        if not isinstance(other, Elpd):
            return NotImplemented
        return _same(self.to_dict(), other.to_dict())

    __hash__ = None  # type: ignore[assignment]

    @property
    def value(self) -> float:
        """The elpd on its scale: on ``"deviance"`` smaller is better."""
        return SCALES[self.scale] * self.elpd

    @property
    def warning(self) -> bool:
        """Whether an observation's estimate is not reliable."""
        if "pareto_k" in self.pointwise:
            return bool((~(self.pointwise["pareto_k"] <= self.good_k)).any())
        return bool((self.pointwise["p"] > 0.4).any()) if "p" in self.pointwise else False

    def __getattr__(self, name: str) -> Any:
        """Give ArviZ's names: elpd_loo, p_loo, loo_i, pareto_k, and those of waic."""
        kind = self.__dict__.get("kind")
        if name in (f"elpd_{kind}", f"p_{kind}"):
            return getattr(self, name.split("_")[0])
        if name == f"{kind}_i":
            return self.pointwise["elpd"].rename(name)
        if name == "pareto_k" and kind == "loo":
            return self.pointwise["pareto_k"]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __getitem__(self, name: str) -> Any:
        """Give an attribute, as ArviZ's own result is indexed."""
        try:
            return getattr(self, name)
        except AttributeError as err:
            raise KeyError(name) from err

    def on(self, scale: str) -> Elpd:
        """Give the same result for another scale.

        Raises
        ------
        UsageError
            If there is no such scale.
        """
        return replace(self, scale=check_scale(scale))

    def to_dict(self) -> dict[str, Any]:
        """Give it as JSON has it; numbers that are not finite as text."""
        sums = {
            name: getattr(self, name)
            for name in ("kind", "elpd", "se", "p", "n_points", "n_draws", "good_k", "scale")
        }
        table = {str(name): values.tolist() for name, values in self.pointwise.items()}
        index = {"index": [_plain(label) for label in self.pointwise.index]} if table else {}
        return {
            **{name: _plain(value) for name, value in sums.items()},
            "pointwise": {
                **index,
                **{name: [_plain(value) for value in values] for name, values in table.items()},
            },
        }

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> Elpd:
        """Read what `to_dict` gave."""
        table = dict(found.get("pointwise") or {})
        index = table.pop("index", None)
        columns = {name: [float(value) for value in values] for name, values in table.items()}
        return cls(
            kind=str(found["kind"]),
            elpd=float(found["elpd"]),
            se=float(found["se"]),
            p=float(found["p"]),
            n_points=int(found["n_points"]),
            n_draws=int(found["n_draws"]),
            good_k=float(found.get("good_k", "nan")),
            pointwise=_table(columns, index),
            scale=str(found.get("scale", "log")),
        )

    def to_frame(self) -> pd.DataFrame:
        """Give the sums as a table of one column, named as the scale: what a CSV shows."""
        import pandas as pd

        se = abs(SCALES[self.scale]) * self.se
        values = (self.value, se, self.p, self.n_draws, self.n_points, self.warning, self.scale)
        rows = dict(zip(self.rows(self.kind), values, strict=True))
        return pd.DataFrame({"value": pd.Series(rows, dtype=object)})

    @staticmethod
    def rows(kind: str) -> tuple[str, ...]:
        """Name the rows of `to_frame`, as ArviZ names them."""
        sums = (f"elpd_{kind}", "se", f"p_{kind}")
        return (*sums, "n_samples", "n_data_points", "warning", "scale")

    @classmethod
    def from_frame(cls, kind: str, table: pd.DataFrame) -> Elpd:
        """Read what `to_frame` gave, or ArviZ's own table of a result: the sums alone.

        Examples
        --------
        >>> found = Elpd("loo", elpd=-100.0, se=5.0, p=3.0, n_points=50, n_draws=400)
        >>> Elpd.from_frame("loo", found.to_frame()) == found
        True
        """
        rows = table.iloc[:, 0]
        scale = check_scale(str(rows.get("scale", "log")))
        return cls(
            kind=kind,
            elpd=float(rows[f"elpd_{kind}"]) / SCALES[scale],
            se=float(rows["se"]) / abs(SCALES[scale]),
            p=float(rows[f"p_{kind}"]),
            n_points=int(float(rows["n_data_points"])),
            n_draws=int(float(rows["n_samples"])),
            scale=scale,
        )

    def __str__(self) -> str:
        """Say it in one line."""
        said = f"elpd_{self.kind} {self.elpd:.2f} ± {self.se:.2f}, p_{self.kind} {self.p:.2f}"
        return (
            said if self.scale == "log" else f"{said}; on the {self.scale} scale {self.value:.2f}"
        )


def loo(data: Any, *, scale: str = "log", var_name: str | None = None) -> Elpd:
    """Estimate leave-one-out predictive densities by Pareto smoothed importance sampling.

    Parameters
    ----------
    data : InferenceData or DataTree
        With a group ``log_likelihood``.
    scale : str
        One of `SCALES`.
    var_name : str, optional
        The observed variable; ``obs``, or the only one, by default.

    Returns
    -------
    Elpd
        Of kind ``"loo"``. The efficiency of the draws is taken from the posterior's effective
        sample sizes, as ArviZ takes it.

    Raises
    ------
    UsageError
        If there is no log-likelihood, or it is not finite; the message names the observations.
    NotInstalled
        If ArviZ is not installed.

    References
    ----------
    Vehtari, Gelman & Gabry (2017), doi:10.1007/s11222-016-9696-4.
    """
    from hibayes.loo import good_k

    check_scale(scale)
    values = log_likelihood(data, var_name)
    efficiency = _efficiency(data)
    elpd, lppd, pareto_k = [np.empty(0)], [np.empty(0)], [np.empty(0)]
    for block in _blocks(values):
        found, k = psis(block, efficiency)
        k = np.where(np.ptp(block, axis=(0, 1)) == 0, 0.0, k)  # equal weights: exact
        elpd.append(found)
        pareto_k.append(k)
        lppd.append(_lppd(block))
    table: dict[str, Any] = {
        "elpd": np.concatenate(elpd),
        "pareto_k": np.concatenate(pareto_k),
    }
    table["p"] = np.concatenate(lppd) - table["elpd"]
    return _sums("loo", values, table, scale, good_k(_n_draws(values)))


def waic(data: Any, *, scale: str = "log", var_name: str | None = None) -> Elpd:
    """Compute the widely applicable information criterion.

    Parameters
    ----------
    data, scale, var_name
        As for `loo`.

    Returns
    -------
    Elpd
        Of kind ``"waic"``; the variance of the log density has the divisor S − 1.

    Raises
    ------
    UsageError
        As `loo`.

    References
    ----------
    Vehtari, Gelman & Gabry (2017), section 2.2, doi:10.1007/s11222-016-9696-4.
    """
    check_scale(scale)
    values = log_likelihood(data, var_name)
    lppd, variance = [np.empty(0)], [np.empty(0)]
    for block in _blocks(values):
        lppd.append(_lppd(block))
        variance.append(block.reshape(-1, block.shape[-1]).var(axis=0, ddof=1))
    p = np.concatenate(variance)
    return _sums("waic", values, {"elpd": np.concatenate(lppd) - p, "p": p}, scale, math.nan)


def log_likelihood(data: Any, var_name: str | None = None) -> xarray.DataArray:
    """Give the pointwise log-likelihood, chain and draw first.

    Raises
    ------
    UsageError
        If there is none, or several and the name does not say which.
    """
    if "log_likelihood" not in groups(data):
        raise UsageError("there is no group log_likelihood in the inference data.")
    group = dataset(data, "log_likelihood")
    names = [str(name) for name in group.data_vars]
    if var_name is None:
        var_name = "obs" if "obs" in names or len(names) != 1 else names[0]
    if var_name not in names:
        raise unknown_name("log-likelihood", var_name, names)
    return group[var_name].transpose("chain", "draw", ...)


def check_scale(scale: str) -> str:
    """Give back a scale that there is.

    Raises
    ------
    UsageError
        If there is no such scale.
    """
    if scale not in SCALES:
        raise unknown_name("scale", str(scale), SCALES)
    return scale


def standard_error(points: Array) -> float:
    r"""Give the standard error of a sum over observations, :math:`\sqrt{n}` times their sd.

    The divisor is n − 1, as in ArviZ 1.x (0.2x: n). NaN for fewer than two observations.
    """
    n = len(points)
    return float(math.sqrt(n * points.var(ddof=1))) if n > 1 else math.nan


def _blocks(values: xarray.DataArray) -> Any:
    """Go through the observations, [C, S, some], in double precision; refuse infinities."""
    n_chains, n_draws = values.shape[:2]
    flat = np.asarray(values).reshape(n_chains, n_draws, -1)
    step = max(1, _BLOCK // (n_chains * n_draws))
    for start in range(0, flat.shape[-1], step):
        block = flat[..., start : start + step].astype(np.float64)
        bad = np.flatnonzero((~np.isfinite(block)).any(axis=(0, 1)))
        if len(bad):
            which = ", ".join(str(start + int(i)) for i in bad[:5])
            more = f" and {len(bad) - 5} more" if len(bad) > 5 else ""
            raise UsageError(
                f"the log-likelihood is not finite in some draws of observation {which}{more}: "
                "a draw rules out what was observed, or the sampler diverged there."
            )
        yield block


def _lppd(block: Array) -> Array:
    """Give each observation's log of the mean density over draws."""
    flat = block.reshape(-1, block.shape[-1])
    return np.asarray(logsumexp(flat, axis=0) - math.log(len(flat)))


def _sums(
    kind: str, values: xarray.DataArray, table: Mapping[str, Any], scale: str, good_k: float
) -> Elpd:
    """Add up a pointwise table."""
    elpd = table["elpd"]
    columns: dict[str, Any] = {
        name: table[name] for name in ("elpd", "p", "pareto_k") if name in table
    }
    index = None
    if values.ndim == 3 and values.dims[2] in values.coords:
        index = np.asarray(values.coords[values.dims[2]]).tolist()
    return Elpd(
        kind=kind,
        elpd=float(elpd.sum()),
        se=standard_error(elpd),
        p=float(table["p"].sum()),
        n_points=len(elpd),
        n_draws=_n_draws(values),
        good_k=good_k,
        pointwise=_table(columns, index),
        scale=scale,
    )


def _n_draws(values: xarray.DataArray) -> int:
    """Count the draws of all chains."""
    return int(values.shape[0] * values.shape[1])


def _efficiency(data: Any) -> float:
    """Give the posterior's effective number of draws per draw, a mean over its scalars."""
    if "posterior" not in groups(data):
        return 1.0
    draws = dataset(data, "posterior")
    n_chains, n_draws = draws.sizes["chain"], draws.sizes["draw"]
    if n_chains == 1 or n_draws < 4:
        return 1.0
    effective = arviz().ess(draws.astype(np.float64), method="mean")
    found = np.concatenate(
        [np.asarray(effective[name], dtype=np.float64).ravel() for name in effective.data_vars]
    )
    found = found[np.isfinite(found) & (found > 0)]
    return float(found.mean() / (n_chains * n_draws)) if len(found) else 1.0


def _table(columns: Mapping[str, Any], index: Any = None) -> pd.DataFrame:
    """Make a pointwise table."""
    import pandas as pd

    return pd.DataFrame(dict(columns), index=pd.Index(index, name="obs") if index else None)


def _plain(value: Any) -> Any:
    """Give a value as JSON has it."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value.item() if isinstance(value, np.generic) else value


def _same(one: Any, other: Any) -> bool:
    """Compare what `Elpd.to_dict` gives; NaN stands there as text."""
    return bool(one == other)
