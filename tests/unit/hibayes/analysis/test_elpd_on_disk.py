"""LOO and WAIC of saved states: every point in the state, and tables for people."""

import pandas as pd
import pytest

from hibayes.analysis_state import AnalysisState, ModelAnalysisState
from hibayes.arviz_bridge.elpd import Elpd
from hibayes.model import ModelConfig
from hibayes.model import model as register
from hibayes.storage.frames import read_table


@register
def compared_model():
    return lambda features: None


@pytest.mark.parametrize("scale", ["log", "deviance"])
@pytest.mark.parametrize("kind", ["loo", "waic"])
def test_sums_and_points_stand_in_tables_and_are_read_from_them(tmp_path, kind, scale):
    points = pd.DataFrame({"elpd": [-40.0, -60.0 - 1 / 3], "p": [1.0, 2.0]})
    found = Elpd(kind, -100.0 - 1 / 3, 5.0, 3.0, n_points=2, n_draws=400, good_k=0.6, scale=scale,
                 pointwise=points)  # fmt: skip
    model = ModelAnalysisState(compared_model(), ModelConfig(), is_fitted=True)
    model.diagnostics |= {kind: found, f"{kind}_i": points["elpd"].rename(f"{kind}_i")}
    AnalysisState(pd.DataFrame({"score": [1.0]}), models=[model]).save(tmp_path)
    place = tmp_path / "models" / "compared_model" / "diagnostics"
    table = read_table(place / f"inference_data_{kind}.csv")
    assert table.index.tolist() == list(Elpd.rows(kind))
    assert float(table["value"].iloc[0]) == found.value
    assert read_table(place / f"inference_data_{kind}_i.csv")[f"{kind}_i"].equals(points["elpd"])
    assert AnalysisState.load(tmp_path).models[0].diagnostic(kind) == found
    of_table = Elpd.from_frame(kind, table)
    assert (of_table.elpd, of_table.se, of_table.p) == (found.elpd, 5.0, 3.0)
    assert (of_table.scale, of_table.n_points, of_table.n_draws) == (scale, 2, 400)


def test_sums_in_a_folder_of_hibayes_are_read(tmp_path):
    place = tmp_path / "models" / "compared_model" / "diagnostics"
    place.mkdir(parents=True)
    pd.DataFrame({"score": [1.0]}).to_parquet(tmp_path / "data.parquet")
    (tmp_path / "display_stats.json").write_text("{}")
    rows = {"elpd_loo": -3.5, "se": 1.25, "p_loo": 2.0, "n_samples": 400, "n_data_points": 3,
            "warning": True, "loo_i": "<xarray.DataArray>", "scale": "log"}  # fmt: skip
    pd.Series(rows).to_csv(place / "inference_data_loo.csv")
    found = AnalysisState.load(tmp_path).models[0].diagnostic("loo")
    assert (found.elpd_loo, found.se, found.p_loo, found.n_points) == (-3.5, 1.25, 2.0, 3)
