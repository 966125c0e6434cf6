"""From a predictor's spec to its class: the code is imported, and so runs here."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import sys
from pathlib import Path
from typing import Any

__all__ = ["load_class"]


def load_class(spec: dict[str, Any]) -> Any:
    """Import the class of a spec.

    Raises
    ------
    AttributeError, ImportError, or whatever the user's module raises
    """
    if spec["file"]:
        path = Path(spec["file"])
        name = f"benchcast_user_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
        found = importlib.util.spec_from_file_location(name, path)
        if found is None or found.loader is None:
            raise ImportError(f"{path} is not a Python file")
        module = importlib.util.module_from_spec(found)
        sys.modules[name] = module
        if str(path.parent) not in sys.path:  # last: its neighbours hide no installed package
            sys.path.append(str(path.parent))
        found.loader.exec_module(module)
    else:
        module = importlib.import_module(spec["module"])
    try:
        value: Any = module
        for part in spec["cls"].split("."):
            value = getattr(value, part)
    except AttributeError:
        import difflib

        classes = [n for n, v in vars(module).items() if inspect.isclass(v)]
        near = difflib.get_close_matches(spec["cls"], classes, n=2)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise ImportError(
            f"{spec['file'] or spec['module']} has no class {spec['cls']}{hint}"
        ) from None
    if not inspect.isclass(value) or not callable(getattr(value, "predict", None)):
        raise ImportError(f"{spec['cls']} is not a predictor class: it has no method predict")
    return value
