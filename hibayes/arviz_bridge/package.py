"""The optional packages that the bridge needs, imported when they are used."""

from __future__ import annotations

import importlib
import os
import tempfile
import warnings
from typing import Any
from unittest import mock

from suites.errors import NotInstalled


def is_old(az: Any) -> bool:
    """Say whether this is ArviZ 0.2x."""
    return str(az.__version__).startswith("0.")


def arviz() -> Any:
    """Import ArviZ, without the announcement that 0.23 makes once a day.

    Raises
    ------
    NotInstalled
        If it cannot be imported.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", message=r"\s*ArviZ is undergoing a major refactor", category=FutureWarning
        )
        try:
            try:
                return importlib.import_module("arviz")
            except OSError:
                # 0.23 notes the day of its announcement in the user's cache folder, which may be
                # read-only, or be written by a second process at the same moment
                with (
                    tempfile.TemporaryDirectory() as folder,
                    mock.patch.dict(os.environ, {"XDG_CACHE_HOME": folder}),
                ):
                    return importlib.import_module("arviz")
        except ImportError as err:
            raise NotInstalled(
                "what is computed from posterior draws needs ArviZ, which cannot be imported "
                f"({err}). Install it with: pip install 'benchcast[bayes]'"
            ) from err


def needed(name: str) -> Any:
    """Import a package that comes with the extra ``bayes``.

    Raises
    ------
    NotInstalled
        If it cannot be imported.
    """
    try:
        return importlib.import_module(name)
    except ImportError as err:
        raise NotInstalled(
            f"inference data need {name}, which cannot be imported ({err}). "
            "Install it with: pip install 'benchcast[bayes]'"
        ) from err
