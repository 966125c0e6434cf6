"""The display: a live view on a terminal, lines on stderr elsewhere."""

from __future__ import annotations

import contextlib
import logging
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hibayes.ui import views
from hibayes.ui.capture import captured

__all__ = ["ModellingDisplay", "patch_fori_collect_with_rich_display"]

_LOGGERS = ["hibayes"]

_COUNTED = {
    "pass": "Checks passed",
    "fail": "Checks failed",
    "error": "Checks errored",
    "NA": "Checks not applicable",
}


class ModellingDisplay:
    """Shows progress, statistics, checks and messages.

    On a terminal that is a live view; elsewhere one line per step, check and warning, and of a
    task that takes longer one every ten seconds. Nothing is written to stdout.

    Parameters
    ----------
    logger : logging.Logger, optional
        Where messages of the display's own go; by default ``hibayes``.
    max_logs : int, default 5
        How many messages the live view shows.
    initial_stats : dict, optional
        Statistics of stages that ran before. Counts of checks begin at zero.
    console : rich.console.Console, optional
        By default one on stderr.

    Attributes
    ----------
    stats : dict
        The statistics.
    checks : list of tuple
        Model, name and result of each check shown.

    Examples
    --------
    >>> display = ModellingDisplay()
    >>> display.update_stat("AI Models detected", {"a", "b"})
    >>> display.get_stats_for_persistence()["AI Models detected"]
    ['a', 'b']
    """

    def __init__(
        self,
        logger: logging.Logger | None = None,
        max_logs: int = 5,
        initial_stats: Mapping[str, Any] | None = None,
        *,
        console: Any = None,
    ) -> None:
        from rich.console import Console

        self.logger = logger or logging.getLogger("hibayes")
        self.max_logs = max_logs
        self.console = console or Console(stderr=True)
        self.stats: dict[str, Any] = {
            key: value
            for key, value in (initial_stats or {}).items()
            if key not in (*_COUNTED.values(), "Errors encountered")
        }
        self.header = ""
        self.checks: list[tuple[str, str, str]] = []
        self.body: Any = None
        self._logs: list[str] = []
        self._questions: list[str] = []
        self._warned = ""  # the last warning
        self._model = ""
        self._live: Any = None
        self._started = False
        self._lock = threading.RLock()
        self._tasks: dict[str, views.Task] = {}
        self._next_task = 0

    # what is shown

    def start(self) -> None:
        """Begin to show."""
        if self._started:
            return
        self._started = True
        if self.console.is_terminal:
            from rich.live import Live

            self._live = Live(
                get_renderable=lambda: views.screen(self),
                console=self.console,
                refresh_per_second=4,
                transient=False,
            )
            self._live.start()

    def stop(self) -> None:
        """End, leaving what was shown last."""
        if self._live is not None:
            self._live.stop()
            self._live = None
        self._started = False

    @property
    def is_live(self) -> bool:
        """Whether it is showing."""
        return self._started

    def update_header(self, text: str) -> None:
        """Say what is being done now."""
        changed, self.header = text != self.header, text
        if changed:
            self._say(f"== {text}")

    def update_body_content(self, content: Any) -> None:
        """Show something in the middle: a text or what Rich can draw."""
        self.body = content

    def update_logs(self, log_entry: str) -> None:
        """Add a message."""
        self._log(str(log_entry), logging.INFO)

    @contextlib.contextmanager
    def capture_logs(self, logger_names: list[str] | None = None) -> Iterator[None]:
        """Take messages of loggers, by default of all of hibayes, while the context lasts."""
        with captured(self._log, logger_names or _LOGGERS):
            yield

    def _log(self, entry: str, level: int) -> None:
        with self._lock:
            self._logs.append(entry)
            if level >= logging.ERROR:
                self.stats["Errors encountered"] = self.stats.get("Errors encountered", 0) + 1
        if level >= logging.WARNING:
            self._warned = entry
            self._say(f"{logging.getLevelName(level).lower()}: {entry.splitlines()[0]}")

    def get_all_logs(self) -> list[str]:
        """Give every message so far."""
        return list(self._logs)

    # statistics

    def update_stat(self, key: str, value: Any) -> None:
        """Set a statistic."""
        with self._lock:
            self.stats[key] = value

    def update_stats(self, stats: Mapping[str, Any]) -> None:
        """Set several statistics."""
        with self._lock:
            self.stats.update(stats)

    def get_stats_for_persistence(self) -> dict[str, Any]:
        """Give the statistics, as JSON has them: sets as lists in order."""
        return {key: views.plain(value) for key, value in self.stats.items()}

    # tasks

    def add_task(
        self,
        description: str,
        chain: str | None = None,
        worker: int | None = None,
        total: int | None = None,
    ) -> int:
        """Begin a task whose progress is shown.

        Parameters
        ----------
        description : str
            What it is called; also its key.
        chain, worker : optional
            Which chain or worker does it.
        total : int, optional
            How many steps it has, if that is known.

        Returns
        -------
        int
            Its number.
        """
        with self._lock:
            self._next_task += 1
            who = f"chain {chain}" if chain is not None else ""
            who = who or (f"worker {worker}" if worker is not None else "")
            self._tasks[description] = views.Task(description, who, total, self._next_task)
            return self._next_task

    def update_task(self, description: str, advance: int = 1, **kwargs: Any) -> None:
        """Advance a task.

        Parameters
        ----------
        description : str
            Its key; a task that was not begun is.
        advance : int, default 1
            By how many steps.
        **kwargs
            ``completed`` and ``total`` set these instead.
        """
        with self._lock:
            if description not in self._tasks:
                self.add_task(description, total=kwargs.get("total"))
            task = self._tasks[description]
            task.total = kwargs.get("total", task.total)
            task.advance(kwargs.get("completed", task.done + advance), time.monotonic())
            line = None if self._live is not None else task.line(time.monotonic())
        if line:
            self._say(line)

    def update_task_description(self, description: str, new_description: str) -> None:
        """Call a task otherwise; it keeps its key."""
        with self._lock:
            if description in self._tasks:
                self._tasks[description].description = new_description

    def clear_tasks(self) -> None:
        """Forget all tasks."""
        with self._lock:
            self._tasks.clear()

    @property
    def tasks(self) -> Sequence[views.Task]:
        """The tasks, in the order in which they were begun."""
        return list(self._tasks.values())

    # checks and results

    def add_check(
        self, check_name: str, result: str, details: Mapping[str, Any] | None = None
    ) -> None:
        """Show what a check came to, and count it.

        Parameters
        ----------
        check_name : str
            The checker.
        result : str
            pass, fail, error or NA.
        details : mapping, optional
            Its record: model, value, threshold, message.
        """
        with self._lock:
            self.checks.append((str((details or {}).get("model", self._model)), check_name, result))
            counted = _COUNTED.get(result)
            if counted:
                self.stats[counted] = self.stats.get(counted, 0) + 1
        said = views.describe(details or {})
        message = (details or {}).get("message")
        if message and str(message) in self._warned:
            said = ""  # a line has said it
        self._say(f"  {check_name}: {result}" + (f" ({said})" if said else ""))

    def add_communicate_result(
        self, name: str, result: str, details: Mapping[str, Any] | None = None
    ) -> None:
        """Show what a communicator came to."""
        said = views.describe(details or {})
        self._say(f"  {name}: {result}" + (f" ({said})" if said else ""))

    def add_plot(
        self,
        series: Sequence[Mapping[str, Any]],
        xlim: tuple[float, float] | None = None,
        ylim: tuple[float, float] | None = None,
        title: str = "",
    ) -> None:
        """Show a plot made of characters, on a terminal.

        Parameters
        ----------
        series : sequence of mappings
            ``x`` and ``y``: lists of numbers; ``label``: a text.
        xlim, ylim : tuple, optional
            The axes' ends.
        title : str
            Stands above it.
        """
        self.body = views.character_plot(series, xlim, ylim, title)

    # questions

    def can_prompt(self) -> bool:
        """Say whether a person can be asked: stdin and the console are terminals."""
        stdin = sys.stdin
        return bool(self.console.is_terminal and stdin is not None and stdin.isatty())

    def prompt_user(
        self, question: str = "Would you like to proceed?", options: list[Any] | None = None
    ) -> bool:
        """Ask a person for yes or no; never waits where there is none.

        Parameters
        ----------
        question : str
            What is asked.
        options : list, optional
            Two words for yes and no.

        Returns
        -------
        bool
            The answer; False if nobody can be asked. Then the question is kept, see
            `take_questions`.
        """
        if not self.can_prompt():
            self._questions.append(question)
            return False
        was_live = self._live is not None
        self.stop()
        if self.body is not None:
            self.console.print(self.body)
        try:
            answer = views.ask(self.console, question, options)
        except EOFError:
            self._questions.append(question)
            answer = False
        if was_live:
            self.start()
        return answer

    def take_questions(self) -> list[str]:
        """Give the questions that nobody could be asked, since this was last called."""
        questions, self._questions = self._questions, []
        return questions

    # models

    def setupt_for_modelling(self) -> None:
        """Prepare for sampling: forget the tasks of earlier stages."""
        self.clear_tasks()

    def set_fit_context(self, chain_method: str, num_chains: int) -> None:
        """Say how chains will run."""
        self.update_stats({"Chains": num_chains, "Chain method": chain_method})

    def set_active_model(self, model_name: str) -> None:
        """Say which model is worked on."""
        self._model = model_name
        self.clear_tasks()

    def show_inference_summary(self, summary: Mapping[str, Any]) -> None:
        """Show what a fit came to: its names and values as a table."""
        self.body = views.table_of(summary, "Fit")
        self._say("  " + ", ".join(f"{key}: {views.plain(v)}" for key, v in summary.items()))

    def _say(self, line: str) -> None:
        """Write a line where there is no live view of a terminal."""
        if self._live is None and self._started:
            self.console.print(line, markup=False, highlight=False, soft_wrap=True)


def patch_fori_collect_with_rich_display(display: Any = None, *args: Any, **kwargs: Any) -> None:
    """Do nothing: sampling reports its progress by itself, NumPyro is not patched."""
