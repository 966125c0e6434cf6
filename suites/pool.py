"""`pool_of`: the runs of a source as objects with HELM's frames, whichever system made them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from suites.helm.objects import HelmRuns
    from suites.inspect.objects import InspectRuns


def pool_of(source: Any) -> HelmRuns | InspectRuns:
    """Give the runs of a source, each with the four frames.

    Parameters
    ----------
    source : path, URL, glob, HELM object, InspectRuns, or a list of these
        HELM suites or Inspect logs.

    Returns
    -------
    HelmRuns or InspectRuns
        A sequence of runs with ``json.run_spec()``, ``run_spec()``, ``scenario_state()``,
        ``stats()`` and ``per_instance_stats()``.

    Raises
    ------
    UsageError
        If there is nothing at it.

    Examples
    --------
    >>> pool_of("demo/inspect")[0].stats()["stats.name.split"].iloc[0]
    'test'
    """
    from suites.helm.objects import HelmRuns
    from suites.inspect.objects import InspectRun, InspectRuns
    from suites.inspect.reader import InspectReader
    from suites.reading import demo_path

    if isinstance(source, InspectRuns):
        return source
    if isinstance(source, HelmRuns) or not isinstance(source, Iterable):
        return HelmRuns.coerce(source)
    given: list[Any] = [source] if isinstance(source, str | os.PathLike) else list(source)
    if given and all(isinstance(each, InspectRun) for each in given):
        return InspectRuns.of(given)
    if not given or not all(isinstance(each, str | os.PathLike) for each in given):
        return HelmRuns.coerce(source)
    places = [demo_path(os.fspath(each)) for each in given]
    if all(map(InspectReader.accepts, places)):
        return InspectRuns(*places)
    return HelmRuns.coerce(places if len(places) > 1 else places[0])
