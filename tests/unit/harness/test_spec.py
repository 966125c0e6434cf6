"""How predictors are named."""

import re
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.spec import Spec, expand, parse_spec, registered, spec_of, unique_names
from predictors.kernel_ridge import KernelRidge
from suites.errors import UsageError


def test_every_registered_name_is_found():
    for name, value in registered().items():
        spec = parse_spec(name)
        assert (spec.name, f"{spec.module}:{spec.cls}", spec.file) == (name, value, None)


def test_a_class_name_stands_for_its_registered_name():
    assert parse_spec("KernelRidge") == parse_spec("kernel-ridge")


def test_a_class_of_a_module_is_named_without_importing_it():
    spec = parse_spec("not_installed.anywhere:Mine(a=1)")
    assert (spec.name, spec.module, spec.cls) == ("Mine(a=1)", "not_installed.anywhere", "Mine")


def test_a_class_of_a_file_is_named_by_its_absolute_path(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text("raise SystemExit('it was run')")
    monkeypatch.chdir(tmp_path)
    for place in ("mine.py", "./mine.py", str(tmp_path / "mine.py")):
        spec = parse_spec(f"{place}:Mine")
        assert (spec.file, spec.module) == (str(tmp_path / "mine.py"), None)
        assert spec.text == f"{tmp_path / 'mine.py'}:Mine"


def test_a_file_in_the_home_folder_is_found(tmp_path, monkeypatch):
    (tmp_path / "mine.py").touch()
    monkeypatch.setenv("HOME", str(tmp_path))
    assert parse_spec("~/mine.py:Mine").file == str(tmp_path / "mine.py")


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ("random()", {}),
        ("random(a=1)", {"a": 1}),
        ("random( a = -1.5 , b='x' )", {"a": -1.5, "b": "x"}),
        (
            "random(a=[1, (2, 3)], b={'x': None}, c=True)",
            {"a": [1, (2, 3)], "b": {"x": None}, "c": 1},
        ),
        ("random(a='(', b=':')", {"a": "(", "b": ":"}),
        ("random(a={1, 2})", {"a": {1, 2}}),
    ],
)
def test_settings_are_literals(text, settings):
    spec = parse_spec(text)
    assert spec.settings == settings
    assert spec.cls == "RandomValue"


@pytest.mark.parametrize(
    "call",
    [
        "__import__('os').system('touch hacked')",
        "a=__import__('os').system('touch hacked')",
        "a=open('hacked', 'w')",
        "a=[x for x in (1,)]",
        "a=lambda: 1",
        "a=b",
        "a=1+1",
        "a=f'{1}'",
        "a=1)(b=2",
        "a=1, a=2",
        "*[1]",
        "**{'a': 1}",
        "1",
        "a=",
        "a=1; b=2",
        "a=" + "(" * 500 + ")" * 500,
        "a=" + "-" * 100_000 + "1",
        "a='\x00'",
        "a={[1]}",
        "a={[1]: 2}",
    ],
)
def test_settings_that_are_code_are_refused(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="settings"):
        parse_spec(f"random({call})")
    assert list(tmp_path.iterdir()) == []


@given(st.text(string.printable, max_size=40))
def test_any_text_is_a_spec_or_refused_with_a_reason(text):
    try:
        spec = parse_spec(text)
    except UsageError as err:
        assert str(err)  # noqa: PT017 - either is right
    else:
        assert spec.cls.isidentifier()


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(["a", "b_2", "ridge"]), values))
def test_a_spec_is_read_back_from_its_text(settings):
    spec = Spec("x", "some.module", None, "Mine", settings)
    again = parse_spec(spec.text)
    assert (again.settings, again.cls, again.module) == (settings, "Mine", "some.module")
    assert again.settings_hash == spec.settings_hash


def test_an_unknown_name_is_refused_with_the_nearest_one():
    with pytest.raises(UsageError, match=r"unknown predictor 'scenario-men'; did you mean 'scen"):
        parse_spec("scenario-men")


