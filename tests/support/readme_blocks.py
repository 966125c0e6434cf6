"""The examples of a Markdown page, as they can be run.

A block ``sh`` is run by bash; one of Python after ``<!-- file: NAME -->`` is written to NAME; one
of Python after ``<!-- run -->`` is run; ``text`` blocks are not run.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(
    r"(?:<!--\s*(?P<note>file:\s*\S+|run)\s*-->\s*\n)?```(?P<kind>\w+)\n(?P<code>.*?)```",
    re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """One example: its kind (``file``, ``python`` or ``sh``), its code, a file's name."""

    kind: str
    code: str
    name: str = ""


def runnable_blocks(page: Path) -> list[Block]:
    """Give the runnable examples of a page, in order."""
    blocks = []
    for match in _BLOCK.finditer(page.read_text(encoding="utf-8")):
        note, kind, code = match["note"], match["kind"], match["code"]
        if note and note.startswith("file:"):
            blocks.append(Block("file", code, note.removeprefix("file:").strip()))
        elif note == "run":
            blocks.append(Block("python", code))
        elif kind == "sh":
            blocks.append(Block("sh", code))
    return blocks


def script(blocks: list[Block], folder: Path) -> list[list[str]]:
    """Write the files of blocks into a folder, and give the commands that run the others."""
    commands = []
    for number, block in enumerate(blocks):
        if block.kind == "file":
            (folder / block.name).write_text(block.code, encoding="utf-8")
        elif block.kind == "python":
            path = folder / f"example_{number}.py"
            path.write_text(block.code, encoding="utf-8")
            commands.append(["python", str(path)])
        else:
            commands.append(["bash", "-euc", block.code])
    return commands
