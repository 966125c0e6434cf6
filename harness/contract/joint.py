"""The check of draws that belong together: their number, and their margins."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.contract.context import Broken, Context, NotChecked

__all__ = ["joint"]

_MOST_ALONE = 8  # targets that are asked for one by one


def joint(context: Context) -> str:
    """Check that draws have one number, and the margins of targets that are asked for alone.

    What is shown of the other targets may be used, so margins are compared where nothing is shown.
    """
    drawn = {
        k: [target for target, kind in said.kind.items() if kind == "joint_sample"]
        for k, said in context.usual().items()
    }
    if not any(drawn.values()):
        raise NotChecked("no prediction has joint=True")
    sizes: set[int] = set()
    for k, targets in drawn.items():
        sizes = {len(context.answers[k].numbers[target]) for target in targets}
        if len(sizes) > 1:
            raise Broken(f"k = {k}: predictions with joint=True have {sorted(sizes)} draws")
    said = f"{len(next(iter(drawn.values())))} predictions of {max(sizes, default=0)} draws"
    if context.cases.least:
        return said
    _require_margins(context)
    return f"{said}; margins like those of targets asked for alone"


def _require_margins(context: Context) -> None:
    """Compare draws with those of targets asked for alone, where nothing is shown of any."""
    asked, case = context.asked(), context.cases.first
    together, rows = asked.ask(0), case.targets(0)
    drawn = [target for target, kind in together.kind.items() if kind == "joint_sample"]
    for target in drawn[:: -(-len(drawn) // _MOST_ALONE) or 1]:
        only = rows[rows["target"] == target].reset_index(drop=True)
        alone = asked.ask(0, case.test(0, only))
        if alone.kind.get(target) not in ("sample", "joint_sample"):
            raise Broken(f"k = 0: asked for alone, {target} has no draws")
        one, other = together.draws(target), alone.draws(target)
        if (far := _apart(one, other)) > (most := _far(min(len(one), len(other)))):
            raise Broken(
                f"k = 0: the draws of {target} are others than when it is asked for alone: their "
                f"distribution functions are {far:.2f} apart, where chance gives {most:.2f}"
            )


def _apart(one: Any, other: Any) -> float:
    """Give the greatest distance of two empirical distribution functions (Kolmogorov–Smirnov)."""
    points = np.sort(np.concatenate([one, other]))
    places = (
        np.searchsorted(np.sort(draws), points, "right") / len(draws) for draws in (one, other)
    )
    return float(np.abs(np.subtract(*places)).max())


def _far(draws: int) -> float:
    """Say how far apart draws may be; as if a quarter of them were independent."""
    return float(max(0.2, 1.63 * np.sqrt(2 / (draws / 4))))  # 1.63: the 1 % point
