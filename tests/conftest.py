"""The demo data, unpacked once per session; the real data, where they are at hand."""

from __future__ import annotations

import json
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from suites.helm.objects import HelmOutputs

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("BENCHCAST_SHARED") or ROOT.parent / "shared") / "data"


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
    unpacked: dict[str, Path] = {}

    def get(name: str) -> Path:
        archive = SHARED / "helm-real" / f"{name}.tar.zst"
        if not archive.is_file():
            pytest.skip(f"real HELM runs are not here: no {archive} (set BENCHCAST_SHARED)")
        if name not in unpacked:
            folder = tmp_path_factory.mktemp(name)
            _unpack(archive, folder)
            unpacked[name] = folder / name if (folder / name).is_dir() else folder
        return unpacked[name]

    return get


@pytest.fixture(scope="session")
def shared_logs(tmp_path_factory) -> Path:
    """Unpack all real and made-up logs of Inspect into one folder, a subfolder each, or skip."""
    packs = sorted((SHARED / "inspect-logs").glob("*.tar.zst"))
    if not packs:
        where = SHARED / "inspect-logs"
        pytest.skip(f"Inspect's logs are not here: none in {where} (set BENCHCAST_SHARED)")
    folder = tmp_path_factory.mktemp("inspect-logs")
    for pack in packs:
        _unpack(pack, folder)
    return folder


@pytest.fixture(scope="session")
def inspects_readings() -> list[dict[str, Any]]:
    """What inspect_ai 0.3.285 read in these logs, one object for each; or skip."""
    stored = SHARED / "inspect-logs" / "oracle.jsonl.zst"
    if not stored.is_file():
        pytest.skip(f"Inspect's readings are not here: no {stored} (set BENCHCAST_SHARED)")
    import zstandard

    with stored.open("rb") as file, zstandard.ZstdDecompressor().stream_reader(file) as stream:
        return [json.loads(line) for line in stream.read().splitlines()]


def _unpack(archive: Path, folder: Path) -> None:
    import zstandard

    reader = zstandard.ZstdDecompressor(max_window_size=2**27)
    with (
        archive.open("rb") as file,
        reader.stream_reader(file) as stream,
        tarfile.open(fileobj=stream, mode="r|") as tar,
    ):
        tar.extractall(folder, filter="data")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Where the data beside the project must be there, a test that misses them fails."""
    report = yield
    required = bool(os.environ.get("BENCHCAST_REQUIRE_SHARED"))
    if required and report.skipped and "BENCHCAST_SHARED" in str(report.longrepr):
        report.outcome = "failed"
        report.longrepr = f"skipped, though the data must be here: {report.longrepr}"
    return report
