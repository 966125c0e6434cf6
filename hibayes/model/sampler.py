"""Compiled programs of NUTS or HMC, one set for all data of one model and shape.

What a chain does is one program that makes a number of steps from a state and keeps them; warm-up
and draws, in portions, are calls of it (see `chains`). So a second fit of the same model and shape
compiles nothing, and between portions whoever waits can be told how far the chains are.

Most of the time of a fit of usual size goes into compiling. Hence parameters are one vector (each
operation of the sampler is then one, rather than one for each site), no program is compiled twice,
and XLA's costlier passes are left out.
"""

from __future__ import annotations

import functools
import json
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hibayes.model.definition import Origin, Structure, origin_of, structure_of
from hibayes.model.labelling import split_features
from hibayes.model.model_config import INIT_FUNCTION_MAP, FitConfig, Method
from suites.errors import UsageError

__all__ = ["PORTION", "Sampler", "data_of", "sampler_of"]

PORTION = 100
"""Steps of one call: enough to hide the call, few enough to show progress."""

_MOST_DENSE, _STEPS_EACH = 40, 20
"""Parameters that a full mass matrix is adapted for, and steps of warm-up for each of them."""

_KEPT = 32
_SAMPLERS: OrderedDict[Any, Sampler] = OrderedDict()

_QUICK = {"xla_cpu_use_fusion_emitters": False}
"""Options that halve the time of compiling, and leave programs of this size as fast."""

_ONCE = {**_QUICK, "xla_backend_optimization_level": 0}
"""Options for what runs once."""


@dataclass(frozen=True)
class Sampler:
    """Compiled programs of one model, shape and setting of the sampler.

    Attributes
    ----------
    start : callable
        ``start(seed, chain, attempt, data)``: the first state of a chain.
    advance : callable
        ``advance(state, n, data)``: the state after n steps, at most `PORTION`, and these steps.
    together : callable
        The same of several chains, whose states have an axis before their own.
    sites : callable
        ``sites(z, data)``: all sites, of a portion of draws.
    pointwise : callable
        ``pointwise(z, data)``: log-likelihood of each observation, of a portion of draws.
    compiled : dict
        `advance` as it was compiled, by device; filled by those who run it.
    """

    start: Callable[..., Any]
    advance: Any
    together: Callable[..., Any]
    sites: Callable[..., Any]
    pointwise: Callable[..., Any]
    compiled: dict[Any, Callable[..., Any]] = field(default_factory=dict)


def data_of(model: Any, features: Mapping[str, Any], weights: Any = None) -> dict[str, Any]:
    """Give what the compiled programs take in: arrays, numbers of the priors, weights."""
    import jax.numpy as jnp

    structure = structure_of(model)
    numbers = _numbers(structure, origin_of(model))
    real = jnp.result_type(float)
    data: dict[str, Any] = {"numbers": {k: np.asarray(v, real) for k, v in numbers.items()}}
    arrays = split_features(features)[1] if structure.pure else {}
    # in JAX's types, without a program of JAX's to convert them
    data["features"] = {
        name: np.asarray(value, _jax_type(value)) for name, value in sorted(arrays.items())
    }
    if weights is not None:
        data["weights"] = np.asarray(weights, real)
    return data


def _jax_type(value: Any) -> Any:
    """Give the type of number that JAX has for an array's: of 32 bits, unless 64 are enabled."""
    from jax.dtypes import canonicalize_dtype

    return canonicalize_dtype(np.asarray(value).dtype)


def sampler_of(model: Any, features: Mapping[str, Any], fit: FitConfig, data: Any) -> Sampler:
    """Give the compiled programs, of an earlier fit where there was one of the same kind."""
    import jax

    structure, origin = structure_of(model), origin_of(model)
    fixed, arrays = split_features(features)
    key: tuple[Any, ...] = (
        origin.builder or model,
        _text({k: v for k, v in origin.arguments.items() if k not in data["numbers"]}),
        _text(fixed),
        # a program that may read values is compiled for these values
        None if structure.pure else _digest(arrays),
        str(jax.tree_util.tree_map(lambda x: (x.shape, str(x.dtype)), data)),
        (str(fit.method), fit.warmup, fit.target_accept, fit.max_tree_depth),
        (fit.init_strategy, fit.trajectory_length, fit.dense_mass),
        jax.config.jax_enable_x64,
    )
    if key in _SAMPLERS:
        _SAMPLERS.move_to_end(key)
        return _SAMPLERS[key]
    made = _compile(_program(model, structure, origin, fixed, arrays), fit, data)
    _SAMPLERS[key] = made
    while len(_SAMPLERS) > _KEPT:
        _SAMPLERS.popitem(last=False)
    return made


