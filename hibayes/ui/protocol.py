"""What stages, checkers and communicators ask of a display."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, runtime_checkable

__all__ = ["Display"]


@runtime_checkable
class Display(Protocol):
    """Where a run is shown.

    `ModellingDisplay` is the one there is; a test or a notebook may bring its own. Displays that
    can ask a person have `can_prompt` too, which components look for before they ask.
    """

    logger: logging.Logger

    def start(self) -> None:
        """Begin to show."""

    def stop(self) -> None:
        """End, leaving what was shown last."""

    @property
    def is_live(self) -> bool:
        """Whether it is showing."""

    def update_header(self, text: str) -> None:
        """Say what is being done now."""

    def update_logs(self, log_entry: str) -> None:
        """Add a message."""

    def capture_logs(self, logger_names: list[str] | None = None) -> AbstractContextManager[Any]:
        """Take messages of loggers, by default of all of hibayes, while the context lasts."""

    def update_stat(self, key: str, value: Any) -> None:
        """Set a statistic."""

    def update_stats(self, stats: Mapping[str, Any]) -> None:
        """Set several statistics."""

    def add_task(
        self,
        description: str,
        chain: str | None = None,
        worker: int | None = None,
        total: int | None = None,
    ) -> int:
        """Begin a task whose progress is shown."""

    def update_task(self, description: str, advance: int = 1, **kwargs: Any) -> None:
        """Advance a task."""

    def update_task_description(self, description: str, new_description: str) -> None:
        """Call a task otherwise."""

    def add_plot(
        self,
        series: Sequence[Mapping[str, Any]],
        xlim: tuple[float, float] | None = None,
        ylim: tuple[float, float] | None = None,
        title: str = "",
    ) -> None:
        """Show a plot made of characters."""

    def prompt_user(
        self, question: str = "Would you like to proceed?", options: list[Any] | None = None
    ) -> bool:
        """Ask a person."""

    def add_check(
        self, check_name: str, result: str, details: Mapping[str, Any] | None = None
    ) -> None:
        """Show what a check came to."""

    def add_communicate_result(
        self, name: str, result: str, details: Mapping[str, Any] | None = None
    ) -> None:
        """Show what a communicator came to."""

    def update_body_content(self, content: Any) -> None:
        """Show something in the middle."""

    def get_all_logs(self) -> list[str]:
        """Give every message so far."""

    def get_stats_for_persistence(self) -> dict[str, Any]:
        """Give the statistics, as JSON has them."""

    def setupt_for_modelling(self) -> None:
        """Prepare for sampling. The spelling is the interface's."""

    def set_fit_context(self, chain_method: str, num_chains: int) -> None:
        """Say how chains will run."""

    def set_active_model(self, model_name: str) -> None:
        """Say which model is worked on."""

    def show_inference_summary(self, summary: Mapping[str, Any]) -> None:
        """Show what a fit came to."""