@pytest.mark.parametrize("text", ["", "()", "(a=1)"])
def test_no_name_at_all_is_refused(text):
    with pytest.raises(UsageError, match="unknown predictor"):
        parse_spec(text)


@pytest.mark.parametrize("text", [":Mine", "module:", "module:a b", "module:2", ":", "x.py:"])
def test_a_class_without_a_proper_name_is_refused(text):
    with pytest.raises(UsageError, match="does not name a class"):
        parse_spec(text)


def test_a_file_that_is_not_there_is_refused():
    with pytest.raises(UsageError, match=r"there is no file nowhere/mine\.py"):
        parse_spec("nowhere/mine.py:Mine")


def test_the_hash_of_settings_does_not_depend_on_their_order():
    one, two = parse_spec("random(a=1, b=2)"), parse_spec("random(b=2, a=1)")
    assert one.settings_hash == two.settings_hash
    assert one.name == two.name
    assert one.settings_hash != parse_spec("random(a=1, b=3)").settings_hash


def test_any_settings_have_a_hash():
    texts = ["a={1: 2, 'x': 3}", "a={(1, 2): None}", "a=b'x'", "a=1e999"]
    hashes = {parse_spec(f"random({text})").settings_hash for text in texts}
    assert len(hashes) == len(texts)


def test_classes_and_objects_of_modules_are_named_as_their_registered_names():
    assert spec_of(KernelRidge) == parse_spec("kernel-ridge")
    assert spec_of(KernelRidge()).name == "kernel-ridge"
    assert spec_of(KernelRidge(ridge=5)) == parse_spec("kernel-ridge(ridge=5)")
    assert spec_of(KernelRidge(ridge=5)).instance is None


def test_a_class_of_a_function_can_only_travel_as_itself():
    class Mine:
        def __init__(self, a=1):
            self.a = a

        def predict(self, train_split, sequestered_test_split):
            return []

    assert spec_of(Mine).instance is Mine
    made = Mine(a=2)
    spec = spec_of(made)
    assert (spec.name, spec.instance, spec.module) == ("Mine(a=2)", made, None)
    assert spec.load_message()["instance"] is made


def test_a_spec_is_its_own_spec():
    spec = parse_spec("random")
    assert spec_of(spec) is spec


def test_one_predictor_given_twice_is_evaluated_once_and_namesakes_are_told_apart(tmp_path):
    texts = []
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mine.py").touch()
        texts.append(f"{tmp_path / folder / 'mine.py'}:Mine")
    specs = unique_names(map(parse_spec, [*texts, "random", texts[0], "RandomValue()"]))
    assert [spec.name for spec in specs] == ["Mine", "Mine #2", "random"]
    assert [Path(spec.file).parent.name for spec in specs[:2]] == ["a", "b"]


def test_names_tell_settings_apart():
    names = [parse_spec(f"random(random_seed={n})").name for n in (1, 2)]
    assert all(re.fullmatch(r"random\(random_seed=\d\)", name) for name in names)


def test_a_class_with_two_names_is_called_by_the_first():
    from predictors.hibayes_predictors import HibayesFactor

    assert spec_of(HibayesFactor).name == "hibayes"
    assert parse_spec("HibayesFactor(rank=3)").name == "hibayes(rank=3)"
    assert parse_spec("hibayes-factor").name == "hibayes-factor"


def test_all_has_each_class_once_and_quick_has_no_slow_one():
    quick, every = expand("quick"), expand("all")
    slow = {"conformal", "factorisation", "hibayes", "hibayes-items", "stack"}
    assert set(quick) | slow == set(every)
    assert not (slow | {"hibayes-factor"}) & set(quick)
    assert "hibayes-factor" not in every
    with pytest.raises(UsageError, match="quick"):
        parse_spec("quik")
