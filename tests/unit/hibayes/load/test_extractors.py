"""The built-in extractors, on objects of any make."""

from types import SimpleNamespace as Some

import numpy as np
import pytest

import hibayes.load as loading
from hibayes.load import extractor
from suites.errors import UsageError

MESSAGES = [Some(role=r) for r in ("system", "user", "assistant", "user")]
CHALLENGE = {
    "max_messages": 10,
    "category": "web",
    "split": "train",
    "capabilities": [{"name": "recon", "level": 2}],
}


def sample(value=0.75, **fields):
    usage = Some(
        total_tokens=100,
        input_tokens=50,
        output_tokens=50,
        input_tokens_cache_write=10,
        input_tokens_cache_read=None,
    )
    content = {
        "id": 1,
        "epoch": 2,
        "target": "4",
        "messages": MESSAGES,
        "scores": {"judge": Some(value=value)},
        "metadata": {"challenge_metadata": CHALLENGE, "nested": {"deep": {"x": 5}}, "a.b": 1},
        "model_usage": {"m": usage, "grader": usage},
    }
    return Some(**{**content, **fields})


def log(**fields):
    spec = Some(model="openai/azure/gpt-5", dataset=Some(name="sums"), task="pack/sums")
    tools = {"tools": [{"name": "grep"}, {"name": "sed"}]}
    plan = Some(steps=[Some(params={}), Some(params=tools)])
    return Some(**{"eval": spec, "plan": plan, "location": "a.eval", **fields})


def test_base_extractor_counts_messages_where_there_is_no_summary():
    assert loading.base_extractor()(sample(), log()) == {
        "score": 0.75,
        "target": "4",
        "model": "gpt-5",
        "model_raw": "openai/azure/gpt-5",
        "dataset": "sums",
        "task": "1",
        "epoch": 2,
        "num_messages": 4,
        "log_path": "a.eval",
    }


@pytest.mark.parametrize("value", ["switch", {"a": 1}, [1], None])
def test_base_extractor_leaves_a_score_without_a_number_missing(value):
    found = loading.base_extractor()(sample(value), log())
    assert np.isnan(found["score"])
    assert found["model"] == "gpt-5"
    assert np.isnan(loading.base_extractor()(sample(scores=None), log())["score"])


def test_tokens_are_summed_over_models():
    found = loading.token_extractor()(sample(), log())
    assert found == {
        "total_tokens": 200,
        "input_tokens": 100,
        "output_tokens": 100,
        "cache_write_tokens": 20,
        "cache_read_tokens": 0,
    }
    assert loading.token_extractor()(sample(model_usage={}), log()) == {}


def test_messages_are_counted_by_role():
    assert loading.message_count_extractor()(sample(), log()) == {
        "system_messages": 1,
        "user_messages": 2,
        "assistant_messages": 1,
        "total_messages": 4,
    }
    some = loading.message_count_extractor(include_system=False, include_assistant=False)
    assert some(sample(), log()) == {"user_messages": 2, "total_messages": 4}


def test_tools_are_named():
    assert loading.tools_extractor()(sample(), log()) == {"tools": ["grep", "sed"]}
    assert loading.tools_extractor()(sample(), log(plan=Some(steps=[]))) == {"tools": [None]}
    odd = Some(steps=[Some(params={"tools": [{"type": "x"}, "bash"]}), Some(params=None)])
    assert loading.tools_extractor()(sample(), log(plan=odd)) == {"tools": ["bash"]}


def test_metadata_fields_are_found_by_path():
    field = loading.metadata_field_extractor
    assert field("nested.deep.x")(sample(), log()) == {"nested_deep_x": 5}
    assert field("nested.no", default_value="d")(sample(), log()) == {"nested_no": "d"}
    assert field("nested.deep.x", rename_to="x")(sample(), log()) == {"x": 5}
    assert field("a.b")(sample(), log()) == {"a_b": 1}
    assert field("x")(sample(metadata=None), log()) == {"x": None}


def test_cyber_extractor_leaves_what_is_not_there_missing():
    assert loading.cyber_extractor()(sample(), log()) == {
        "max_messages": 10,
        "category": "web",
        "split": "train",
        "full_name": None,
        "description": None,
        "source": None,
        "recon": "2",
    }
    assert loading.cyber_extractor()(sample(metadata={}), log()) == {}
    only = sample(metadata={"challenge_metadata": {"category": "web"}})
    assert loading.cyber_extractor()(only, log())["max_messages"] is None


