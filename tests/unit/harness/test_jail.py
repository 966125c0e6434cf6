"""The parts of the jail that need no jail to be looked at."""

import itertools
import os
import struct
import sys
from pathlib import Path

import pytest

from harness.jail import probe, seccomp
from harness.jail.openings import ATTACKS, Machine, left_open
from harness.jail.paths import installed, opened, outermost, without
from harness.jail.policy import LEVELS, Limits, Policy, at_least
from harness.jail.probe import available_levels, isolation_of, reached
from suites.errors import UsageError

EPERM, ENOSYS, ALLOW, KILL = 0x50001, 0x50026, 0x7FFF0000, 0x80000000
ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}


def verdict(code: bytes, architecture: int, number: int, *arguments: int) -> int:
    """Carry classic BPF out on one system call."""
    data = struct.pack("<IIQ6Q", number, architecture, 0, *arguments, *[0] * (6 - len(arguments)))
    value = at = 0
    while True:
        operation, true, false, constant = struct.unpack_from("<HBBI", code, 8 * at)
        at += 1
        if operation == 0x20:
            (value,) = struct.unpack_from("<I", data, constant)
        elif operation == 0x54:
            value &= constant
        elif operation == 0x06:
            return constant
        else:
            met = {0x15: value == constant, 0x35: value >= constant, 0x45: value & constant != 0}
            at += true if met[operation] else false


# architecture → read, clone, clone3, socket, socketpair, ioctl, mount
NUMBERS = {
    "x86_64": (0, 56, 435, 41, 53, 16, 165),
    "aarch64": (63, 220, 435, 198, 199, 29, 40),
}


@pytest.mark.parametrize("unix", [True, False])
@pytest.mark.parametrize("name", NUMBERS)
def test_the_filter_denies_what_it_should_and_nothing_else(name, unix):
    code = seccomp.assemble(name, unix_sockets=unix)
    read, clone, clone3, make, pair, control, mount = NUMBERS[name]

    def of(*call):
        return verdict(code, ARCHITECTURE[name], *call)

    column = list(ARCHITECTURE).index(name)
    assert {of(n[column]) for n in seccomp.DENIED.values() if n[column] is not None} == {EPERM}
    assert (of(mount), of(clone3), of(read)) == (EPERM, ENOSYS, ALLOW)
    assert of(clone, 0x3D0F00) == ALLOW  # a thread
    assert of(clone, 0x10000011) == EPERM
    assert of(make, 1, 1) == (ALLOW if unix else EPERM)
    assert {of(make, family, 1) for family in (2, 10, 16, 17, 40)} == {EPERM}
    assert (of(pair, 1, 0x80001), of(pair, 1, 2), of(pair, 1, 5)) == (ALLOW, EPERM, EPERM)
    assert (of(control, 0, 0x5401), of(control, 0, 0x5412)) == (ALLOW, EPERM)
    others = {verdict(code, a, read) for a in (*ARCHITECTURE.values(), 0x40000003)}
    assert others == {ALLOW, KILL}
    assert verdict(code, 0x40000003, read) == KILL  # 32 bits
    if name == "x86_64":
        assert of(0x40000000 + read) == EPERM  # x32


def test_no_denied_number_is_named_twice():
    for column in (0, 1):
        numbers = [n[column] for n in seccomp.DENIED.values() if n[column] is not None]
        assert len(numbers) == len(set(numbers))


def test_what_is_hidden_is_left_out_and_what_is_beside_it_stays(tmp_path):
    for name in ("a/b/truth", "a/b/other", "a/c", "d"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "a" / "b" / "truth")
    (tmp_path / "away").symlink_to(tmp_path / "a")
    truth = str(tmp_path / "a" / "b" / "truth")
    found = [os.path.relpath(path, tmp_path) for path in without(str(tmp_path), [truth])]
    assert found == ["a/b/other", "a/c", "away/b/other", "away/c", "d"]
    assert without(str(tmp_path / "link"), [truth]) == []
    assert without(str(tmp_path / "a" / "b"), [str(tmp_path / "a")]) == []
    assert without(str(tmp_path), ["/nowhere"]) == [str(tmp_path)]


def test_a_folder_that_is_no_environment_gives_its_modules_only(tmp_path):
    for name in ("package/__init__.py", "package/data.csv", "module.py", "truth.csv", "runs/x.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    found = {Path(path).name for path in installed([str(tmp_path)]) if str(tmp_path) in path}
    assert found == {"package", "module.py"}
    assert sys.prefix in installed(sys.path)


def test_closed_folders_are_opened_by_what_lies_in_them(tmp_path):
    (tmp_path / "closed").mkdir()
    (tmp_path / "closed" / "in").mkdir(mode=0o755)
    (tmp_path / "closed").chmod(0o700)
    assert opened([str(tmp_path / "closed")]) == [str(tmp_path / "closed" / "in")]


def test_the_outermost_of_nothing_is_nothing():
    assert outermost([]) == []


def test_a_policy_survives_json():
    policy = Policy("weak", ("/a",), ("/b",), ("/c",), "/d", Limits(memory=1, disk=2))
    assert Policy.from_json(policy.to_json()) == policy


def test_the_isolation_of_comes_first_and_none_is_always_there():
    assert isolation_of("best") == available_levels()[0]
    assert available_levels()[-1] == "none"
    assert set(reached()) == set(LEVELS)
    assert [at_least(level, "medium") for level in LEVELS] == [True, True, False, False, False]


@pytest.fixture
def offered(monkeypatch):
    """A machine that offers medium and weak jails."""
    why = {"strong": "no namespaces", "medium": "", "weak": "", "process": "", "none": ""}
    monkeypatch.setattr(probe, "reached", lambda: why)


@pytest.mark.parametrize(
    ("wanted", "least", "got"),
    [
        ("best", None, "medium"),
        ("best", "medium", "medium"),
        ("best", "process", "medium"),
        ("weak", "weak", "weak"),
        ("process", None, "process"),
        ("none", None, "none"),
    ],
)
def test_workers_get_the_level_that_is_wanted(offered, wanted, least, got):
    assert isolation_of(wanted, least) == got


@pytest.mark.parametrize(
    ("wanted", "least", "why"),
    [
        ("strong", None, "does not offer the isolation strong: no namespaces"),
        ("best", "strong", "strong is required, and medium is what there is: no namespaces"),
        ("weak", "medium", "medium is required, and weak is what there is"),
        ("none", "process", "process is required, and none is what there is"),
        ("strnog", None, "unknown isolation 'strnog'; did you mean 'strong'"),
        ("best", "best", "unknown isolation 'best'"),
    ],
)
def test_what_is_not_offered_or_less_than_required_is_refused(offered, wanted, least, why):
    with pytest.raises(UsageError, match=why):
        isolation_of(wanted, least)


@pytest.mark.parametrize("root", [True, False])
def test_a_better_level_leaves_no_more_open(root):
    for landlock in (0, 3, 7):
        for tracing in (True, False):
            machine = Machine(root, landlock, tracing, user_namespaces=True)
            found = [set(left_open(level, machine)) for level in LEVELS]
            assert all(better <= worse for better, worse in itertools.pairwise(found))
            assert not found[0]
            assert found[-1] <= set(ATTACKS)


def test_signals_are_open_where_landlock_is_old():
    old, new = (Machine(False, version, True, True) for version in (5, 6))
    assert set(left_open("medium", old)) - set(left_open("medium", new)) == {"signal"}
