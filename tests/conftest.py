"""The demo data, unpacked once per session; the real data, where they are at hand."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from suites.helm.objects import HelmOutputs

ROOT = Path(__file__).resolve().parents[1]


# the same examples on every machine, and no limit of time that a busy one would miss
settings.register_profile(
    "benchcast",
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("benchcast")


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory):
    """Keep the tests out of the user's cache, unless a shared one is named."""
    if os.environ.get("BENCHCAST_CACHE"):
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENCHCAST_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def demo() -> HelmOutputs:
    return HelmOutputs.demo()


@pytest.fixture(scope="session")
def shared_helm(tmp_path_factory):
    """Give a function that unpacks one archive of real HELM runs, or skips."""
    home = Path(os.environ.get("BENCHCAST_SHARED") or ROOT.parent / "shared")
    unpacked: dict[str, Path] = {}

    def get(name: str) -> Path:
        archive = home / "data" / "helm-real" / f"{name}.tar.zst"
        if not archive.is_file():
            pytest.skip(f"real HELM runs are not here: no {archive} (set BENCHCAST_SHARED)")
        if name not in unpacked:
            import zstandard

            folder = tmp_path_factory.mktemp(name)
            reader = zstandard.ZstdDecompressor(max_window_size=2**27)
            with (
                archive.open("rb") as file,
                reader.stream_reader(file) as stream,
                tarfile.open(fileobj=stream, mode="r|") as tar,
            ):
                tar.extractall(folder, filter="data")
            unpacked[name] = folder / name if (folder / name).is_dir() else folder
        return unpacked[name]

    return get


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Where the data beside the project must be there, a test that misses them fails."""
    report = yield
    required = bool(os.environ.get("BENCHCAST_REQUIRE_SHARED"))
    if required and report.skipped and "BENCHCAST_SHARED" in str(report.longrepr):
        report.outcome = "failed"
        report.longrepr = f"skipped, though the data must be here: {report.longrepr}"
    return report