def _compile(program: Callable[[Any], Callable[..., None]], fit: FitConfig, data: Any) -> Sampler:
    """Make the compiled programs of a model given by ``program(data)``."""
    import jax
    import jax.numpy as jnp
    from jax.flatten_util import ravel_pytree
    from numpyro import handlers
    from numpyro.infer.hmc import hmc
    from numpyro.infer.util import ParamInfo, constrain_fn, potential_energy
    from numpyro.primitives import Messenger

    never = 0  # seeds programs that ask for random numbers and use none

    class Weighted(Messenger):
        """Counts an observation as many times as it weighs."""

        def __init__(self, fn: Any, weights: Any) -> None:
            super().__init__(fn)
            self.weights = weights

        def process_message(self, msg: Any) -> None:
            if msg["type"] == "sample" and msg["name"] == "obs":
                scale = msg.get("scale")
                msg["scale"] = self.weights if scale is None else self.weights * scale

    def bound(data: Any) -> Callable[..., None]:
        model = program(data)
        return Weighted(model, data["weights"]) if "weights" in data else model

    shapes = jax.eval_shape(lambda data: _first(program(data), never, "uniform"), data)
    zeros = {name: np.zeros(x.shape, x.dtype) for name, x in shapes.items()}
    flat, parted = ravel_pytree(zeros)

    settings: dict[str, Any] = {
        "num_warmup": fit.warmup,
        "target_accept_prob": fit.target_accept,
        "dense_mass": _dense(fit, len(flat)),
    }
    if fit.method == Method.NUTS:
        settings |= {"max_tree_depth": fit.max_tree_depth}
    elif fit.trajectory_length is not None:
        settings |= {"trajectory_length": fit.trajectory_length}

    def energy(data: Any) -> Callable[[Any], Any]:
        model = handlers.seed(bound(data), never)
        return lambda z: potential_energy(model, (), {}, parted(z))

    def start(seed: Any, chain: Any, attempt: Any, data: Any) -> Any:
        key = jax.random.fold_in(jax.random.fold_in(jax.random.PRNGKey(seed), chain), attempt)
        for_model, for_chain = jax.random.split(key)
        z, _ = ravel_pytree(_first(program(data), for_model, fit.init_strategy))
        at, slope = jax.value_and_grad(energy(data))(z)
        first, _ = hmc(potential_fn=energy(data), algo=str(fit.method))
        return first(ParamInfo(z, at, slope), rng_key=for_chain, **settings)

    def advance(state: Any, n: Any, data: Any) -> tuple[Any, Any]:
        first, step = hmc(potential_fn=energy(data), algo=str(fit.method))
        # sets the kernel up; its state is not used
        at = ParamInfo(state.z, state.potential_energy, state.z_grad)
        first(at, rng_key=jax.random.PRNGKey(never), **settings)

        def body(i: Any, carry: Any) -> Any:
            state, steps = carry
            state = step(state)
            keep = jax.tree_util.tree_map(lambda all, one: all.at[i].set(one), steps, _kept(state))
            return state, keep

        empty = jax.tree_util.tree_map(
            lambda x: jnp.zeros((PORTION, *jnp.shape(x)), jnp.result_type(x)), _kept(state)
        )
        return jax.lax.fori_loop(0, n, body, (state, empty))

    def sites(z: Any, data: Any) -> Any:
        model = handlers.seed(program(data), never)
        one = functools.partial(constrain_fn, model, (), {}, return_deterministic=True)
        return jax.vmap(lambda z: one(parted(z)))(z)

    def pointwise(z: Any, data: Any) -> Any:
        model = handlers.seed(program(data), never)

        def one(z: Any) -> Any:
            values = constrain_fn(model, (), {}, parted(z))
            made = handlers.trace(handlers.substitute(model, values)).get_trace()
            return {
                name: site["fn"].log_prob(site["value"])
                for name, site in made.items()
                if site["type"] == "sample" and site["is_observed"]
            }

        return jax.vmap(one)(z)

    quick = functools.partial(jax.jit, compiler_options=_allowed(tuple(_QUICK.items())))
    once = functools.partial(jax.jit, compiler_options=_allowed(tuple(_ONCE.items())))
    together = jax.vmap(advance, in_axes=(0, None, None))
    return Sampler(once(start), *map(quick, (advance, together, sites, pointwise)))


