"""``harness doctor``."""

from __future__ import annotations

import argparse
from typing import Any

from harness.commands.common import add_command, add_json, print_json


def add(commands: Any) -> None:
    """Add the command to a parser's commands."""
    add_json(add_command(commands, "doctor", run, "say what this installation can do"))


def run(options: argparse.Namespace) -> int:
    """Say what this installation can do."""
    from harness.doctor import examine

    facts = examine()
    if options.json:
        print_json(facts)
    else:
        for section, rows in facts.items():
            print(section)
            for name, value in rows.items():
                print(f"  {name:<24} {value}")
    return 0
