"""The console that tables are printed on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def console() -> Console:
    """Give a console as wide as the terminal, or wide enough for a file or a pipe."""
    from rich.console import Console

    made = Console()
    return made if made.is_terminal else Console(width=160)
