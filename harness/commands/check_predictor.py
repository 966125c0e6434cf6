"""``harness check-predictor``."""

from __future__ import annotations

import argparse
from typing import Any

from harness.commands.common import (
    add_command,
    add_isolation,
    add_json,
    add_source_arguments,
    print_json,
    read_source,
)

_MARKS = {"pass": "pass", "fail": "FAIL", "not applicable": "n/a"}


def add(commands: Any) -> None:
    """Add the command to a parser's commands."""
    parser = add_command(
        commands, "check-predictor", run, "check that a predictor keeps the contract"
    )
    parser.add_argument(
        "spec",
        metavar="SPEC",
        help="a registered name, module:Class or path/file.py:Class, with settings as Name(a=1)",
    )
    add_source_arguments(parser, required=False)
    parser.add_argument("--timeout", type=float, default=600.0, help="seconds for each check")
    add_isolation(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Check a predictor; 1 if a check fails."""
    from harness.contract.findings import check_predictor
    from harness.progress import Bar

    source = read_source(options) if options.sources else None
    with Bar() as bar:
        report = check_predictor(
            options.spec,
            source,
            timeout=options.timeout,
            isolation=options.isolation,
            progress=bar,
        )
    if options.json:
        findings = [found._asdict() for found in report.findings]
        print_json({"predictor": report.spec, "failed": report.failed, "findings": findings})
        return 1 if report.failed else 0
    for found in report.findings:
        print(f"{_MARKS[found.outcome]:<5} {found.check:<13} {found.message}")
        if found.mend:
            print(f"{'':<19} → {found.mend}")
    passed = sum(found.outcome == "pass" for found in report.findings)
    failed = f"{len(report.failed)} failed: {', '.join(report.failed)}" if report.failed else ""
    print(f"{report.spec}: {failed or f'all {passed} checks that apply pass'}.")
    return 1 if report.failed else 0
