"""A folder is replaced as one piece, and what is not ours stays."""

import json
import os

import pytest

from hibayes.storage.folder import Folder, read_manifest, sha256, stem
from suites.errors import UsageError


def save(path, **files):
    with Folder(path) as folder:
        for name, text in files.items():
            folder.write(name.replace("__", "/"), lambda part, t=text: part.write_text(t))
        return folder.commit({})


def names(path):
    return sorted(p.relative_to(path).as_posix() for p in path.rglob("*") if p.is_file())


def test_a_later_save_leaves_nothing_of_the_earlier(tmp_path):
    save(tmp_path, a="1", models__x__b="2")
    save(tmp_path, c="3")
    assert names(tmp_path) == ["c", "manifest.json"]
    assert not (tmp_path / "models").exists()


def test_files_of_others_stay(tmp_path):
    save(tmp_path, models__a="1")
    (tmp_path / "models" / "notes.md").write_text("mine")
    save(tmp_path, b="2")
    assert names(tmp_path) == ["b", "manifest.json", "models/notes.md"]


def test_a_file_of_others_is_not_overwritten(tmp_path):
    (tmp_path / "data").write_text("mine")
    with pytest.raises(UsageError, match="was not written by hibayes"):
        save(tmp_path, other="1", data="2")
    assert names(tmp_path) == ["data"]
    assert (tmp_path / "data").read_text() == "mine"


def test_a_save_that_fails_changes_nothing(tmp_path):
    save(tmp_path, a="old", b="old")

    def fail(part):
        part.write_text("half")
        raise OSError("disk full")

    with Folder(tmp_path) as folder:
        folder.write("a", lambda part: part.write_text("new"))
        with pytest.raises(OSError, match="disk full"):
            folder.write("b", fail)
    assert names(tmp_path) == ["a", "b", "manifest.json"]
    assert (tmp_path / "a").read_text() == "old"


@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_save_broken_off_while_files_move_is_completed(tmp_path, monkeypatch, after):
    save(tmp_path, a="old", gone="old")
    moved = []

    def replace(source, target, real=os.replace):
        if target.name != "manifest.json":
            if len(moved) == after:
                raise KeyboardInterrupt
            moved.append(target)
        real(source, target)

    with monkeypatch.context() as patch:
        patch.setattr("hibayes.storage.folder.os.replace", replace)
        patch.setattr("hibayes.storage.folder.Folder.__exit__", lambda *args: None)  # killed
        if after < 2:
            with pytest.raises(KeyboardInterrupt):
                save(tmp_path, a="new", b="new")
        else:
            save(tmp_path, a="new", b="new")
    with Folder(tmp_path) as folder:
        assert sorted(folder.old) == ["a", "b"]
    assert names(tmp_path) == ["a", "b", "manifest.json"]
    assert (tmp_path / "a").read_text() == (tmp_path / "b").read_text() == "new"


def test_the_manifest_has_the_sha256_of_every_file(tmp_path):
    save(tmp_path, a="1", d__b="2")
    files = read_manifest(tmp_path)["files"]
    assert files == {name: sha256(tmp_path / name) for name in ("a", "d/b")}


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../../x"])
def test_a_manifest_that_leads_outside_is_refused(tmp_path, name):
    (tmp_path / "manifest.json").write_text(json.dumps({"format": 1, "files": {name: ""}}))
    with pytest.raises(UsageError, match="outside of the folder"):
        read_manifest(tmp_path)


def test_a_later_format_is_refused(tmp_path):
    (tmp_path / "manifest.json").write_text(json.dumps({"format": 2, "files": {}}))
    with pytest.raises(UsageError, match="format 2 is not known"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("name", ["../up", "a/b", ".hidden", "x" * 300, "tab\t", "nul\0"])
def test_any_name_gives_a_file_in_the_folder(name, tmp_path):
    file = tmp_path / f"{stem(name)}.json"
    file.write_text("")
    assert file.parent == tmp_path
    assert not file.name.startswith(".")


def test_names_that_differ_in_what_is_replaced_give_different_files():
    assert stem("a/b") != stem("a_b") != stem("a:b")
