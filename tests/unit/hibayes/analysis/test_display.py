"""The display says what happens, counts it, and never waits where nobody can answer."""

import io
import logging
import warnings

import pytest
from rich.console import Console

from hibayes.ui import Display, ModellingDisplay, patch_fori_collect_with_rich_display
from hibayes.ui.textual.app import HiBayesApp, run_with_tui
from hibayes.ui.textual.display import TextualDisplay
from hibayes.utils import init_logger


@pytest.fixture
def terminal():
    return ModellingDisplay(console=Console(file=io.StringIO(), force_terminal=True, width=100))


def said(display):
    return display.console.file.getvalue()


def test_it_is_a_display(display):
    assert isinstance(display, Display)
    assert isinstance(TextualDisplay(), Display)


def test_lines_where_there_is_no_terminal(display):
    display.start()
    display.update_header("Modelling")
    display.update_header("Modelling")
    display.set_active_model("m")
    display.add_check("r_hat", "fail", {"value": 1.0273, "threshold": 1.01, "model": "m"})
    display.add_communicate_result("forest", "pass")
    display.stop()
    assert said(display).splitlines() == [
        "== Modelling", "  r_hat: fail (1.027, threshold 1.01)", "  forest: pass",
    ]  # fmt: skip


def test_a_live_view_on_a_terminal(terminal):
    terminal.start()
    terminal.update_header("Fitting")
    terminal.add_task("sampling", chain="1", total=10)
    terminal.update_task("sampling", advance=4)
    terminal.add_check("r_hat", "fail", {"model": "m"})
    terminal.update_stat("Chains", 2)
    terminal.update_logs("a message")
    terminal._live.refresh()
    terminal.stop()
    for part in ("Fitting", "chain 1", "4/10", "r_hat", "Chains", "a message"):
        assert part in said(terminal)
    assert not terminal.is_live


def test_markup_in_names_is_not_read(terminal):
    terminal.start()
    terminal.add_check("x", "fail", {"model": "[red]m[/]"})
    terminal.update_logs("effects[/b]")
    terminal.show_inference_summary({"mu[a]": 1})
    terminal._live.refresh()
    terminal.stop()
    assert "effects[/b]" in said(terminal)


def test_checks_are_counted(display):
    for result in ("pass", "pass", "fail", "error", "NA"):
        display.add_check("x", result)
    assert display.stats == {
        "Checks passed": 2, "Checks failed": 1, "Checks errored": 1, "Checks not applicable": 1,
    }  # fmt: skip


def test_statistics_are_kept_as_json_has_them(display):
    import json

    import numpy as np

    display.update_stats({"Models": {"b", "a"}, "n": np.int64(3), "x": object})
    found = display.get_stats_for_persistence()
    assert found["Models"] == ["a", "b"]
    assert json.loads(json.dumps(found))["n"] == 3


def test_messages_are_taken_while_it_shows(display, capsys):
    logger = init_logger()
    before = list(logger.handlers)
    with display.capture_logs():
        logger.info("one")
        logging.getLogger("hibayes.check").warning("two")
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("three", UserWarning, stacklevel=1)
    logger.info("four")
    assert display.get_all_logs() == ["one", "two", "UserWarning: three"]
    assert logger.handlers == before
    assert capsys.readouterr().err == ""


def test_nested_captures_take_each_message_once(display):
    with display.capture_logs(), display.capture_logs():
        logging.getLogger("hibayes").error("once")
    assert display.get_all_logs() == ["once"]
    assert display.stats["Errors encountered"] == 1


@pytest.mark.parametrize("stdin", [io.StringIO(""), None])
def test_questions_do_not_block(display, monkeypatch, stdin):
    monkeypatch.setattr("sys.stdin", stdin)
    assert not display.can_prompt()
    assert display.prompt_user("Fine?") is False
    assert display.take_questions() == ["Fine?"]
    assert display.take_questions() == []


class Typed(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(("typed", "answer"), [("y\n", True), ("n\n", False)])
def test_a_person_is_asked_on_a_terminal(terminal, monkeypatch, typed, answer):
    monkeypatch.setattr("sys.stdin", Typed(typed))
    terminal.start()
    assert terminal.prompt_user("Fine?") is answer
    assert terminal.is_live
    terminal.stop()
    assert terminal.take_questions() == []


def test_the_end_of_input_leaves_the_question(terminal, monkeypatch):
    monkeypatch.setattr("sys.stdin", Typed(""))
    assert terminal.prompt_user("Fine?") is False
    assert terminal.take_questions() == ["Fine?"]


def test_options_take_the_place_of_yes_and_no(terminal, monkeypatch):
    monkeypatch.setattr("sys.stdin", Typed("go\n"))
    assert terminal.prompt_user("Which?", ["go", "stop"]) is True


def test_a_long_task_is_said_now_and_then(display, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("hibayes.ui.views.time.monotonic", lambda: now[0])
    display.start()
    for moment in (0, 1, 11, 12, 22, 23):
        now[0] = float(moment)
        display.update_task("draws", total=6)
    lines = [line for line in said(display).splitlines() if "draws" in line]
    assert lines == [
        "  draws: 3/6, about 16 s left", "  draws: 5/6, about 6 s left",
        "  draws: 6/6",
    ]  # fmt: skip


def test_a_task_keeps_its_key(display):
    first = display.add_task("a", total=5)
    assert display.add_task("b") == first + 1
    display.update_task_description("a", "called otherwise")
    display.update_task("a", advance=2)
    display.update_task("a", completed=4)
    assert [(t.description, t.done) for t in display.tasks] == [("called otherwise", 4), ("b", 0)]
    display.setupt_for_modelling()
    assert display.tasks == []


def test_a_plot_of_characters(terminal):
    series = [{"x": [0, 1, 2], "y": [0, 1, 4], "label": "prior"}, {"x": [1], "y": [4]}]
    terminal.add_plot(series, xlim=(0, 2), title="Prior predictive")
    assert terminal.body.startswith("Prior predictive\n4 │")
    assert "* prior" in terminal.body
    terminal.add_plot([], title="nothing")
    assert terminal.body == "nothing"


def test_the_full_screen_names_are_there(capsys):
    display = TextualDisplay(app=None)
    assert "no full-screen interface" in display.get_all_logs()[0]
    assert run_with_tui(lambda shown, n: (type(shown).__name__, n), 3) == ("TextualDisplay", 3)
    with pytest.raises(RuntimeError):  # errors are not swallowed
        HiBayesApp(lambda shown: (_ for _ in ()).throw(RuntimeError())).run()
    assert patch_fori_collect_with_rich_display(display) is None
