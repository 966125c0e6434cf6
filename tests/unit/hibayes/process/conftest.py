"""A state and a display as small as processors need."""

from types import SimpleNamespace

import pytest


class Remembers:
    """Stands for a display: keeps messages."""

    def __init__(self):
        self.said = []
        self.logger = self

    def info(self, text):
        self.said.append(text)

    warning = error = debug = info

    def all(self):
        return "\n".join(self.said)


@pytest.fixture
def display():
    return Remembers()


@pytest.fixture
def state():
    def make(data, **more):
        import pandas as pd

        empty = {"processed_data": None, "features": {}, "test_features": {}}
        frame = data if isinstance(data, pd.DataFrame) else pd.DataFrame(data)
        return SimpleNamespace(**{"data": frame, **empty, "coords": None, "dims": None, **more})

    return make
