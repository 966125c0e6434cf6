"""A fit that samples nothing, and a configuration of small components."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from hibayes.ui import ModellingDisplay

COMPONENTS = str(Path(__file__).with_name("components.py"))


@pytest.fixture
def display():
    """A display that no person can answer; what it says is in ``display.console.file``."""
    return ModellingDisplay(console=Console(file=io.StringIO(), width=200))


@pytest.fixture
def fits(monkeypatch):
    """Replace sampling; gives the names of the models that were fitted."""
    import hibayes.analysis

    fitted = []

    def fit(model_analysis_state, display=None):
        fitted.append(model_analysis_state.model_name)
        model_analysis_state.is_fitted = True

    monkeypatch.setattr(hibayes.analysis, "fit", fit)
    return fitted


@pytest.fixture(autouse=True)
def _environment(monkeypatch):
    """What stages set for JAX does not outlast a test."""
    monkeypatch.setenv("XLA_FLAGS", "--xla_force_host_platform_device_count=2")
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")


@pytest.fixture
def sections(tmp_path):
    """The sections of a configuration that needs no sampler."""
    table = tmp_path / "scores.csv"
    table.write_text("score,model\n0,a\n1,b\n1,a\n")
    return {
        "data_loader": {"paths": {"extracted_data": [str(table)]}},
        "data_process": {"path": COMPONENTS, "processors": ["take_scores"]},
        "model": {"path": COMPONENTS, "models": [{"name": "coin", "config": {"tag": "_a"}}]},
        "check": {"path": COMPONENTS, "checkers": ["always", "is_small"]},
        "communicate": {"path": COMPONENTS, "communicators": ["count_models"]},
    }
