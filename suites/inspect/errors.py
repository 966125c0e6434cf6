"""`LogError`: why a log, or a part of it, cannot be used."""

from __future__ import annotations

from suites.errors import UsageError


class LogError(UsageError):
    """A log, or a part of it, cannot be used.

    Attributes
    ----------
    location : str
        The log.
    what : str
        What is wrong, without the location.
    code : str
        A short stable name: ``lfs-pointer``, ``cut-off``, ``bad-zip``, ``bad-checksum``,
        ``bad-json``, ``bad-content``, ``too-large``, ``missing-member``, ``bad-file`` …
    hint : str
        How to mend it; may be empty.

    Examples
    --------
    >>> error = LogError("a.eval", "it ends before its directory", code="cut-off")
    >>> str(error), error.code
    ('a.eval: it ends before its directory', 'cut-off')
    """

    def __init__(self, location: str, what: str, *, code: str, hint: str = "") -> None:
        self.location = location
        self.what = what
        self.code = code
        self.hint = hint
        super().__init__(f"{location}: {what}")

    def __reduce__(self) -> tuple[object, ...]:
        return _remake, (self.location, self.what, self.code, self.hint)


def _remake(location: str, what: str, code: str, hint: str) -> LogError:
    return LogError(location, what, code=code, hint=hint)
