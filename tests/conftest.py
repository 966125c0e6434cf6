"""The demo data, unpacked once per session, outside the user's cache."""

from __future__ import annotations

import os

import pytest

from suites.helm.objects import HelmOutputs


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


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Where the data beside the project must be there, a test that misses them fails."""
    report = yield
    required = bool(os.environ.get("BENCHCAST_REQUIRE_SHARED"))
    if required and report.skipped and "BENCHCAST_SHARED" in str(report.longrepr):
        report.outcome = "failed"
        report.longrepr = f"skipped, though the data must be here: {report.longrepr}"
    return report
