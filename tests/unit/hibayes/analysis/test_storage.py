"""A saved state is the state: nothing of other runs in it, nothing of it lost, no code run."""

import importlib.util
import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hibayes.analysis_state import AnalysisState, ModelAnalysisState
from hibayes.model import ModelConfig
from hibayes.model import model as register
from hibayes.platform import PlatformConfig
from hibayes.registry import _REGISTRY
from hibayes.storage import StateNotFound
from hibayes.storage.folder import sha256
from suites.errors import UsageError


@register
def stored_model(scale=1.0, effects=None, **more):
    def program(features):
        program.seen = (scale, effects, more)

    return program


class Picture:
    """What storage needs of a figure."""

    def __init__(self, content):
        self.content, self.drawn = content, 0

    def savefig(self, path, **how):
        self.drawn += 1
        path.write_bytes(self.content)


def make(rows=4, tags=("a",), **diagnostics):
    scores = np.arange(rows, dtype=float) / 3
    data = pd.DataFrame({"score": scores, "model": ["m", "n"] * (rows // 2)})
    state = AnalysisState(
        data,
        processed_data=data.assign(group=data["model"]),
        features={"obs": np.arange(rows, dtype="int32"), "num_group": 2},
        test_features={"obs": np.array([1.5], dtype="float32")},
        coords={"group": ["m", "n"]},
        dims={"group_effects": ["group"]},
        logs={"load": ["read", "failed:\n\ttraceback\n", ""]},
        display_stats={"AI Models detected": ["m", "n"]},
    )
    for tag in tags:
        model = ModelAnalysisState(
            stored_model(scale=0.5, effects=["group"], wide=True),
            ModelConfig.from_dict({"tag": tag, "fit": {"samples": 7, "seed": 3}}),
            PlatformConfig(num_devices=2),
            diagnostics=dict(diagnostics),
            is_fitted=True,
        )
        state.add_model(model)
    return state


def files(path):
    return sorted(p.relative_to(path).as_posix() for p in path.rglob("*") if p.is_file())


def test_a_state_comes_back(tmp_path):
    state = make()
    state.save(tmp_path / "out")
    back = AnalysisState.load(tmp_path / "out")
    pd.testing.assert_frame_equal(back.data, state.data)
    pd.testing.assert_frame_equal(back.processed_data, state.processed_data)
    assert back.features["num_group"] == 2
    assert back.features["obs"].dtype == "int32"
    np.testing.assert_array_equal(back.features["obs"], state.features["obs"])
    assert back.test_features["obs"].dtype == "float32"
    assert (back.coords, back.dims) == (state.coords, state.dims)
    assert back.logs == state.logs
    assert back.display_stats == state.display_stats
    model = back.models[0]
    assert model.model_name == "stored_modela"
    assert model.is_fitted
    assert model.model_config == state.models[0].model_config
    assert model.platform_config == state.models[0].platform_config


def test_the_layout_is_that_of_hibayes_without_pickles(tmp_path):
    state = make(summary=pd.DataFrame({"r_hat": [1.0]}, index=["mu"]))
    state.add_plot(plot=Picture(b"png"), plot_name="forest")
    state.add_table(table=pd.DataFrame({"x": [1]}), table_name="table")
    state.save(tmp_path)
    assert files(tmp_path) == [
        "communicate/forest.png", "communicate/table.csv", "coords.json", "data.parquet",
        "dims.json", "display_stats.json", "features.json", "features.npz", "logs/logs_load.txt",
        "manifest.json",
        "models/stored_modela/checks.json", "models/stored_modela/coords.json",
        "models/stored_modela/diagnostics/diagnostics.json",
        "models/stored_modela/diagnostics/diagnostics.npz",
        "models/stored_modela/diagnostics/inference_data_summary.csv",
        "models/stored_modela/dims.json", "models/stored_modela/features.json",
        "models/stored_modela/features.npz", "models/stored_modela/metadata.json",
        "models/stored_modela/model_config.json", "models/stored_modela/platform_config.json",
        "models/stored_modela/test_features.json", "models/stored_modela/test_features.npz",
        "processed_data.parquet", "results.json", "test_features.json", "test_features.npz",
    ]  # fmt: skip


def test_a_second_run_leaves_nothing_of_the_first(tmp_path):
    old = make(4, tags=("a", "b"))
    old.add_table(table=pd.DataFrame({"x": [1]}), table_name="old")
    old.save(tmp_path)
    new = make(2, tags=("a",))
    new.coords = new.models[0].coords = {"group": ["x", "y"]}
    new.save(tmp_path, incremental=True)
    back = AnalysisState.load(tmp_path)
    assert len(back.data) == len(back.features["obs"]) == len(back.models[0].features["obs"]) == 2
    assert back.models[0].coords == {"group": ["x", "y"]}
    assert [model.model_name for model in back.models] == ["stored_modela"]
    assert not back.communicate
    assert not any("stored_modelb" in name or "old" in name for name in files(tmp_path))


def test_a_users_files_in_the_folder_stay(tmp_path):
    make(tags=("a", "b")).save(tmp_path)
    notes = tmp_path / "models" / "stored_modelb" / "notes.txt"
    notes.write_text("mine")
    make(tags=("a",)).save(tmp_path)
    assert notes.read_text() == "mine"


def test_a_folder_with_a_users_data_is_not_taken(tmp_path):
    (tmp_path / "data.parquet").write_text("mine")
    with pytest.raises(UsageError, match="not written by hibayes"):
        make().save(tmp_path)
    assert files(tmp_path) == ["data.parquet"]


def test_diagnostics_come_back_exactly(tmp_path):
    rng = np.random.default_rng(0)
    kept = {
        "r_hat": rng.normal(size=3000), "divergences": 3, "elpd_waic": -1 / 3, "absent": None,
        "ess_bulk": np.array([812.4], dtype="float32"), "text": "yes", "bad": float("nan"),
        "summary": pd.DataFrame({"mean": rng.normal(size=2), "n": [1, 2]}, index=["mu", "g[a]"]),
        "r_hat_verdict": {"value": 1.01, "offenders": [{"name": "mu", "value": 1.01}]},
    }  # fmt: skip
    make(**kept).save(tmp_path)
    back = AnalysisState.load(tmp_path).models[0].diagnostics
    assert list(back) == list(kept)
    np.testing.assert_array_equal(back["r_hat"], kept["r_hat"])
    assert back["ess_bulk"].dtype == "float32"
    pd.testing.assert_frame_equal(back["summary"], kept["summary"])
    assert np.isnan(back["bad"])
    for name in ("divergences", "elpd_waic", "absent", "text", "r_hat_verdict"):
        assert back[name] == kept[name]


def test_models_keep_their_order(tmp_path):
    make(tags=("z", "a", "m")).save(tmp_path)
    back = AnalysisState.load(tmp_path)
    assert [m.model_config.tag for m in back.models] == ["z", "a", "m"]


def test_tables_keep_names_and_columns_over_rounds(tmp_path):
    state = make()
    table = pd.DataFrame({"mean": [0.1 + 0.2, 1e-300]}, index=["mu", "sd"])
    state.add_table(table=table, table_name="summary")
    for _ in range(3):
        state.save(tmp_path)
        state = AnalysisState.load(tmp_path)
    assert list(state.communicate) == ["summary"]
    pd.testing.assert_frame_equal(state.communicate["summary"], table)


def test_a_model_is_rebuilt_by_name_when_it_is_asked_for(tmp_path, monkeypatch):
    make().save(tmp_path)
    model = AnalysisState.load(tmp_path).models[0]
    built = model.model
    built({"obs": None})
    record = json.loads((tmp_path / "models/stored_modela/metadata.json").read_text())
    assert record["builder"] == "stored_model"
    assert record["arguments"]["effects"] == ["group"]
    assert record["source"]["sha256"] == sha256(Path(__file__))
    assert model.model is built


def test_loading_runs_no_code_and_names_the_file_that_is_needed(tmp_path, monkeypatch):
    make().save(tmp_path)
    monkeypatch.delitem(_REGISTRY, "model:stored_model")
    back = AnalysisState.load(tmp_path)
    assert back.get_model("stored_modela").is_fitted
    with pytest.raises(UsageError, match=r"is not registered.*test_storage\.py.*`path`"):
        _ = back.models[0].model


def test_a_loaded_model_can_be_saved_without_its_code(tmp_path, monkeypatch):
    make().save(tmp_path / "one")
    monkeypatch.delitem(_REGISTRY, "model:stored_model")
    AnalysisState.load(tmp_path / "one").save(tmp_path / "two")
    kept = [
        (tmp_path / x / "models/stored_modela/metadata.json").read_text() for x in ["one", "two"]
    ]
    assert kept[0] == kept[1]


def test_the_manifest_says_what_made_the_state(tmp_path):
    state = make(tags=("a", "b"))
    state.configuration = {"model": {"models": ["stored_model"]}}
    state.save(tmp_path)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["format"] == 1
    assert manifest["seeds"] == {"stored_modela": 3, "stored_modelb": 3}
    assert manifest["packages"]["numpy"] == np.__version__
    assert len(manifest["configuration"]) == 64
    assert manifest["components"]["model:stored_model"]["file"].endswith("test_storage.py")
    for name, digest in manifest["files"].items():
        assert sha256(tmp_path / name) == digest


def test_two_saves_of_one_state_are_the_same(tmp_path):
    make().save(tmp_path / "a")
    make().save(tmp_path / "b")
    one, two = ((tmp_path / x / "manifest.json").read_text() for x in "ab")
    assert one == two


def test_what_was_edited_is_said(tmp_path, caplog):
    make().save(tmp_path)
    (tmp_path / "coords.json").write_text('{"group": ["x", "y"]}')
    AnalysisState.load(tmp_path)
    assert "coords.json has been changed since it was saved" in caplog.text


def test_an_incremental_save_writes_figures_once(tmp_path):
    state, picture = make(), Picture(b"1")
    state.add_plot(plot=picture, plot_name="forest")
    state.save(tmp_path, incremental=True)
    state.add_plot(plot=Picture(b"2"), plot_name="trace")
    state.save(tmp_path, incremental=True)
    assert picture.drawn == 1
    state.save(tmp_path)
    assert picture.drawn == 2
    assert (tmp_path / "communicate" / "trace.png").read_bytes() == b"2"


def test_an_incremental_save_writes_frames_that_changed(tmp_path):
    state = make()
    state.save(tmp_path)
    state.processed_data = state.processed_data.assign(new=1)
    state.save(tmp_path, incremental=True)
    assert "new" in AnalysisState.load(tmp_path).processed_data.columns


def test_figures_of_a_loaded_state_are_carried_on(tmp_path):
    state = make()
    state.add_plot(plot=Picture(b"1"), plot_name="forest")
    state.models[0].add_diagnostic("obs_prior_predictive", Picture(b"2"))
    state.save(tmp_path / "one")
    back = AnalysisState.load(tmp_path / "one")
    assert not back.communicate
    back.save(tmp_path / "two")
    AnalysisState.load(tmp_path / "two").save(tmp_path / "two")
    assert (tmp_path / "two/communicate/forest.png").read_bytes() == b"1"
    picture = "models/stored_modela/diagnostics/obs_prior_predictive.png"
    assert (tmp_path / "two" / picture).read_bytes() == b"2"


def test_names_cannot_lead_out_of_the_folder(tmp_path):
    state = make(tags=("/../../../evil",))
    state.add_table(table=pd.DataFrame({"x": [1]}), table_name="../../evil")
    state.save(tmp_path / "out")
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
    back = AnalysisState.load(tmp_path / "out")
    assert list(back.communicate) == ["../../evil"]
    assert back.models[0].model_config.tag == "/../../../evil"


@pytest.mark.parametrize("what", ["absent", "empty"])
def test_no_state_is_said(tmp_path, what):
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError) as caught:
        AnalysisState.load(str(tmp_path / what))  # a text is as good as a Path
    assert isinstance(caught.value, StateNotFound)
    assert "no analysis state" in str(caught.value)


def hibayes_folder(path):
    """What HiBayES 1.0 writes, with pickles that must not be opened."""
    model = path / "models" / "stored_modelversion_1"
    (model / "diagnostics").mkdir(parents=True)
    (path / "communicate").mkdir()
    pd.DataFrame({"score": [1.0]}).to_parquet(path / "data.parquet")
    (path / "display_stats.json").write_text("{}")
    (path / "features.pkl").write_bytes(pickle.dumps({"obs": [1]}))
    pd.DataFrame({"mean": [0.5]}, index=["mu"]).to_csv(path / "communicate" / "t.csv")
    (model / "metadata.json").write_text('{"is_fitted": true}')
    fit = {"method": "NUTS", "samples": 10, "chains": 2}
    config = {"fit": fit, "main_effect_params": None, "tag": "version_1",
              "link_function": "logit", "extra_kwargs": {}}  # fmt: skip
    (model / "model_config.json").write_text(json.dumps(config))
    (model / "model.pkl").write_bytes(b"not opened")
    (model / "diagnostics" / "diagnostics.json").write_text('{"elpd_waic": -3.5, "loo": "text"}')
    loo = pd.DataFrame({"0": [-3.5]}, index=["elpd_loo"])
    loo.to_csv(model / "diagnostics" / "inference_data_loo.csv")
    return path


def test_a_folder_of_hibayes_can_be_read(tmp_path, caplog):
    back = AnalysisState.load(hibayes_folder(tmp_path))
    assert back.get_best_model().model_name == "stored_modelversion_1"
    assert back.get_best_model().model_config.fit.samples == 10
    assert back.models[0].diagnostic("loo").loc["elpd_loo"].tolist() == [-3.5]
    assert back.communicate["t"].index.tolist() == ["mu"]
    assert back.features == {}
    assert "is a pickle, and not read" in caplog.text
    assert callable(back.models[0].model)


def test_a_folder_of_hibayes_is_replaced(tmp_path):
    hibayes_folder(tmp_path)
    (tmp_path / "mine.txt").write_text("mine")
    make().save(tmp_path)
    left = files(tmp_path)
    assert "mine.txt" in left
    assert not [name for name in left if name.endswith(".pkl") or "version_1" in name]


@pytest.fixture
def draws():
    if importlib.util.find_spec("arviz") is None:
        pytest.skip("needs ArviZ: pip install 'benchcast[bayes]'")
    from hibayes import arviz_bridge

    rng = np.random.default_rng(0)
    return arviz_bridge.new_data(
        {"posterior": {"mu": rng.normal(size=(2, 50)), "g": rng.normal(size=(2, 50, 2))}},
        coords={"group": ["m", "n"]}, dims={"g": ["group"]},
    )  # fmt: skip


def test_a_posterior_comes_back(tmp_path, draws):
    from hibayes import arviz_bridge

    state = make()
    state.models[0].inference_data = draws
    state.save(tmp_path / "a")
    back = AnalysisState.load(tmp_path / "a")
    shutil.copytree(tmp_path / "a", tmp_path / "kept")
    back.save(tmp_path / "b")  # a posterior that was not read is copied
    for place in (tmp_path / "a", tmp_path / "b"):
        model = AnalysisState.load(place).models[0]
        found = arviz_bridge.dataset(model.inference_data, "posterior")
        expected = arviz_bridge.dataset(draws, "posterior")
        np.testing.assert_array_equal(found["g"].sel(group="n"), expected["g"].sel(group="n"))
        np.testing.assert_array_equal(found["mu"], expected["mu"])


def test_an_incremental_save_writes_a_posterior_when_groups_come(tmp_path, draws, monkeypatch):
    from hibayes import arviz_bridge

    saved = []
    real = arviz_bridge.save
    monkeypatch.setattr(
        arviz_bridge, "save", lambda data, path: (saved.append(path), real(data, path))
    )
    state = make()
    state.models[0].inference_data = draws
    state.save(tmp_path)
    state.save(tmp_path, incremental=True)
    assert len(saved) == 1
    arviz_bridge.add_group(draws, "sample_stats", {"diverging": np.zeros((2, 50), dtype=bool)})
    state.save(tmp_path, incremental=True)
    assert len(saved) == 2
    model = AnalysisState.load(tmp_path).models[0]
    assert "sample_stats" in arviz_bridge.groups(model.inference_data)


def test_a_posterior_of_another_run_is_not_read(tmp_path, draws):
    state = make()
    state.models[0].inference_data = draws
    state.save(tmp_path)
    back = AnalysisState.load(tmp_path)
    other = make(2)
    other.models[0].inference_data = draws
    other.save(tmp_path)
    (tmp_path / "models/stored_modela/inference_data.nc").write_bytes(b"another")
    with pytest.raises(UsageError, match="load it again"):
        _ = back.models[0].inference_data
