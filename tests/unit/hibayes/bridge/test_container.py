"""Containers of posterior draws, under whichever ArviZ is installed, and their file."""

import os
import stat

import numpy as np
import pytest

pytest.importorskip("arviz")
pytest.importorskip("h5netcdf")

from hibayes import arviz_bridge as bridge
from suites.errors import UsageError

DRAWS = np.random.default_rng(0).normal(size=(2, 50, 2, 3))


def made():
    return bridge.new_data(
        {
            "posterior": {"intercept": DRAWS[..., 0, 0], "a_b_effects": DRAWS},
            "observed_data": {"obs": np.array([1, 0, 1])},
        },
        coords={"a": ["x", "y"], "b": ["p", "q", "r"]},
        dims={"a_b_effects": ["a", "b"]},
    )


def test_groups_and_labels_come_back():
    data = made()
    assert bridge.groups(data) == ["posterior", "observed_data"]
    effects = bridge.dataset(data, "posterior")["a_b_effects"]
    assert effects.dims == ("chain", "draw", "a", "b")
    np.testing.assert_array_equal(effects.sel(a="y", b="r"), DRAWS[..., 1, 2])
    assert bridge.dataset(data, "observed_data")["obs"].dims == ("obs_dim_0",)


def test_a_container_without_groups_is_empty():
    assert bridge.groups(bridge.new_data()) == []
    assert bridge.groups(None) == []


def test_a_group_is_put_in_and_replaced():
    data = made()
    returned = bridge.add_group(data, "prior_predictive", {"obs": np.zeros((1, 7, 3))})
    assert returned is data
    bridge.add_group(data, "prior_predictive", {"obs": np.ones((1, 5, 3))})
    assert set(bridge.groups(data)) == {"posterior", "observed_data", "prior_predictive"}
    assert bridge.dataset(data, "prior_predictive")["obs"].shape == (1, 5, 3)


def test_a_group_that_is_not_there_is_named_with_those_that_are():
    with pytest.raises(UsageError, match=r"unknown group of inference data 'posterio'.*posterior"):
        bridge.dataset(made(), "posterio")


@pytest.mark.parametrize("sizes", [(4, 4, 2), (2, 2, 2)])
def test_dims_that_do_not_fit_are_not_put_on(sizes, caplog):
    # an array [group, subgroup] whose dims name the last axis only: never labels on the wrong axis
    g, s, _ = sizes
    data = bridge.new_data(
        {
            "posterior": {
                "subgroup_effects": np.zeros((2, 5, g, s)),
                "group_effects": np.zeros((2, 5, g)),
            }
        },
        coords={"group": [f"g{i}" for i in range(g)], "subgroup": [f"s{i}" for i in range(s)]},
        dims={"subgroup_effects": ["subgroup"], "group_effects": ["group"]},
    )
    found = bridge.dataset(data, "posterior")
    assert found["subgroup_effects"].dims[2:] == (
        "subgroup_effects_dim_0",
        "subgroup_effects_dim_1",
    )
    assert found["group_effects"].dims[2:] == ("group",)
    assert "subgroup_effects has the shape" in caplog.text


def test_labels_of_another_number_are_not_put_on(caplog):
    data = bridge.new_data(
        {"posterior": {"e": np.zeros((2, 5, 3))}}, coords={"k": ["a", "b"]}, dims={"e": ["k"]}
    )
    assert bridge.dataset(data, "posterior")["e"].dims[2:] == ("e_dim_0",)
    assert "sizes [2]" in caplog.text


def test_labels_of_several_kinds_become_text():
    data = bridge.new_data(
        {"posterior": {"e": np.zeros((1, 5, 3))}}, coords={"k": [1, "b", None]}, dims={"e": ["k"]}
    )
    assert bridge.dataset(data, "posterior")["e"].coords["k"].values.tolist() == ["1", "b", "None"]


def test_an_array_without_draws_is_refused():
    with pytest.raises(UsageError, match="must begin with chains, draws"):
        bridge.new_data({"posterior": {"a": np.zeros(5)}})


def test_the_file_gives_the_same_container(tmp_path):
    data = made()
    bridge.add_group(data, "sample_stats", {"diverging": np.zeros((2, 50), dtype=bool)})
    bridge.save(data, tmp_path / "inference_data.nc")
    found = bridge.load(tmp_path / "inference_data.nc")
    assert bridge.groups(found) == bridge.groups(data)
    for group in bridge.groups(data):
        one, other = bridge.dataset(found, group), bridge.dataset(data, group)
        assert one.equals(other), group
        assert {n: v.dtype.kind for n, v in one.items()} == {
            n: v.dtype.kind for n, v in other.items()
        }
    assert os.listdir(tmp_path) == ["inference_data.nc"]
    assert stat.S_IMODE((tmp_path / "inference_data.nc").stat().st_mode) & 0o044 == (
        0o044 & ~umask()
    )


def umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_an_empty_container_has_a_file_too(tmp_path):
    bridge.save(bridge.new_data(), tmp_path / "e.nc")
    assert bridge.groups(bridge.load(tmp_path / "e.nc")) == []


def test_arviz_itself_reads_the_file(tmp_path):
    bridge.save(made(), tmp_path / "i.nc")
    found = bridge.package.arviz().from_netcdf(str(tmp_path / "i.nc"))
    np.testing.assert_array_equal(
        found["posterior"]["a_b_effects"].sel(a="x", b="q"), DRAWS[..., 0, 1]
    )


def test_what_is_not_written_whole_is_not_there(tmp_path, monkeypatch):
    target = tmp_path / "i.nc"
    bridge.save(made(), target)
    before = target.read_bytes()
    monkeypatch.setattr(bridge.container, "dataset", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        bridge.save(made(), target)
    assert target.read_bytes() == before
    assert os.listdir(tmp_path) == ["i.nc"]


def test_no_file_and_another_kind_of_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        bridge.load(tmp_path / "no.nc")
    (tmp_path / "text.nc").write_text("hello")
    with pytest.raises(UsageError, match="cannot be read as netCDF"):
        bridge.load(tmp_path / "text.nc")
