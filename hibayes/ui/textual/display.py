"""`TextualDisplay`: the live view, under the name of the full-screen one."""

from __future__ import annotations

from typing import Any

from hibayes.ui.display import ModellingDisplay

__all__ = ["TextualDisplay"]


class TextualDisplay(ModellingDisplay):
    """A `ModellingDisplay` that says so: there is no full-screen interface.

    Parameters
    ----------
    *args, **kwargs
        As for `ModellingDisplay`; the app that HiBayES gives is not used.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        known = ("logger", "max_logs", "initial_stats", "console")
        super().__init__(**{key: value for key, value in kwargs.items() if key in known})
        self.update_logs("There is no full-screen interface: the live view is shown instead.")
