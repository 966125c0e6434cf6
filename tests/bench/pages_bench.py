"""How long pages take to write, how large they are, and how soon a browser has them ready.

``python tests/bench/pages_bench.py`` makes results of 30 predictors × 2,000 targets × 8 k and
builds their site; ``--small`` is for trying out.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "support"))

from made_board import write_board

from harness.results import Results
from leaderboard.page import build

KS = (0, 1, 2, 5, 10, 20, 50, 100)
CHROMIUM = "/usr/bin/chromium"


def ready(page: Path, times: int = 3) -> float | None:
    """Give the milliseconds until a page's scripts are done, the median of some openings."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return None
    if not Path(CHROMIUM).exists():
        return None
    found = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for _ in range(times):
            tab = browser.new_page()
            tab.goto(page.as_uri(), wait_until="load")
            tab.wait_for_selector("html[data-ready]")
            found.append(
                tab.evaluate("performance.timing.loadEventEnd - performance.timing.navigationStart")
            )
            tab.close()
        browser.close()
    return sorted(found)[len(found) // 2]


def main() -> None:
    """Measure, and print a line for each figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="5 predictors × 48 targets × 2 k")
    parser.add_argument("--keep", type=Path, help="write results and site here, and leave them")
    args = parser.parse_args()
    size = (
        {"predictors": 5, "models": 8, "scenarios": 6, "ks": KS[:2]} if args.small else {"ks": KS}
    )
    with tempfile.TemporaryDirectory() as scratch:
        folder = args.keep or Path(scratch)
        made = folder / "results"
        if not made.exists():
            write_board(made, **size)
        results = Results.load(made)
        print(
            f"predictors × targets × k: {len(results.manifest['predictors'])} × "
            f"{len(results.targets):,} × {len(results.manifest['k'])}"
        )
        before, cpu = time.perf_counter(), time.process_time()
        home = build(results, folder / "site")
        print(
            f"seconds to build: {time.perf_counter() - before:.1f} "
            f"({time.process_time() - cpu:.1f} of a processor)"
        )
        files = [path for path in (folder / "site").rglob("*") if path.is_file()]
        print(f"files: {len(files):,}, {sum(p.stat().st_size for p in files) / 1e6:.1f} MB")
        print(f"home page: {home.stat().st_size / 1e6:.2f} MB")
        cells = folder / "site" / "cells"
        print(f"heat map: {(cells / 'index.html').stat().st_size / 1e6:.2f} MB")
        print(f"most memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")
        for name, page in (("home page", home), ("heat map", cells / "index.html")):
            took = ready(page)
            print(f"milliseconds until ready, {name}: {'–' if took is None else f'{took:.0f}'}")


if __name__ == "__main__":
    main()
