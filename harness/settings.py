"""Names with settings, as commands take them: ``name(key=value)``."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from suites.errors import UsageError

__all__ = ["settings_text", "split_settings"]


def split_settings(text: str) -> tuple[str, dict[str, Any]]:
    """Part a name from its settings, ``Name(a=1, b='x')``, whose values are literals.

    Raises
    ------
    UsageError
        If the brackets hold anything else.

    Examples
    --------
    >>> split_settings("kernel-ridge(ridge=5)"), split_settings("random")
    (('kernel-ridge', {'ridge': 5}), ('random', {}))
    """
    if not text.endswith(")"):
        return text, {}
    start = text.find("(")
    home, call = text[:start], text[start:]
    try:
        node = ast.parse(f"f{call}", mode="eval").body
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            raise ValueError("more than one pair of brackets")
        if node.args or any(keyword.arg is None for keyword in node.keywords):
            raise ValueError("settings are given by name")
        settings: dict[str, Any] = {}
        for keyword in node.keywords:
            assert keyword.arg is not None
            if keyword.arg in settings:
                raise ValueError(f"{keyword.arg} is given twice")
            settings[keyword.arg] = ast.literal_eval(keyword.value)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError) as err:
        raise UsageError(
            f"cannot read the settings of {text!r} ({err}): write Name(a=1, b='x') with plain "
            "numbers, strings, lists."
        ) from err
    return home, settings


def settings_text(settings: Mapping[str, Any]) -> str:
    """Write settings as they can be read back; empty without any.

    Examples
    --------
    >>> settings_text({"b": "x", "a": 1})
    "(a=1, b='x')"
    """
    if not settings:
        return ""
    return "(" + ", ".join(f"{key}={value!r}" for key, value in sorted(settings.items())) + ")"
