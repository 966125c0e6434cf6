"""States of an analysis with posterior draws made by hand: nothing is sampled."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats
from scipy.special import expit

from hibayes import arviz_bridge
from hibayes.analysis_state import AnalysisState, ModelAnalysisState
from hibayes.model import ModelConfig

GROUPS = ["chem", "bio", "law", "maths"]
TRIALS = np.array([40, 60, 80, 50])
SUCCESSES = np.array([28, 30, 64, 20])


def draws_of(rng, mean, sd, size=(2, 200)):
    """Independent normal draws, [chains, draws, ...]."""
    mean = np.asarray(mean, dtype=float)
    return mean + sd * rng.normal(size=(*size, *mean.shape))


def binomial(tag=None, *, shift=0.0, chains=2, n_draws=200, seed=0, **config):
    """A fitted simplified_group_binomial_exponential; `shift` moves its draws off the data."""
    from hibayes.model import simplified_group_binomial_exponential

    rng = np.random.default_rng(seed)
    size = (chains, n_draws)
    logit = np.log(SUCCESSES / (TRIALS - SUCCESSES))
    sd = 1 / np.sqrt(SUCCESSES * (1 - SUCCESSES / TRIALS))
    effects = logit + shift + sd * rng.normal(size=(*size, 4))
    spread = np.exp(rng.normal(-0.3, 0.3, size=size))
    mean = draws_of(rng, logit.mean() + shift, 0.3, size)
    features = {
        "obs": SUCCESSES,
        "n_total": TRIALS,
        "group_index": np.arange(4),
        "num_group": 4,
    }
    data = arviz_bridge.new_data(
        {
            "posterior": {
                "overall_mean": mean,
                "sigma_group": spread,
                "group_effects": effects,
                "z_group": (effects - mean[..., None]) / spread[..., None],
            },
            "log_likelihood": {"obs": stats.binom.logpmf(SUCCESSES, TRIALS, expit(effects))},
            "sample_stats": {
                "diverging": rng.random(size) < 0.01,
                "energy": rng.normal(size=size),
            },
            "observed_data": {"obs": SUCCESSES},
        },
        coords={"group": GROUPS},
        dims={"group_effects": ["group"], "z_group": ["group"]},
    )
    return ModelAnalysisState(
        model=simplified_group_binomial_exponential(),
        model_config=ModelConfig.from_dict({"tag": tag, **config} if tag else config),
        features=features,
        coords={"group": GROUPS},
        dims={"group_effects": ["group"]},
        inference_data=data,
        is_fitted=True,
    )


def ordinal(tag=None, *, seed=1, n_draws=200, **config):
    """A fitted ordered_logistic_model of three graders and six items, scores 0 to 4."""
    from hibayes.model import ordered_logistic_model

    rng = np.random.default_rng(seed)
    graders, items = np.divmod(np.arange(180) % 18, 6)
    true = np.array([-0.8, 0.1, 0.7])
    quality = np.linspace(-2.0, 2.0, 6)
    cuts = np.array([-3.8, -2.2, -1.0, 0.6])
    latent = -1.0 + true[graders] + quality[items] + rng.logistic(size=180)
    scores = (latent[:, None] > cuts).sum(axis=1)
    size = (2, n_draws)
    effects = draws_of(rng, true[:2], 0.15, size)
    effects = np.concatenate([effects, -effects.sum(-1, keepdims=True)], axis=-1)
    on_items = draws_of(rng, quality[:5], 0.15, size)
    on_items = np.concatenate([on_items, -on_items.sum(-1, keepdims=True)], axis=-1)
    cutpoints = draws_of(rng, cuts, 0.12, size)
    data = arviz_bridge.new_data(
        {
            "posterior": {
                "intercept": draws_of(rng, -1.0, 0.2, size),
                "grader_effects_constrained": effects[..., :2],
                "grader_effects": effects,
                "item_effects_constrained": on_items[..., :5],
                "item_effects": on_items,
                "first_cutpoint": cutpoints[..., 0],
                "cutpoint_diffs": np.diff(cutpoints) - 0.3,
                "cutpoints": cutpoints,
            },
            "sample_stats": {"diverging": np.zeros(size, dtype=bool)},
            "observed_data": {"obs": scores},
        },
        coords={"grader": ["human", "small", "large"], "item": list("abcdef")},
        dims={"grader_effects": ["grader"], "item_effects": ["item"]},
    )
    return ModelAnalysisState(
        model=ordered_logistic_model(main_effects=["grader", "item"], num_classes=5),
        model_config=ModelConfig.from_dict({"tag": tag, **config} if tag else config),
        features={
            "obs": scores,
            "grader_index": graders,
            "num_grader": 3,
            "item_index": items,
            "num_item": 6,
        },
        coords={"grader": ["human", "small", "large"], "item": list("abcdef")},
        dims={"grader_effects": ["grader"], "item_effects": ["item"]},
        inference_data=data,
        is_fitted=True,
    )


def analysis(*models):
    """A state with these models."""
    return AnalysisState(pd.DataFrame({"score": [0.0, 1.0]}), models=list(models))


class Asker:
    """A display that answers, or cannot."""

    def __init__(self, answer=True, *, there=True):
        self.answer, self.there, self.asked, self.plots, self.stats = answer, there, [], [], {}

    def can_prompt(self):
        return self.there

    def prompt_user(self, question="", options=None):
        self.asked.append(question)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def add_plot(self, series, xlim=None, ylim=None, title=""):
        self.plots.append((title, series))

    def update_stat(self, key, value):
        self.stats[key] = value
