"""Shares the fixtures that unpack demo data and real runs."""

from __future__ import annotations

import importlib.util
from pathlib import Path

_path = Path(__file__).resolve().parents[1] / "unit" / "suites" / "conftest.py"
_spec = importlib.util.spec_from_file_location("suites_conftest", _path)
_module = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_module)

_own_cache = _module._own_cache
shared_helm = _module.shared_helm
