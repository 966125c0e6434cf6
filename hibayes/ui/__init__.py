"""How a run is shown: on a terminal as a live view, elsewhere as lines."""

from __future__ import annotations

from hibayes.ui.display import ModellingDisplay, patch_fori_collect_with_rich_display
from hibayes.ui.protocol import Display

__all__ = ["Display", "ModellingDisplay", "patch_fori_collect_with_rich_display"]
