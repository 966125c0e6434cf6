"""What is computed on."""

import logging
import os

import pytest

from hibayes.cli import setup_platform
from hibayes.platform import PlatformConfig, configure_computation_platform, devices
from suites.errors import UsageError


@pytest.fixture(autouse=True)
def _clean(monkeypatch, _environment):
    for name in ("XLA_FLAGS", "JAX_PLATFORMS", "XLA_PYTHON_CLIENT_PREALLOCATE"):
        monkeypatch.delenv(name, raising=False)


def test_the_default_takes_the_cores_that_there_are():
    config = PlatformConfig()
    assert config.num_devices == len(os.sched_getaffinity(0))
    assert (config.device_type, config.chain_method) == ("cpu", "parallel")


@pytest.mark.parametrize(
    "wrong",
    [
        {"chain_method": "paralel"},
        {"device_type": "tpu"},
        {"device_type": "banana", "num_devices": 2},
        {"gpu_memory_fraction": 0.05},
        {"gpu_memory_fraction": "half"},
        {"num_devices": 0},
        {"num_devices": 1.5},
        {"mem_on_demand": "yes"},
    ],
)
def test_what_is_no_choice_is_refused(wrong):
    with pytest.raises(ValueError, match="platform: "):
        PlatformConfig(**wrong)


def test_merging_keeps_the_rest_and_is_strict():
    config = PlatformConfig(num_devices=3).merge_in_dict({"chain_method": "sequential"})
    assert (config.num_devices, config.chain_method) == (3, "sequential")
    with pytest.raises(UsageError, match="Unknown keys"):
        config.merge_in_dict({"chains": 2})


def test_without_a_gpu_the_cpu_is_used(monkeypatch, caplog):
    monkeypatch.setattr("hibayes.platform.config.gpus", lambda: 0)
    with caplog.at_level(logging.WARNING, logger="hibayes"):
        config = PlatformConfig(device_type="gpu")
    assert (config.device_type, config.chain_method) == ("cpu", "parallel")
    assert "no GPU" in caplog.text


def test_on_gpus_chains_are_vectorized(monkeypatch):
    monkeypatch.setattr("hibayes.platform.config.gpus", lambda: 2)
    config = PlatformConfig(device_type="gpu")
    assert (config.num_devices, config.chain_method) == (2, "vectorized")
    configure_computation_platform(config, None)
    assert os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] == "false"
    assert "JAX_PLATFORMS" not in os.environ


@pytest.mark.parametrize(
    ("sections", "number"),
    [
        ({"platform": {"num_devices": 3}}, 4),
        ({"platform": {"num_devices": 9}}, 9),
        ({"model": {"models": [{"name": "x", "config": {"fit": {"chains": 32}}}]}}, 32),
    ],
)
def test_each_chain_gets_a_device(sections, number, monkeypatch):
    monkeypatch.setattr("hibayes.platform.devices.cores", lambda: 2)
    setup_platform(sections)
    assert os.environ["JAX_PLATFORMS"] == "cpu"
    assert os.environ["XLA_FLAGS"] == f"--xla_force_host_platform_device_count={number}"


def test_the_users_flags_stay(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--other --xla_force_host_platform_device_count=7")
    monkeypatch.setenv("JAX_PLATFORMS", "cuda")
    setup_platform({})
    assert os.environ["XLA_FLAGS"] == "--other --xla_force_host_platform_device_count=7"
    assert os.environ["JAX_PLATFORMS"] == "cuda"


def test_a_gpu_configuration_leaves_the_environment(monkeypatch):
    setup_platform({"platform": {"device_type": "gpu"}})
    assert "XLA_FLAGS" not in os.environ


def test_the_display_hears_what_is_used(display):
    configure_computation_platform(PlatformConfig(num_devices=2), display)
    assert display.stats["Device"] == "cpu × 2"


def test_gpus_without_jax(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "jax", None)
    assert devices.gpus() == 0
