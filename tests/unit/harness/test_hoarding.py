"""What a predictor keeps of one fold is of no use to it in the next."""

import contextlib
import ctypes
import functools
import importlib.util
import os
import pwd
import uuid
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import harness
from harness.jail.probe import reached

FILE = Path(__file__).parents[2] / "data" / "misbehaving" / "hoards.py"
spec = importlib.util.spec_from_file_location("hoards", FILE)
hoards = importlib.util.module_from_spec(spec)
spec.loader.exec_module(hoards)

IN_MEMORY = ["globals", "environment"]
OUTSIDE = [place for place in hoards.PLACES if place not in IN_MEMORY]


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "values.csv"
    rng = np.random.default_rng(0)
    cells = [(f"maker/m{i}", f"s{j}") for i in range(6) for j in range(4)]
    frame = pd.DataFrame(cells, columns=["model", "scenario"])
    frame.assign(value=rng.uniform(size=len(cells)).round(3)).to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def losses(table):
    """Give, of a hoarder in each place, the mean CRPS in each fold, by isolation."""

    @functools.cache
    def get(isolation):
        token = uuid.uuid4().hex
        places = ["nowhere", *hoards.PLACES]
        specs = [f"{FILE}:Hoards(token={token!r}, where={place!r})" for place in places]
        try:
            results = harness.evaluate(str(table), specs, k=0, folds=3, isolation=isolation)
        finally:
            for place in OUTSIDE:
                with contextlib.suppress(KeyError, OSError):
                    hoards.Hoards(token, place).place().unlink()
            with contextlib.suppress(OSError):
                segment = hoards.Hoards(token, "system_v").segment(0)
                hoards.LIBC.shmctl(segment, 0, ctypes.c_void_p(None))
        scores = results.scores.astype({"predictor": str, "rule": str})
        crps = scores[scores["rule"] == "crps"].pivot_table("value", "fold", "predictor")
        names = [one["name"] for one in results.manifest["predictors"]][-len(places) :]
        return dict(zip(places, crps[names].T.to_numpy(), strict=True))

    return get


def wins(losses, place) -> bool:
    """Say whether it knows in later folds what it saw in the first."""
    found, honest = losses[place], losses["nowhere"]
    assert found[0] == honest[0]
    if (found == honest).all():
        return False
    assert (found[1:] < honest[1:] / 20).all()
    return True


@pytest.mark.parametrize("place", IN_MEMORY)
def test_it_wins_where_folds_share_a_process(losses, place):
    assert wins(losses("none"), place)


@pytest.mark.parametrize("place", IN_MEMORY)
def test_a_process_of_its_own_forgets(losses, place):
    assert not wins(losses("process"), place)


@pytest.mark.parametrize("place", OUTSIDE)
def test_it_wins_where_nothing_keeps_it_from_the_machine(losses, place):
    if place == "home" and not any(user.pw_uid == os.getuid() for user in pwd.getpwall()):
        pytest.skip("this user has no home")
    assert wins(losses("process"), place)


@pytest.mark.parametrize("place", hoards.PLACES)
def test_it_learns_nothing_in_a_strong_jail(losses, place):
    if why := reached()["strong"]:
        pytest.skip(f"this machine has no level strong: {why}")
    assert not wins(losses("strong"), place)