def test_domains_are_mapped_from_tasks():
    extract = loading.domains_extractor(
        {"sums": {"domain": "maths", "sub_domain": "easy"}, "other": "reasoning"},
        default_sub_domain="any",
    )
    found = extract(sample(), log())
    assert found == {"dataset": "pack/sums", "domain": "maths", "sub_domain": "easy"}
    unknown = log(eval=Some(task="new"))
    assert extract(sample(), unknown)["domain"] == "other"
    assert loading.domains_extractor({"new": "x"})(sample(), unknown)["sub_domain"] == "other"
    with pytest.raises(UsageError, match=r"mapping\.new: expected a domain"):
        loading.domains_extractor({"new": 3})


# ---------- score_normalizer


def normal(value, **settings):
    return loading.score_normalizer(**settings)(sample(value), log())["score"]


@pytest.mark.parametrize(
    ("value", "number"),
    [
        *(("C", 1), ("CORRECT", 1), ("I", 0), ("incorrect", 0), ("P", 0.5), ("N", 0)),
        *(("yes", 1), ("no", 0), (True, 1), (0.3, 0.3), (1, 1), (85.0, 0.85), ("0.5", 0.5)),
    ],
)
def test_normalized_scores(value, number):
    assert normal(value) == pytest.approx(number)


@pytest.mark.parametrize("value", ["switch", {"a": 1}, [1], None, float("nan")])
def test_what_has_no_number_is_missing_and_not_zero(value):
    assert np.isnan(normal(value))


@pytest.mark.parametrize("value", [1.5, 5, 10, 250, -1])
def test_a_number_of_unknown_scale_is_refused(value):
    with pytest.raises(UsageError, match="state maximum"):
        normal(value)


def test_a_stated_maximum_is_divided_by():
    assert [normal(v, maximum=10) for v in (0, 1, 5, 10)] == [0, 0.1, 0.5, 1]
    assert normal(0.5, maximum=100) == 0.005
    assert normal("C", maximum=10) == 1
    with pytest.raises(UsageError, match="11 lies outside of 0 to 10, the maximum"):
        normal(11, maximum=10)
    with pytest.raises(UsageError, match="maximum must be above 0"):
        normal(1, maximum=0)


def test_numbers_stay_as_they_are_when_asked():
    assert normal(7, normalize_to_01=False) == 7


def test_own_numbers_come_first_and_are_not_divided():
    own = {"custom_mapping": {"A": 1.0, "B": 0.5, 3: 0.1}, "score_field": "own"}
    extract = loading.score_normalizer(**own)
    assert extract(sample("B"), log()) == {"own": 0.5}
    assert extract(sample(3), log()) == {"own": 0.1}


def test_fractions_beside_percentages_are_refused_once_all_are_seen():
    extract = loading.score_normalizer()
    assert extract(sample(0.5), log())["score"] == 0.5
    assert extract(sample(50), log())["score"] == 0.5
    with pytest.raises(UsageError, match=r"such as 0\.5 and such as 50.*state maximum"):
        extract.check()
    extract.check()  # for the next load
    only = loading.score_normalizer()
    assert [only(sample(v), log())["score"] for v in (0, 50, "C")] == [0, 0.5, 1]
    only.check()


def test_scores_of_an_unknown_scale_stop_the_loading(tmp_path):
    import inspect_logs as made

    made.write(tmp_path / "a.eval", made.log([made.sample(1, 5), made.sample(2, 0)]))
    config = loading.DataLoaderConfig([loading.score_normalizer()], [str(tmp_path)])
    with pytest.raises(UsageError, match="5 is neither a fraction nor clearly a percentage"):
        loading.get_sample_df(config)


# ---------- the decorator


def test_an_extractor_must_give_columns():
    @extractor
    def gives_text():
        return lambda sample, eval_log: "text"

    with pytest.raises(ValueError, match="Extractor must return a dictionary"):
        gives_text()(sample(), log())


def test_a_builder_takes_arguments_by_place_and_any_name():
    @extractor
    def own_type(type, factor=2):
        def extract(sample, eval_log):
            return {type: factor}

        return extract

    assert own_type("x", 3)(None, None) == {"x": 3}
    assert own_type(type="x")(None, None) == {"x": 2}


def test_what_an_extractor_can_need_is_known():
    @extractor(needs="telepathy")
    def impossible():
        return lambda sample, eval_log: {}

    from hibayes.load._extractor import needs_inspect

    with pytest.raises(UsageError, match="needs is"):
        needs_inspect(impossible())
