"""Chains of NUTS or HMC, compiled once for all data of one shape.

A chain is one program that makes a number of steps from a state and keeps them; warm-up and draws,
in portions, are calls of it. So a second fit of the same model and shape compiles nothing, and
between portions whoever waits can be told how far the chains are.
"""

from __future__ import annotations

import functools
import json
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from hibayes.model.definition import Origin, Structure, origin_of, structure_of
from hibayes.model.labelling import split_features
from hibayes.model.model_config import INIT_FUNCTION_MAP, FitConfig, Method
from suites.errors import UsageError

PORTION = 100
"""Steps of one call: enough to hide the call, few enough to show progress."""

_NUMBERS, _DRAWS = 4_000_000, 500
"""What is computed of all draws at once: at most so many numbers, and so many draws."""

_KEPT = 32
_SAMPLERS: OrderedDict[Any, Sampler] = OrderedDict()

Progress = Callable[[int, int], None]
"""Called with a chain's number and how many steps it made just now."""


@dataclass(frozen=True)
class Draws:
    """What chains give.

    Attributes
    ----------
    z : dict
        Unconstrained parameters; arrays begin with the axes chain and draw.
    stats : dict
        Statistics of each draw, of shape (chains, draws).
    """

    z: dict[str, Any]
    stats: dict[str, Any]


@dataclass(frozen=True)
class Sampler:
    """Compiled programs of one model, shape and setting of the sampler.

    Attributes
    ----------
    start : callable
        ``start(key, data)``: the first state of a chain.
    advance : callable
        ``advance(state, n, data)``: the state after n steps, at most `PORTION`, and these steps.
    sites : callable
        ``sites(z, data)``: all sites, of a portion of draws.
    pointwise : callable
        ``pointwise(z, data)``: log-likelihood of each observation, of a portion of draws.
    """

    start: Callable[..., Any]
    advance: Callable[..., Any]
    sites: Callable[..., Any]
    pointwise: Callable[..., Any]


def data_of(model: Any, features: Mapping[str, Any], weights: Any = None) -> dict[str, Any]:
    """Give what the compiled programs take in: arrays, numbers of the priors, weights."""
    import jax.numpy as jnp

    structure = structure_of(model)
    numbers = _numbers(structure, origin_of(model))
    data: dict[str, Any] = {"numbers": {k: jnp.asarray(float(v)) for k, v in numbers.items()}}
    arrays = split_features(features)[1] if structure.pure else {}
    data["features"] = {name: jnp.asarray(value) for name, value in sorted(arrays.items())}
    if weights is not None:
        data["weights"] = jnp.asarray(weights, dtype=jnp.result_type(float))
    return data


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
    made = _compile(_program(model, structure, origin, fixed, arrays), fit)
    _SAMPLERS[key] = made
    while len(_SAMPLERS) > _KEPT:
        _SAMPLERS.popitem(last=False)
    return made


def run(
    sampler: Sampler,
    data: Any,
    fit: FitConfig,
    *,
    method: str = "parallel",
    progress: Progress | None = None,
) -> Draws:
    """Run all chains, each on the next of the devices there are.

    Parameters
    ----------
    sampler : Sampler
        See `sampler_of`.
    data : mapping
        See `data_of`.
    fit : FitConfig
        Numbers of chains and draws, and the seed: chain c starts from the c-th of its keys.
    method : {"parallel", "sequential", "vectorized"}
        Chains on several devices at once, on one after another, or as one program of all.
    progress : callable, optional
        Told of each portion.

    Raises
    ------
    UsageError
        If the model has no finite density at any of 100 starting points.
    """
    import jax

    keys = jax.random.split(jax.random.PRNGKey(fit.seed), fit.chains)
    if method == "vectorized":
        return _run_together(sampler, data, keys, fit, progress)
    devices = jax.local_devices()[: fit.chains if method == "parallel" else 1]
    placed = [data if len(devices) == 1 else jax.device_put(data, d) for d in devices]
    states = [sampler.start(key, data) for key in keys]
    for state in states:
        _check_start(state.potential_energy)
    kept: list[list[Any]] = [[] for _ in keys]
    # a round has one chain on each device; calls return before the devices are done
    for first in range(0, fit.chains, len(devices)):
        now = range(first, min(first + len(devices), fit.chains))
        if len(devices) > 1:
            for c in now:
                states[c] = jax.device_put(states[c], devices[c - first])
        for n, keep in steps_of(fit):
            for c in now:
                states[c], steps = sampler.advance(states[c], n, placed[c - first])
                if keep:
                    kept[c].append((n, steps))
            if progress is not None:
                for c in now:
                    states[c].i.block_until_ready()
                    progress(c, n)
    chains = [_joined(steps) for steps in kept]
    joined = {name: np.stack([chain[name] for chain in chains]) for name in chains[0]}
    return _draws(joined)


