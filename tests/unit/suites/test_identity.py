"""Who and what a run is of."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suites.errors import UsageError
from suites.identity import (
    Identity,
    canonical_json,
    condition_of,
    family_of,
    organisation_of,
    scenario_group_of,
)


@pytest.mark.parametrize(
    ("model", "organisation", "family"),
    [
        ("meta/llama-3-8b", "meta", "llama-3"),
        ("meta/llama-3.1-405b-instruct-turbo", "meta", "llama-3.1"),
        ("meta__llama-3-8b", "meta", "llama-3"),
        ("Qwen__Qwen2.5-72B-Instruct", "Qwen", "Qwen2.5"),
        ("openai/gpt-4o-2024-05-13", "openai", "gpt-4o"),
        ("openai/gpt-4o-mini-2024-07-18", "openai", "gpt-4o"),
        ("openai/gpt-3.5-turbo-0613", "openai", "gpt-3.5"),
        ("anthropic/claude-3-5-sonnet-20241022", "anthropic", "claude-3-5"),
        ("mistralai/mixtral-8x7b-32kseqlen", "mistralai", "mixtral"),
        ("google/gemma-2-9b-it", "google", "gemma-2"),
        ("gpt2", None, "gpt2"),
        ("70b", None, "70b"),
        ("a/b/c-7b", "a", "b/c"),
        ("/no-organisation", None, "/no-organisation"),
        ("nothing/", None, "nothing/"),
        ("", None, None),
    ],
)
def test_organisation_and_family_are_read_from_the_name(model, organisation, family):
    assert organisation_of(model) == organisation
    assert family_of(model) == family


@given(st.text(max_size=30))
def test_any_name_has_an_identity(model):
    family, organisation = family_of(model), organisation_of(model)
    assert organisation is None or (organisation and model.startswith(organisation))
    assert family != ""
    assert scenario_group_of(model) or not model


@pytest.mark.parametrize(
    ("scenario", "group"),
    [
        ("mmlu:subject=anatomy,method=joint", "mmlu"),
        ("bbh/navigate", "bbh"),
        ("gsm", "gsm"),
        (":odd", ":odd"),
        ("", ""),
    ],
)
def test_the_group_is_the_scenario_without_its_arguments(scenario, group):
    assert scenario_group_of(scenario) == group


fields = st.dictionaries(
    st.text(max_size=5),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
        max_leaves=5,
    ),
)


@given(fields, st.randoms(use_true_random=False))
def test_a_condition_does_not_depend_on_the_order_of_its_fields(given_fields, order):
    keys = list(given_fields)
    order.shuffle(keys)
    shuffled = {key: given_fields[key] for key in keys}
    assert condition_of(shuffled) == condition_of(given_fields)
    assert len(condition_of(given_fields)) == 8
    assert canonical_json(shuffled) == canonical_json(given_fields)


def test_different_fields_are_different_conditions():
    different = [{}, {"shots": 5}, {"shots": "5"}, {"shots": 5, "cot": None}, {"shots": [5]}]
    assert len({condition_of(f) for f in different}) == len(different)


# -- a user's own names ----------------------------------------------------------------------------


def test_names_that_are_not_listed_are_read_as_usual():
    own = Identity(models={"other": "x/y"})
    assert own.model("meta/llama-3-8b") == ("meta/llama-3-8b", "meta", "llama-3")
    assert own.scenario("bbh/navigate") == ("bbh/navigate", "bbh")


def test_a_model_is_renamed_and_then_read():
    own = Identity(models={"m1": "acme/one-7b"})
    assert own.model("m1") == ("acme/one-7b", "acme", "one")


def test_each_part_may_be_said():
    own = Identity(
        models={"m1": {"organisation": "acme", "family": None}},
        scenarios={"s1": {"scenario": "mmlu:subject=law", "scenario_group": "exams"}, "s2": "a/b"},
    )
    assert own.model("m1") == ("m1", "acme", None)
    assert own.scenario("s1") == ("mmlu:subject=law", "exams")
    assert own.scenario("s2") == ("a/b", "a")


def test_a_name_that_is_said_to_be_nothing_stays():
    own = Identity(models={"a/m": {"model": None}}, scenarios={"s/t": {"scenario_group": None}})
    assert own.model("a/m") == ("a/m", "a", "m")
    assert own.scenario("s/t") == ("s/t", "s")


@pytest.fixture
def load(tmp_path):
    def write(text):
        path = tmp_path / "names.yaml"
        path.write_text(text, encoding="utf-8")
        return Identity.load(path)

    return write


def test_a_file_of_names_is_read(load):
    own = load("models:\n  m1: acme/one-7b\nscenarios:\n  s1: {scenario_group: exams}\n")
    assert own.model("m1")[0] == "acme/one-7b"
    assert own.scenario("s1") == ("s1", "exams")


def test_names_that_yaml_takes_for_numbers_are_names(load):
    assert load("models: {7: acme/one}").model("7")[0] == "acme/one"


@pytest.mark.parametrize("text", ["", "models:\n", "models: {}\nscenarios:"])
def test_an_empty_file_changes_nothing(load, text):
    assert load(text).model("meta/llama-3-8b") == ("meta/llama-3-8b", "meta", "llama-3")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model: {}", "unknown key 'model'; did you mean 'models'"),
        ("models: {m1: {organization: acme}}", "models.m1: unknown key 'organization'; did you"),
        ("scenarios: {s1: {group: x}}", "scenarios.s1: unknown key 'group'"),
        ("models: [m1]", "models must map names"),
        ("- m1", "expected a mapping"),
        ("models: {m1: 3}", "models.m1"),
        ("models: {m1: [a]}", "models.m1"),
        ("models: {m1: {model: [a]}}", "models.m1"),
        ("models: {m1: {family: 3}}", "models.m1"),
        ("models: [unclosed", "cannot read"),
        ("models: !!python/name:os.system", "cannot read"),
    ],
)
def test_a_wrong_file_is_refused_with_the_place(load, text, message):
    with pytest.raises(UsageError, match=message) as caught:
        load(text)
    assert "names.yaml" in str(caught.value)


def test_a_file_that_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(UsageError, match="cannot read the identity file"):
        Identity.load(tmp_path / "nowhere.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="cannot read the identity file"):
        Identity.load(tmp_path / "binary.yaml")
