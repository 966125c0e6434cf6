from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from readme_blocks import runnable_blocks, script

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_the_examples_of_a_page_run(page, tmp_path):
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    for command in script(runnable_blocks(page), tmp_path):
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
        assert done.returncode == 0, f"{command[-1]}\n{done.stdout}\n{done.stderr}"


def test_the_readme_has_examples_of_every_kind():
    kinds = {block.kind for block in runnable_blocks(ROOT / "README.md")}
    assert kinds == {"file", "python", "sh"}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_the_links_of_a_page_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8")):
        if not target.startswith(("http://", "https://")):
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("program", ["harness", "leaderboard"])
def test_every_command_is_in_the_readme(program):
    done = subprocess.run(
        [str(Path(sys.executable).parent / program), "--help"], capture_output=True, text=True
    )
    commands = re.findall(r"^    (\w+) ", done.stdout, flags=re.MULTILINE)
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(commands) >= 2
    assert [c for c in commands if f"`{program} {c}" not in text] == []
