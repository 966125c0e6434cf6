"""What a checker is, and the section ``check``."""

import subprocess
import sys

import pytest

from hibayes.check import CheckerConfig, checker, when_of
from hibayes.registry import registry_get, registry_info, registry_params
from suites.errors import UsageError


def built(result, **how):
    @checker(**how)
    def my_check(threshold=1):
        def check(state, display=None):
            return result

        return check

    return my_check


def test_a_checker_is_registered_with_when_it_runs():
    worker = built(("state", "pass"), when="before")(threshold=3)
    assert registry_get("checker", "my_check") is not None
    assert (when_of(worker), registry_info(worker).name) == ("before", "my_check")
    assert registry_params(worker) == {"threshold": 3}
    assert worker("state", None) == ("state", "pass")


def test_without_parentheses_it_runs_after():
    @checker
    def bare():
        return lambda state, display=None: (state, "NA")

    assert when_of(bare()) == "after"
    assert when_of(built(None)()) == "after"


def test_when_is_one_of_two():
    with pytest.raises(UsageError, match="'before' or 'after', not 'during'"):
        checker(when="during")


@pytest.mark.parametrize(("given", "result"), [("Error", "error"), ("na", "NA"), ("PASS", "pass")])
def test_results_in_any_case_of_letters(given, result):
    assert built(("state", given))()("state")[1] == result


@pytest.mark.parametrize("returned", [None, "pass", ("state", "good"), ("state", True), (1, 2, 3)])
def test_what_is_no_result_is_refused(returned):
    with pytest.raises(UsageError, match="my_check must return"):
        built(returned)()("state")


def test_what_is_no_worker_is_refused():
    @checker
    def empty():
        return None

    with pytest.raises(TypeError, match="must build a function"):
        empty()


# the section


DEFAULTS = [
    "prior_predictive_plot", "r_hat", "divergences", "ess_bulk", "ess_tail", "loo", "bfmi",
    "posterior_predictive_plot", "waic",
]  # fmt: skip


@pytest.mark.parametrize("config", [None, {}, {"path": None}, {"checkers": None}])
def test_an_absent_list_means_the_defaults_in_their_order(config):
    found = CheckerConfig.from_dict(config)
    assert [check.__name__ for check in found.enabled_checkers] == DEFAULTS
    assert [check.__name__ for check in found.before] == DEFAULTS[:1]
    assert [check.__name__ for check in found.after] == DEFAULTS[1:]
    assert [c.__name__ for c in CheckerConfig().enabled_checkers] == DEFAULTS


def test_an_empty_list_switches_checks_off():
    assert CheckerConfig.from_dict({"checkers": []}).enabled_checkers == []


def test_all_forms_of_the_list():
    forms = [
        ["r_hat", {"divergences": {"threshold": 5}, "loo": None}],
        {"r_hat": None, "divergences": {"threshold": 5}, "loo": {}},
    ]
    for listed in forms:
        found = CheckerConfig.from_dict({"checkers": listed}).enabled_checkers
        assert [check.__name__ for check in found] == ["r_hat", "divergences", "loo"]
        assert registry_params(found[1]) == {"threshold": 5}


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"checker": []}, "did you mean 'checkers'"),
        ({"checkers": ["r_hatt"]}, "No registered r_hatt found with @checker"),
        ({"checkers": [{"r_hat": {"treshold": 1}}]}, "did you mean 'threshold'"),
        ({"checkers": [{"r_hat": {"threshold": "low"}}]}, "threshold must be a number"),
        ({"checkers": [{"loo": {"scale": "devianz"}}]}, "did you mean 'deviance'"),
        ({"checkers": [{"posterior_predictive_plot": {"kind": "kda"}}]}, "did you mean 'kde'"),
        (
            {"checkers": [{"posterior_predictive_plot": {"plot_kwargs": {"num_p_samples": 5}}}]},
            "did you mean 'num_pp_samples'",
        ),
        ({"checkers": [{"prior_predictive_plot": {"figsize": 5}}]}, "must be two numbers"),
        ({"checkers": [{"prior_predictive_check": {"num_samples": 0}}]}, "above 0"),
    ],
)
def test_faults_are_named_before_anything_runs(config, said):
    with pytest.raises(UsageError, match=said):
        CheckerConfig.from_dict(config)


def test_a_file_of_ones_own(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(
        "from hibayes.check import Checker, CheckerResult, checker\n"
        "@checker(when='before')\n"
        "def always(result='pass') -> Checker:\n"
        "    def check(state, display):\n"
        "        return state, result\n"
        "    return check\n"
    )
    found = CheckerConfig.from_dict({"path": str(file), "checkers": [{"always": {"result": "NA"}}]})
    assert [check.__name__ for check in found.before] == ["always"]
    assert found.enabled_checkers[0]("state")[1] == "NA"


def test_the_packages_import_nothing_heavy():
    code = (
        "import sys, hibayes.check, hibayes.communicate\n"
        "hibayes.check.CheckerConfig(); hibayes.communicate.CommunicateConfig()\n"
        "heavy = {'jax', 'numpyro', 'arviz', 'xarray', 'matplotlib', 'pandas'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
