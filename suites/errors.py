"""The errors a caller may want to catch.

::

    BenchcastError
    └── UsageError          something the user can mend: exit status 2, one paragraph
        ├── ReadError       the first problem of a source, under ``strict``
        └── NotInstalled    an optional package that this call needs

Anything else that escapes is a bug of benchcast.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class BenchcastError(Exception):
    """Root of the errors that benchcast raises on purpose."""


class UsageError(BenchcastError, ValueError):
    """Something the user can mend: what is wrong, where, and how to mend it.

    The commands print it as one paragraph and exit with status 2.
    """


class ReadError(UsageError):
    """A source has a problem and ``strict`` was asked for."""


class NotInstalled(UsageError, ImportError):
    """An optional package is needed; the message names the extra that brings it."""


def unknown_name(kind: str, name: str, known: Iterable[str]) -> UsageError:
    """Make the error for a name that is not known, with the nearest valid ones.

    Parameters
    ----------
    kind : str
        What the name should have been: ``"task"``, ``"predictor"``.
    name : str
        What the user wrote.
    known : iterable of str
        The valid names.

    Examples
    --------
    >>> print(unknown_name("task", "heldout-runs", ["heldout-run", "new-model"]))
    unknown task 'heldout-runs'; did you mean 'heldout-run'? Known: heldout-run, new-model.
    """
    names = sorted(set(known))
    near = difflib.get_close_matches(name, names, n=2, cutoff=0.5)
    near = near or [n for n in names if name and name.lower() in n.lower()][:2]
    hint = f"; did you mean {' or '.join(repr(n) for n in near)}?" if near else "."
    shown = ", ".join(names[:30]) + (f", … ({len(names)} in all)" if len(names) > 30 else "")
    return UsageError(f"unknown {kind} {name!r}{hint} Known: {shown or 'none'}.")