def _first(model: Callable[..., None], key: Any, strategy: str) -> dict[str, Any]:
    """Give unconstrained parameters to start from, chosen by the strategy."""
    from numpyro import handlers
    from numpyro.distributions import biject_to

    seeded = handlers.substitute(
        handlers.seed(model, key), substitute_fn=INIT_FUNCTION_MAP[strategy]
    )
    found = {}
    for name, site in handlers.trace(seeded).get_trace().items():
        if site["type"] != "sample" or site["is_observed"]:
            continue
        if site["fn"].support.is_discrete:
            raise UsageError(
                f"the site {name!r} of the model is discrete, and NUTS and HMC sample continuous "
                "ones. Sum it out in the model, or use its expectation."
            )
        found[name] = biject_to(site["fn"].support).inv(site["value"])
    if not found:
        raise UsageError("the model draws no parameters: all its sites are observed.")
    return found


@functools.cache
def _allowed(options: tuple[tuple[str, Any], ...]) -> dict[str, Any]:
    """Choose the compiler's options that the installed one knows: they come and go."""
    import jax

    found: dict[str, Any] = {}
    for name, value in options:
        try:
            jax.jit(lambda: 0, compiler_options={name: value})()
        except Exception:  # its class has changed its place more than once
            continue
        found[name] = value
    return found


def _dense(fit: FitConfig, parameters: int) -> bool:
    """Say whether the mass matrix is full: where few steps are spent on learning it.

    On the models built in, chains then took a half of the steps for the same effective draws.

    Examples
    --------
    >>> _dense(FitConfig(), 30), _dense(FitConfig(), 50), _dense(FitConfig(warmup=200), 30)
    (True, False, False)
    """
    if fit.dense_mass is not None:
        return fit.dense_mass
    return parameters <= min(_MOST_DENSE, fit.warmup // _STEPS_EACH)


def _kept(state: Any) -> dict[str, Any]:
    """Choose what is kept of a step."""
    return {
        "z": state.z,
        "diverging": state.diverging,
        "energy": state.energy,
        "potential_energy": state.potential_energy,
        "n_steps": state.num_steps,
        "acceptance_rate": state.accept_prob,
        "step_size": state.adapt_state.step_size,
    }


def _program(
    model: Any, structure: Structure, origin: Origin, fixed: Any, arrays: Any
) -> Callable[[Any], Callable[..., None]]:
    """Give the model as a program of the data: its builder is called with the data's numbers."""
    numbers = _numbers(structure, origin)
    other = {name: value for name, value in origin.arguments.items() if name not in numbers}

    def program(data: Any) -> Callable[..., None]:
        features = {**fixed, **(data["features"] if structure.pure else arrays)}
        made = model
        if data["numbers"] and origin.builder is not None:
            made = origin.builder(**other, **data["numbers"])
        sampled = structure_of(made).equivalent or made
        return lambda: sampled(features)

    return program


def _numbers(structure: Structure, origin: Origin) -> dict[str, float]:
    """Choose the builder's arguments that may differ between fits of one compiled sampler."""
    if not structure.pure or origin.builder is None:
        return {}
    given = {name: origin.arguments.get(name) for name in structure.numbers}
    return {
        name: value
        for name, value in given.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


def _text(values: Mapping[str, Any]) -> str:
    return json.dumps(values, sort_keys=True, default=repr)


def _digest(arrays: Mapping[str, Any]) -> str:
    import hashlib

    digest = hashlib.sha256()
    for name, value in sorted(arrays.items()):
        array = np.asarray(value)
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
