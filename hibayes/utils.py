"""The logger that all stages write to."""

from __future__ import annotations

import logging

__all__ = ["init_logger"]


def init_logger(level: int | str = logging.INFO) -> logging.Logger:
    """Give the logger ``hibayes``, ready for a display to capture.

    Parameters
    ----------
    level : int or str, default INFO
        Messages below it are dropped.

    Examples
    --------
    >>> init_logger().name
    'hibayes'
    """
    logger = logging.getLogger("hibayes")
    logger.setLevel(level)
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())  # warnings go to the display, not to stderr
    return logger
