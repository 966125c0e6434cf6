"""Hashes of what the instances of a HELM run ask, from scenario_state.json."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from suites.helm.structs import decode_light, read_bytes

__all__ = ["hashes_of"]


class _Text(msgspec.Struct):
    text: str | None = None


class _Reference(msgspec.Struct):
    output: _Text | str | None = None


class _Instance(msgspec.Struct):
    id: str | None = None
    input: _Text | str | None = None
    references: list[_Reference] = []
    perturbation: msgspec.Raw = msgspec.Raw()


class _Request(msgspec.Struct):
    instance: _Instance


class _State(msgspec.Struct):
    request_states: list[_Request] = []


def hashes_of(path: str | Path) -> dict[str, str]:
    """Hash question and references of each unperturbed instance, whatever its white space.

    Parameters
    ----------
    path : path
        A scenario_state.json.

    Returns
    -------
    dict
        Instance id → 16 hexadecimal digits; instances without a text are left out.

    Raises
    ------
    HelmFileError
        If it cannot be read, or is not what HELM writes.

    Examples
    --------
    >>> from suites import HelmOutputs
    >>> run = HelmOutputs.demo().suites()[0].runs()[0]
    >>> hashes = hashes_of(run.path / "scenario_state.json")
    >>> len(hashes), len(set(hashes.values()))
    (7, 7)
    """
    found: dict[str, str] = {}
    for request in decode_light(read_bytes(path), _State, path).request_states:
        instance = request.instance
        text = _text(instance.input)
        if instance.id is None or instance.id in found or not text or bytes(instance.perturbation):
            continue
        parts = [text, *sorted(_text(reference.output) for reference in instance.references)]
        digest = hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass"))
        found[instance.id] = digest.hexdigest()[:16]
    return found


def _text(value: _Text | str | None) -> str:
    """Give a text in one spelling; older versions of HELM wrote it without an object around."""
    text = value.text if isinstance(value, _Text) else value
    return " ".join((text or "").split())
