"""Messages of loggers and warnings, taken while a display shows."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence

__all__ = ["captured"]


class _Handler(logging.Handler):
    def __init__(self, take: Callable[[str, int], None]) -> None:
        super().__init__(logging.INFO)
        self._take = take
        self.setFormatter(logging.Formatter("%(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self._take(self.format(record), record.levelno)


@contextlib.contextmanager
def captured(take: Callable[[str, int], None], names: Sequence[str]) -> Iterator[None]:
    """Give each message of some loggers, with its level, to a function.

    Nested contexts take each message once: the innermost. What a logger was set to before is as it
    was after.
    """
    handler = _Handler(take)
    before = []
    for name in names:
        logger = logging.getLogger(name)
        before.append((logger, list(logger.handlers), logger.level, logger.propagate))
        logger.handlers = [handler]
        logger.propagate = False
        if logger.getEffectiveLevel() > logging.INFO:
            logger.setLevel(logging.INFO)
    shown = warnings.showwarning

    def show(message: object, category: type[Warning], *args: object, **kwargs: object) -> None:
        take(f"{category.__name__}: {message}", logging.WARNING)

    warnings.showwarning = show
    try:
        yield
    finally:
        warnings.showwarning = shown
        for logger, handlers, level, propagate in before:
            logger.handlers, logger.propagate = handlers, propagate
            logger.setLevel(level)
