"""A model of graders that are of two types, some of which grade their own answers.

What the features do not tell stands here. Levels are counted in the order of their names:
graders birch-xl, oak-70b, reader; LLMs birch-xl, cedar-2-chat, fir-1b, oak-70b.
"""

import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist

from hibayes.model import Axis, Model, check_features, describe, model

TYPES = ["human", "model"]
TYPE_OF_GRADER = (1, 1, 0)
OWN_ANSWERS = (0, 3, -1)  # the reader has written none


@model
def custom_model(num_classes: int = 11, prior_scale: float = 1.0) -> Model:
    """Points by grader, type of grader and LLM, with one preference for own answers."""

    def program(features):
        check_features(features, ["obs", "grader_index", "LLM_index", "num_grader", "num_LLM"])
        grader, llm = features["grader_index"], features["LLM_index"]
        kind, own_answers = jnp.array(TYPE_OF_GRADER), jnp.array(OWN_ANSWERS)

        means = jnp.stack(
            [
                numpyro.sample(f"grader_type_{place}_mean", dist.Normal(0, prior_scale))
                for place in range(len(TYPES))
            ]
        )
        numpyro.deterministic("grader_type_effects", means - means.mean())
        # away from 0, where three graders leave the sampler a narrow funnel
        sigma = numpyro.sample("grader_sigma", dist.LogNormal(-1.0, 0.5))
        raw_prior = dist.Normal(0, 1).expand([features["num_grader"]])
        raw = numpyro.sample("grader_raw_effects", raw_prior)
        locations = means[kind] + sigma * raw
        numpyro.deterministic("grader_effects", locations - locations.mean())

        free_prior = dist.Normal(0, prior_scale).expand([features["num_LLM"] - 1])
        free = numpyro.sample("LLM_effects_constrained", free_prior)
        llm_effects = numpyro.deterministic("LLM_effects", jnp.append(free, -free.sum()))
        own = numpyro.sample("self_preference", dist.Normal(0, prior_scale))

        eta = locations[grader] + llm_effects[llm] + own * (own_answers[grader] == llm)
        first = numpyro.sample("first_cutpoint", dist.Normal(-4.0, 0.2))
        steps_prior = dist.LogNormal(-0.5, 0.3).expand([num_classes - 2])
        steps = numpyro.sample("cutpoint_diffs", steps_prior) + 0.3
        cutpoints = jnp.append(first, first + jnp.cumsum(steps))
        numpyro.deterministic("cutpoints", cutpoints)
        numpyro.sample("obs", dist.OrderedLogistic(eta, cutpoints), obs=features["obs"])

    def axes(features, coords):
        graders = [Axis("grader", list(coords["grader"]))]
        return {
            "grader_effects": graders,
            "grader_raw_effects": graders,
            "grader_type_effects": [Axis("grader_type", TYPES)],
            "LLM_effects": [Axis("LLM", list(coords["LLM"]))],
        }

    return describe(program, axes=axes)
