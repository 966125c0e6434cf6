"""Samples with their texts: attachments, pools and chunks put back."""

import json

import pytest
from inspect_logs import log, members, sample, write, zipped

from suites.inspect.log import Log
from suites.inspect.samples import content_text, input_text, samples

USER, SYSTEM = {"role": "user", "content": "Hi"}, {"role": "system", "content": "Be brief."}
SAID = {"role": "assistant", "content": "Hello"}


def read(path):
    return list(samples(Log.open(str(path))))


@pytest.fixture(params=["a.eval", "a.json"])
def one(tmp_path, request):
    """Give a function that writes a sample, as archive and as JSON, and reads it."""

    def get(**fields):
        (found,) = read(write(tmp_path / request.param, log([sample(1, "C", **fields)])))
        return found

    return get


def test_the_fields_of_a_sample(one):
    found = one(
        target=["4", "four"],
        choices=["3", "4"],
        output={
            "completion": "4",
            "choices": [{"stop_reason": "stop", "message": {"content": "not this"}}],
        },
    )
    assert (found.id, found.epoch, found.input) == ("1", 1, "question 1")
    assert (found.targets, found.choices) == (["4", "four"], ["3", "4"])
    assert (found.completion, found.stop_reason) == ("4", "stop")
    assert found.document.scores["match"].value == "C"
    bare = one()
    assert (bare.completion, bare.stop_reason, bare.messages, bare.events) == (None, None, [], [])
    assert (bare.targets, bare.choices, bare.prompt) == (["yes"], [], "question 1")


def test_an_answer_without_a_completion_is_that_of_its_first_choice(one):
    parts = [
        {"type": "reasoning", "text": "hm"},
        {"type": "text", "text": "So: "},
        {"type": "image"},
    ]
    found = one(output={"choices": [{"message": {"content": parts}}, {"message": {}}]})
    assert found.completion == "So: (image)"


def test_attachments_are_put_back_wherever_they_are(one):
    long = "attachment://" + "a" * 32
    found = one(
        messages=[
            {"role": "user", "content": [{"type": "text", "text": long}], "metadata": {"k": long}},
            {"role": "assistant", "content": "attachment://gone"},
        ],
        events=[{"event": "model", "input": [{"content": long}], "n": 1}],
        attachments={"a" * 32: "the long text", "b": 5},
    )
    assert found.messages[0]["content"][0]["text"] == "the long text"
    assert found.messages[0]["metadata"] == {"k": "the long text"}
    assert found.messages[1]["content"] == "attachment://gone"
    assert found.events == [{"event": "model", "input": [{"content": "the long text"}], "n": 1}]


def test_the_prompt_is_what_was_asked_before_the_first_answer(one):
    assert one(messages=[USER, SAID, {**USER, "content": "More"}]).prompt == "Hi"
    assert one(messages=[SYSTEM, USER, SAID]).prompt == "system: Be brief.\n\nuser: Hi"
    assert one(messages=[SAID], input=[SYSTEM, USER]).prompt == "Hi"


def test_messages_of_the_pool_are_put_back_into_events(one):
    pool = [SYSTEM, USER, SAID, {**USER, "content": "attachment://x"}]
    calls = [{"role": "user", "content": f"call {i}"} for i in range(3)]
    events = [
        {"event": "model", "input": [], "input_refs": [[0, 2]],
         "call": {"request": {"model": "m"}, "call_refs": [[0, 1], [2, 3]], "call_key": "contents",
                  "response": 5}},
        {"event": "model", "input_refs": [[0, 3], [3, 4]],
         "call": {"request": None, "call_refs": []}},
        {"event": "info", "data": 1},
    ]  # fmt: skip
    found = one(
        events=events,
        events_data={"messages": pool, "calls": calls},
        attachments={"x": "Again"},
    ).events
    assert found[0] == {
        "event": "model",
        "input": [SYSTEM, USER],
        "call": {"request": {"model": "m", "contents": [calls[0], calls[2]]}, "response": 5},
    }
    assert [m["content"] for m in found[1]["input"]] == ["Be brief.", "Hi", "Hello", "Again"]
    assert found[1]["call"] == {"request": {"messages": []}}
    assert found[2] == {"event": "info", "data": 1}


def test_the_pool_of_older_logs(one):
    events = [{"event": "model", "input_refs": [[1, 2]]}]
    assert one(events=events, message_pool=[SYSTEM, USER]).events[0]["input"] == [USER]


