"""States of the models of the reference archive: features as its processors made them."""

from __future__ import annotations

import json
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[4]


@pytest.fixture(scope="session")
def reference(tmp_path_factory) -> Path:
    """Unpack the reference posteriors, or skip."""
    home = Path(os.environ.get("BENCHCAST_SHARED") or ROOT.parent / "shared")
    archive = home / "data" / "hibayes-reference.tar.zst"
    if not archive.is_file():
        pytest.skip(f"reference posteriors are not here: no {archive} (set BENCHCAST_SHARED)")
    import zstandard

    folder = tmp_path_factory.mktemp("reference")
    with (
        archive.open("rb") as file,
        zstandard.ZstdDecompressor().stream_reader(file) as stream,
        tarfile.open(fileobj=stream, mode="r|") as tar,
    ):
        tar.extractall(folder, filter="data")
    return next(folder.rglob("posteriors")).parent


@pytest.fixture
def made(reference):
    """Give a function that builds the state of a configuration, and what is known of it."""
    from hibayes.model import ModelsToRunConfig
    from hibayes.model_state import ModelAnalysisState

    def get(name: str, **fit: object):
        known = json.loads((reference / "posteriors" / f"{name}.json").read_text())
        section = yaml.safe_load((reference / "configs" / f"{name}.yaml").read_text())["model"]
        section["models"][0]["config"]["fit"].update(fit)
        ((model, config),) = ModelsToRunConfig.from_dict(section).enabled_models
        features = {
            key: np.asarray(value, dtype=known["feature_dtypes"][key])
            if isinstance(value, list)
            else value
            for key, value in known["features"].items()
        }
        state = ModelAnalysisState(
            model,
            config,
            features=features,
            coords=known["coords"],
            dims=known["state_dims"],
        )
        return state, known

    return get
