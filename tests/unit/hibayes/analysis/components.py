"""Small components of every kind, in a file of a user's own."""

from hibayes.check import checker
from hibayes.communicate import communicate
from hibayes.model import model
from hibayes.process import process


@process
def take_scores(column="score"):
    def work(state, display=None):
        state.features = {"obs": state.processed_data[column].to_numpy()}
        state.coords, state.dims = {"group": ["a"]}, {"effects": ["group"]}
        return state

    return work


@model
def coin(scale=1.0):
    def program(features):
        raise AssertionError("not run: fit is replaced")

    return program


@checker(when="before")
def always(result="pass", value=None):
    def check(state, display=None):
        state.add_diagnostic("always", value)
        return state, result

    return check


@checker
def is_small(threshold=2):
    def check(state, display=None):
        state.add_diagnostic("is_small", 1.5)
        return state, "pass" if threshold > 1.5 else "fail"

    return check


@checker
def breaks(words="out of order"):
    def check(state, display=None):
        raise RuntimeError(words)

    return check


@checker(when="before")
def asks():
    def check(state, display=None):
        return state, "pass" if display.prompt_user("Is this fine?") else "fail"

    return check


@communicate
def count_models(name="count"):
    def work(state, display=None):
        import pandas as pd

        state.add_table(table=pd.DataFrame({"n": [len(state.models)]}), table_name=name)
        return state, "pass"

    return work


@communicate
def breaks_too():
    def work(state, display=None):
        return 1 / 0

    return work