@pytest.mark.parametrize(
    "refs", [[[5, 9]], [[-3, -1]], [["a", "b"]], [[1]], [1], [[1, 0]], [[0, 2**70]], [None]]
)
def test_references_to_nowhere_give_nothing(one, refs):
    events = [{"event": "model", "input_refs": refs}]
    assert one(events=events, events_data={"messages": [USER]}).events[0]["input"] in ([], [USER])


def test_a_sample_in_chunks_is_put_together(tmp_path):
    made = log([sample(1, "C", metadata=None)])
    shell = {**made["samples"][0], "message_refs": [[0, 2], [3, 4]]}
    del shell["metadata"]
    stem = "samples/1_epoch_1"
    pool = [SYSTEM, {**USER, "content": "attachment://1"}, {**USER, "content": "unused"}, SAID]
    parts = {
        "sample.json": shell,
        "metadata.json": {"level": "hard"},
        # the number is the place of the first item: 10 comes after 2
        "messages/10.json": pool[3:],
        "messages/2.json": pool[2:3],
        "messages/0.json": pool[:2],
        "events/0.json": [{"event": "model", "input_refs": [[0, 2]]}],
        "events/1.json": [{"event": "info"}],
        "events/stats.json": {"odd": 1},
        "attachments/0.json": ["zero", "one"],
    }
    content = members(made, samples=False)
    content += [(f"{stem}/{name}", json.dumps(part).encode()) for name, part in parts.items()]
    path = tmp_path / "a.eval"
    path.write_bytes(zipped(content))
    (found,) = read(path)
    assert [m["content"] for m in found.messages] == ["Be brief.", "one", "Hello"]
    assert found.prompt == "system: Be brief.\n\nuser: one"
    assert [e["event"] for e in found.events] == ["model", "info"]
    assert [m["content"] for m in found.events[0]["input"]] == ["Be brief.", "one"]
    assert found.document.metadata == {"level": "hard"}


@pytest.mark.parametrize("name", ["a.eval", "a.json"])
def test_samples_come_in_the_order_of_the_dataset(tmp_path, name):
    keys = [("b", 1), ("a", 1), (10, 1), ("b", 2), ("a", 2), (10, 2)]
    made = log([sample(i, "C", e) for i, e in keys])
    path = write(tmp_path / name, made)
    assert [(s.id, s.epoch) for s in read(path)] == [(str(i), e) for i, e in keys]
    if name == "a.eval":  # their order in the archive does not matter
        path.write_bytes(zipped(reversed(members(made))))
        assert [(s.id, s.epoch) for s in read(path)] == [(str(i), e) for i, e in keys]


def test_a_broken_sample_is_told_and_left_out(tmp_path):
    made = members(log([sample(1, "C"), sample(2, "C"), sample(3, "C")]))
    path = tmp_path / "a.eval"
    path.write_bytes(zipped([(n, b"{" if n == "samples/2_epoch_1.json" else d) for n, d in made]))
    told = []
    found = list(samples(Log.open(str(path)), lambda *problem: told.append(problem)))
    assert [(s.id, s.epoch) for s in found] == [("1", 1), ("3", 1)]
    assert [code for code, _, _ in told] == ["bad-json"]


def test_samples_of_another_shape_give_what_they_have(one):
    found = one(messages="no list", events={"x": 1}, attachments=[1], choices="A", output=5)
    assert (found.messages, found.completion, found.choices) == ([], None, ["A"])
    odd = one(messages=[1, USER, None], input={"x": 1}, target={"y": 2})
    assert (odd.messages, odd.input, odd.targets) == ([USER], "", [])
    nan = one(metadata={"x": float("nan")}, messages=[USER, SAID])
    assert nan.prompt == "Hi"


def test_texts_of_inputs_and_contents():
    assert input_text([SYSTEM, USER, {**USER, "content": "You?"}]) == "Hi\n\nYou?"
    assert input_text([SYSTEM]) == "Be brief."
    assert input_text(None) == input_text(5) == ""
    assert content_text([{"type": "text"}, {"type": "audio"}, "bare", {}]) == "(audio)"


def test_inspects_own_objects_need_inspect(one):
    from suites.errors import NotInstalled

    try:
        import inspect_ai  # noqa: F401
    except ImportError:
        with pytest.raises(NotInstalled, match=r"benchcast\[inspect\]"):
            _ = one().eval_sample
        with pytest.raises(NotInstalled, match="Rows, samples and frames don't need it"):
            _ = one().log.eval_log
