"""Questions that wait for a person, in saved states, and what their answers change."""

import json

import pandas as pd
import pytest

from hibayes.analysis_state import AnalysisState, ModelAnalysisState
from hibayes.check.verdict import ask
from hibayes.model import ModelConfig
from hibayes.model import model as register
from hibayes.storage import approve, waiting
from hibayes.verdict import run_check
from suites.errors import UsageError


@register
def asked_model():
    return lambda features: None


def make(*tags):
    models = [
        ModelAnalysisState(asked_model(), ModelConfig(tag=tag), is_fitted=True) for tag in tags
    ]
    return AnalysisState(pd.DataFrame({"score": [1.0]}), models=models)


def files(path):
    return sorted(p.relative_to(path).as_posix() for p in path.rglob("*") if p.is_file())


def record(name, result="NA", questions=("Fine?",)):
    approval = {"questions": list(questions), "answer": None} if questions else None
    return {"checker": name, "when": "before", "arguments": {}, "result": result, "value": None,
            "threshold": None, "message": None, "offenders": [], "approval": approval}  # fmt: skip


def test_a_question_waits_and_is_answered(tmp_path):
    state = make("a", "b")
    for model in state.models:
        model.checks = [record("prior_predictive_plot"), record("r_hat", "pass", ())]
    state.save(tmp_path)
    assert [item["name"] for item in waiting(tmp_path)] == [
        "asked_modela/prior_predictive_plot", "asked_modelb/prior_predictive_plot",
    ]  # fmt: skip
    with pytest.raises(UsageError, match="names several"):
        approve(tmp_path, "prior_predictive_plot")
    approve(tmp_path, "asked_modela/prior_predictive_plot")
    approve(tmp_path, "prior_predictive_plot", accepted=False)
    back = AnalysisState.load(tmp_path)
    assert [model.checks[0]["result"] for model in back.models] == ["pass", "fail"]
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["pending_approvals"] == []
    assert results["tally"]["pass"] == 3
    with pytest.raises(UsageError, match="not waiting"):
        approve(tmp_path, "r_hat")


def test_approving_changes_nothing_else(tmp_path):
    state = make("a")
    state.models[0].checks = [record("p")]
    state.save(tmp_path)
    before = {name: (tmp_path / name).read_bytes() for name in files(tmp_path)}
    approve(tmp_path, "p")
    after = {name: (tmp_path / name).read_bytes() for name in files(tmp_path)}
    changed = {name for name in before if before[name] != after[name]}
    assert before.keys() == after.keys()
    assert changed == {"manifest.json", "results.json", "models/asked_modela/checks.json"}


def looks_right(state, display=None):
    return ask(state, display, "looks_right", "Is it right?", value=1.5)


@pytest.mark.parametrize("accepted", [True, False])
def test_results_and_the_reloaded_state_agree_on_the_answer(tmp_path, accepted):
    state = make("a", "b")
    for model in state.models:
        _, found = run_check(looks_right, model, None)
        model.checks.append(found)
    state.save(tmp_path)
    approve(tmp_path, "asked_modelb/looks_right", accepted=accepted)
    kept = json.loads((tmp_path / "results.json").read_text())["models"]
    for model, listed in zip(AnalysisState.load(tmp_path).models, kept, strict=True):
        verdict, (found,) = model.diagnostic("looks_right_verdict"), listed["checks"]
        assert model.checks == listed["checks"]
        assert (verdict["result"], verdict["message"]) == (found["result"], found["message"])
        assert verdict["approval"]["answer"] == found["approval"]["answer"]
        assert verdict["value"] == 1.5
    assert found["result"] == ("pass" if accepted else "fail")
    assert found["message"] == ("" if accepted else "not ") + "accepted by the user"
    assert verdict["approval"] == {"question": "Is it right?", "answer": accepted}
