"""Which runs, and which number of each."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass

from suites.errors import unknown_name

RERUNS: tuple[str, ...] = ("latest", "first", "mean", "all")


@dataclass(frozen=True)
class Selection:
    """Which runs of a suite, and which number of each; everything by default.

    Attributes
    ----------
    models, scenarios : sequence of str
        Globs; a run stays when one of them matches (none given: all stay).
    exclude_models, exclude_scenarios : sequence of str
        Globs; a run goes when one of them matches.
    metric : str
        ``"main"`` for the main metric of each run, or the name of a metric.
    part : str or None
        HELM's split; None for the one that belongs to the metric.
    perturbation : str or None
        None for unperturbed values only; ``"*"`` for all; else the name of a perturbation.
    condition : str or None
        A condition's hash.
    min_instances : int
        Runs with fewer instances go.
    complete : bool
        Drop the fewest models and scenarios until every cell is there.
    reruns : str
        ``latest``, ``first``, ``mean`` or ``all``: which of several runs of one cell.
    unfinished : bool
        Keep runs that did not come to their end; their value is the mean of what there is.

    Examples
    --------
    >>> Selection(models=["meta/*"]).keeps("meta/llama-3-8b", "mmlu")
    True
    >>> Selection(exclude_scenarios=["mmlu*"]).keeps("meta/llama-3-8b", "mmlu")
    False
    """

    models: Sequence[str] = ()
    scenarios: Sequence[str] = ()
    exclude_models: Sequence[str] = ()
    exclude_scenarios: Sequence[str] = ()
    metric: str = "main"
    part: str | None = None
    perturbation: str | None = None
    condition: str | None = None
    min_instances: int = 0
    complete: bool = False
    reruns: str = "latest"
    unfinished: bool = False

    def __post_init__(self) -> None:
        for name in ("models", "scenarios", "exclude_models", "exclude_scenarios"):
            globs = getattr(self, name)
            object.__setattr__(self, name, (globs,) if isinstance(globs, str) else tuple(globs))
        if self.reruns not in RERUNS:
            raise unknown_name("choice of reruns", self.reruns, RERUNS)

    def keeps(self, model: str, scenario: str) -> bool:
        """Say whether the globs keep a run of this model on this scenario."""
        return (
            (not self.models or matches(model, self.models))
            and (not self.scenarios or matches(scenario, self.scenarios))
            and not matches(model, self.exclude_models)
            and not matches(scenario, self.exclude_scenarios)
        )


def matches(name: str, globs: Sequence[str]) -> bool:
    """Say whether a name is one of these, or matches one of these globs."""
    return any(name == glob or fnmatch.fnmatchcase(name, glob) for glob in globs)