def evaluate(
    program: Callable[..., Any], z: Mapping[str, Any], data: Any, rows: int
) -> dict[str, Any]:
    """Compute something of every draw, a portion at a time so that memory stays bounded.

    Parameters
    ----------
    program : callable
        ``program(z, data)`` for a portion of draws: `Sampler.sites` or `Sampler.pointwise`.
    z : mapping
        Unconstrained parameters, (chains, draws, …).
    data : mapping
        See `data_of`.
    rows : int
        Numbers per draw, about.
    """
    chains, draws = next(iter(z.values())).shape[:2]
    total = chains * draws
    flat = {name: np.reshape(x, (total, *x.shape[2:])) for name, x in z.items()}
    # of one size whatever the number of draws, so that the program is compiled once
    size = int(np.clip(_NUMBERS // max(rows, 1), 1, _DRAWS))
    parts: dict[str, list[Any]] = {}
    for at in range(0, total, size):
        which = np.arange(at, at + size) % total
        found = program({name: x[which] for name, x in flat.items()}, data)
        for name, values in found.items():
            parts.setdefault(name, []).append(np.asarray(values)[: total - at])
    joined = {name: np.concatenate(values) for name, values in parts.items()}
    return {name: x.reshape(chains, draws, *x.shape[1:]) for name, x in joined.items()}


def _compile(program: Callable[[Any], Callable[..., None]], fit: FitConfig) -> Sampler:
    """Make the compiled programs of a model given by ``program(data)``."""
    import jax
    import jax.numpy as jnp
    from numpyro import handlers
    from numpyro.infer.hmc import hmc
    from numpyro.infer.util import ParamInfo, constrain_fn, initialize_model, potential_energy
    from numpyro.primitives import Messenger

    never = jax.random.PRNGKey(0)  # for programs that ask for a key and do not use it

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

    settings: dict[str, Any] = {
        "num_warmup": fit.warmup,
        "target_accept_prob": fit.target_accept,
        "dense_mass": fit.dense_mass,
    }
    if fit.method == Method.NUTS:
        settings |= {"max_tree_depth": fit.max_tree_depth}
    elif fit.trajectory_length is not None:
        settings |= {"trajectory_length": fit.trajectory_length}

    def kernel(data: Any) -> tuple[Any, Any]:
        model = handlers.seed(bound(data), never)
        return hmc(potential_fn=lambda z: potential_energy(model, (), {}, z), algo=str(fit.method))

    def start(key: Any, data: Any) -> Any:
        for_model, for_chain = jax.random.split(key)
        found = initialize_model(
            for_model, bound(data), init_strategy=INIT_FUNCTION_MAP[fit.init_strategy]
        )
        return kernel(data)[0](found.param_info, rng_key=for_chain, **settings)

    def advance(state: Any, n: Any, data: Any) -> tuple[Any, Any]:
        first, step = kernel(data)
        # sets the kernel up; its state is not used
        first(ParamInfo(state.z, state.potential_energy, state.z_grad), rng_key=never, **settings)

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
        return jax.vmap(one)(z)

    def pointwise(z: Any, data: Any) -> Any:
        model = handlers.seed(program(data), never)

        def one(z: Any) -> Any:
            values = constrain_fn(model, (), {}, z)
            made = handlers.trace(handlers.substitute(model, values)).get_trace()
            return {
                name: site["fn"].log_prob(site["value"])
                for name, site in made.items()
                if site["type"] == "sample" and site["is_observed"]
            }

        return jax.vmap(one)(z)

    # what runs once is compiled quickly rather than well
    once = functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})
    return Sampler(once(start), jax.jit(advance), jax.jit(sites), jax.jit(pointwise))


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
        return lambda: made(features)

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


def _run_together(
    sampler: Sampler, data: Any, keys: Any, fit: FitConfig, progress: Progress | None
) -> Draws:
    """Run all chains as one program, on one device."""
    import jax

    states = jax.vmap(sampler.start, in_axes=(0, None))(keys, data)
    for energy in states.potential_energy:
        _check_start(energy)
    advance = _together(sampler.advance)
    kept = []
    for n, keep in steps_of(fit):
        states, steps = advance(states, n, data)
        if keep:
            kept.append({name: x[:, :n] for name, x in _flat(steps).items()})
        if progress is not None:
            states.i.block_until_ready()
            for c in range(len(keys)):
                progress(c, n)
    return _draws({name: np.concatenate([x[name] for x in kept], axis=1) for name in kept[0]})


@functools.lru_cache(maxsize=_KEPT)
def _together(advance: Callable[..., Any]) -> Callable[..., Any]:
    import jax

    return jax.jit(jax.vmap(advance, in_axes=(0, None, None)))


def steps_of(fit: FitConfig) -> list[tuple[int, bool]]:
    """Give the numbers of steps of a chain's calls, and whether they are kept.

    Examples
    --------
    >>> steps_of(FitConfig(warmup=100, samples=150))
    [(100, False), (100, True), (50, True)]
    """
    found = []
    for n, keep in ((fit.warmup, False), (fit.samples, True)):
        found += [(min(PORTION, n - at), keep) for at in range(0, n, PORTION)]
    return found


def _check_start(potential_energy: Any) -> None:
    if not np.isfinite(np.asarray(potential_energy)):
        raise UsageError(
            "the sampler found no starting point at which the model's density is finite. Look at "
            "the features' ranges and the priors, or set fit.init_strategy to uniform."
        )


def _flat(steps: Any) -> dict[str, Any]:
    """Give what was kept as arrays by name: parameters with a mark before theirs."""
    found = {f"z:{name}": np.asarray(x) for name, x in steps["z"].items()}
    return found | {name: np.asarray(x) for name, x in steps.items() if name != "z"}


def _joined(kept: list[Any]) -> dict[str, Any]:
    """Join the portions of a chain."""
    parts = [{name: x[:n] for name, x in _flat(steps).items()} for n, steps in kept]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _draws(joined: Mapping[str, Any]) -> Draws:
    z = {name.removeprefix("z:"): x for name, x in joined.items() if name.startswith("z:")}
    return Draws(z, {name: x for name, x in joined.items() if not name.startswith("z:")})


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
