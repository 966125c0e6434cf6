"""The names of HiBayES's full-screen interface; the live view of a terminal takes its place."""

from __future__ import annotations

from hibayes.ui.textual.app import HiBayesApp, run_with_tui
from hibayes.ui.textual.display import TextualDisplay

__all__ = ["HiBayesApp", "TextualDisplay", "run_with_tui"]
