"""`extractor`: the decorator of what makes columns of a sample."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

from hibayes.registry import RegistryInfo, component, registry_info
from suites.errors import UsageError


@runtime_checkable
class Extractor(Protocol):
    """Makes columns of one sample."""

    def __call__(self, sample: Any, eval_log: Any) -> dict[str, Any]:
        """Give the columns of a sample.

        Parameters
        ----------
        sample : EvalSample or SampleView
            The sample, with the attributes of Inspect's ``EvalSample``.
        eval_log : EvalLog or RunView
            Its log, with the attributes of Inspect's ``EvalLog``.

        Returns
        -------
        dict
            Column → value.
        """


def _checked(built: Callable[..., Any], info: RegistryInfo) -> Callable[..., Any]:
    """Refuse what an extractor must not return."""
    if not callable(built):
        raise TypeError(f"{info.name} must build a function extract(sample, eval_log).")

    @functools.wraps(built)
    def extract(sample: Any, eval_log: Any) -> dict[str, Any]:
        found = built(sample, eval_log)
        if not isinstance(found, dict):
            kind = type(found).__name__
            raise UsageError(
                f"Extractor must return a dictionary of columns; {info.name} gave {kind}."
            )
        return found

    extract.__name__ = info.name
    return extract


extractor = component("extractor", wrap=_checked)
"""Decorator of a builder of extractors.

``@extractor`` gives the worker light objects with Inspect's attributes, without Inspect;
``@extractor(needs="inspect_ai")`` gives it Inspect's own ``EvalSample`` and ``EvalLog``.

Examples
--------
>>> from hibayes.load import extractor
>>> @extractor
... def answer_length():
...     def extract(sample, eval_log):
...         return {"answer_length": len(sample.output.completion)}
...     return extract
"""


def needs_inspect(worker: Any) -> bool:
    """Say whether an extractor wants Inspect's own objects."""
    try:
        needs = registry_info(worker).metadata.get("needs")
    except ValueError:  # a plain function
        return False
    if needs in (None, "inspect_ai"):
        return needs is not None
    raise UsageError(f'@extractor(needs={needs!r}): needs is "inspect_ai" or absent.')
