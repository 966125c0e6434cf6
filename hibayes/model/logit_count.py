"""A count whose share of the trials is normal on a logit-like scale."""

from __future__ import annotations

import functools
from typing import Any

from hibayes.hierarchical.cells import OFFSET

__all__ = ["logit_count"]

_ENDS = (0.005, 0.995)


def logit_count(mean: Any, variance: Any, total_count: Any, phi: float = 1.0) -> Any:
    r"""Give the NumPyro distribution of a count c of n trials, of which t(c / n) is normal.

    .. math::

        \log p(c) = \log N\big(t(y);\, m,\, \phi v(\tilde y, n) + s^2\big) + \log(t'(y) / n),
            \qquad y = c / n, \quad \tilde y = \frac{c + 1/2}{n + 1}

    with t and the binomial variance v of `hibayes.hierarchical.cells`: the density of t times the
    width of one count. Draws are made the other way round, so that a count follows from what is
    expected: t from :math:`N(m, \phi v(t^{-1}(m), n) + s^2)`, back to a share, to the nearest
    count. The two agree as far as v hardly changes between the mean and the draw.

    Parameters
    ----------
    mean : array
        Expected logit, m.
    variance : array
        What varies beyond the trials, :math:`s^2`.
    total_count : array
        Trials, n, at least 1.
    phi : float
        What share of the binomial variance a count has.

    Returns
    -------
    numpyro.distributions.Distribution
    """
    return _kind()(mean, variance, total_count, phi)


@functools.cache
def _kind() -> Any:
    """Define the distribution, which needs NumPyro."""
    import jax
    import jax.numpy as jnp
    from numpyro import distributions as dist
    from numpyro.distributions import constraints

    width = 1.0 + 2.0 * OFFSET

    def slope(y: Any) -> Any:
        return 1.0 / (y + OFFSET) + 1.0 / (1.0 + OFFSET - y)

    def noise(y: Any, n: Any) -> Any:
        p = jnp.clip(y, *_ENDS)
        return p * (1.0 - p) * slope(p) ** 2 / n

    def share(t: Any) -> Any:
        return jnp.clip(width * jax.nn.sigmoid(t) - OFFSET, 0.0, 1.0)

    class LogitCount(dist.Distribution):
        arg_constraints = {  # noqa: RUF012
            "loc": constraints.real,
            "residual": constraints.positive,
            "total_count": constraints.positive,
            "phi": constraints.positive,
        }
        pytree_data_fields = ("loc", "residual", "total_count", "phi")

        def __init__(
            self, loc: Any, residual: Any, total_count: Any, phi: Any, *, validate_args: Any = None
        ) -> None:
            shape = jnp.broadcast_shapes(
                jnp.shape(loc), jnp.shape(residual), jnp.shape(total_count)
            )
            self.loc = jnp.broadcast_to(jnp.asarray(loc), shape)
            self.residual = jnp.broadcast_to(jnp.asarray(residual), shape)
            trials = jnp.asarray(total_count, dtype=jnp.result_type(float))
            self.total_count = jnp.broadcast_to(trials, shape)
            self.phi = jnp.broadcast_to(jnp.asarray(phi, jnp.result_type(float)), shape)
            super().__init__(batch_shape=shape, validate_args=validate_args)

        @constraints.dependent_property(is_discrete=False, event_dim=0)
        def support(self) -> Any:
            # graded scores sum to fractions
            return constraints.interval(0.0, self.total_count)

        def log_prob(self, value: Any) -> Any:
            n = self.total_count
            y = value / n
            t = jnp.log((y + OFFSET) / (1.0 + OFFSET - y))
            known = self.phi * noise((value + 0.5) / (n + 1.0), n)
            normal = dist.Normal(self.loc, jnp.sqrt(known + self.residual))
            return normal.log_prob(t) + jnp.log(slope(y) / n)

        def sample(self, key: Any, sample_shape: tuple[int, ...] = ()) -> Any:
            n = self.total_count
            sd = jnp.sqrt(self.phi * noise(share(self.loc), n) + self.residual)
            t = self.loc + sd * jax.random.normal(key, (*sample_shape, *self.batch_shape))
            return jnp.round(n * share(t))

    return LogitCount
