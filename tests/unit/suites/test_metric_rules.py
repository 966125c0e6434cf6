"""A user's own facts on metrics."""

import pytest

from suites.errors import UsageError
from suites.metric_rules import MetricRules
from suites.metrics import MetricFacts, known_metric

FILE = """
metrics:
  judge/clarity: {lower: 1, upper: 5}
  "judge/*": {lower: 0, upper: 10, higher_is_better: true}
  "*": {higher_is_better: false}
  door: {values: {switch: 1, stay: 0}}
  "steps[0]": {upper: 3}
"""


@pytest.fixture
def rules(tmp_path):
    path = tmp_path / "metrics.yaml"
    path.write_text(FILE)
    return MetricRules.load(path)


def test_the_most_specific_rule_applies_alone(rules):
    assert rules.facts(MetricFacts("judge/clarity")) == MetricFacts("judge/clarity", 1, 5)
    assert rules.facts(MetricFacts("judge/tone")) == MetricFacts("judge/tone", 0, 10, True)
    assert rules.facts(MetricFacts("other")) == MetricFacts("other", higher_is_better=False)
    assert rules.facts(MetricFacts("steps[0]")).upper == 3
    assert rules.facts(MetricFacts("Judge/tone")).upper is None


def test_globs_apply_in_the_order_of_the_file():
    rules = MetricRules.parse({"metrics": {"a*": {"upper": 1}, "ab*": {"upper": 2}}}, "here")
    assert rules.facts(MetricFacts("abc")).upper == 1


def test_only_what_is_stated_is_overridden():
    rules = MetricRules.parse({"metrics": {"exact_match": {"higher_is_better": None}}}, "here")
    known = known_metric("exact_match")
    assert rules.facts(known) == MetricFacts("exact_match", 0, 1, None, True)
    assert rules.facts(known_metric("f1_score")) is not None
    assert MetricRules().facts(known) == known


def test_another_range_is_no_longer_binary():
    rules = MetricRules.parse({"metrics": {"*": {"lower": 0, "upper": 2}}}, "here")
    assert rules.facts(known_metric("exact_match")).binary is None
    rules = MetricRules.parse({"metrics": {"*": {"upper": None}}}, "here")
    assert rules.facts(known_metric("exact_match")) == MetricFacts("exact_match", 0, None, True)


def test_a_bound_that_does_not_fit_the_other_is_refused():
    rules = MetricRules.parse({"metrics": {"*": {"lower": 5}}}, "here")
    with pytest.raises(UsageError, match="from 5 to 1"):
        rules.facts(known_metric("exact_match"))


def test_numbers_for_texts(rules):
    assert rules.values("door") == {"switch": 1.0, "stay": 0.0}
    assert rules.values("judge/clarity") is None
    assert MetricRules().values("door") is None


@pytest.mark.parametrize("text", ["", "metrics:", "metrics: {}"])
def test_a_file_may_state_nothing(tmp_path, text):
    path = tmp_path / "metrics.yaml"
    path.write_text(text)
    assert MetricRules.load(path) == MetricRules()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[1]", "key metrics"),
        ("metric: {}", "did you mean 'metrics'"),
        ("metrics: [a]", "must map names or globs"),
        ("metrics: {a: 1}", "metrics.a must be a mapping"),
        ("metrics: {a: }", "metrics.a must be a mapping"),
        ("metrics: {a: {uper: 1}}", "did you mean 'upper'"),
        ("metrics: {a: {1: 1}}", "unknown key '1'"),
        ("metrics: {a: {lower: one}}", "a.lower must be a finite number"),
        ("metrics: {a: {lower: true}}", "a.lower must be a finite number"),
        ("metrics: {a: {upper: .inf}}", "a.upper must be a finite number"),
        ("metrics: {a: {upper: .nan}}", "a.upper must be a finite number"),
        (f"metrics: {{a: {{upper: {10**400}}}}}", "a.upper must be a finite number"),
        ("metrics: {a: {lower: 1, upper: 1}}", "lower must be below upper, got 1 and 1"),
        ("metrics: {a: {higher_is_better: 1}}", "true, false or null, got 1"),
        ("metrics: {a: {values: [A]}}", "must map texts to numbers"),
        ("metrics: {a: {values: {yes: 1}}}", "True is no text; put it in quotes"),
        ("metrics: {a: {values: {A: B}}}", "a.values.A must be a finite number"),
        ("metrics: {", "cannot read the file of metrics"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, text, said):
    path = tmp_path / "metrics.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"metrics\.yaml") as caught:
        MetricRules.load(path)
    assert said in str(caught.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(UsageError, match="cannot read"):
        MetricRules.load(tmp_path / "none.yaml")
