"""The demo runs that come with the package, unpacked once into the user's cache."""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
import tempfile
import time
from pathlib import Path

from suites.errors import UsageError, unknown_name

SIZES = {"helm-standin": "150 MB", "inspect-standin": "20 MB", "judge-standin": "2 MB"}


def cache_dir() -> Path:
    """Give the user's cache folder: ``BENCHCAST_CACHE``, else the platform's own."""
    own = os.environ.get("BENCHCAST_CACHE")
    if own:
        return Path(own).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("benchcast"))


def unpack(name: str) -> Path:
    """Unpack a demo archive into the cache, once; safe when several processes do it at once.

    Parameters
    ----------
    name : str
        ``helm-standin``, ``inspect-standin`` or ``judge-standin``.

    Returns
    -------
    Path
        The folder that holds what is in the archive (``benchmark_output`` of HELM, or a folder
        of the archive's name with its ``logs``), named after the archive's content.

    Raises
    ------
    UsageError
        If there is no such archive, or the cache folder cannot be written.
    """
    if name not in SIZES:
        raise unknown_name("demo archive", name, SIZES)
    data = (Path(__file__).resolve().parent / "demo" / f"{name}.tar.zst").read_bytes()
    cache = cache_dir()
    kind = name.removesuffix("-standin")
    target = cache / f"{kind}-demo-{hashlib.sha256(data).hexdigest()[:16]}"
    if target.is_dir():
        return target
    try:
        cache.mkdir(parents=True, exist_ok=True)
        _sweep(cache)
        temporary = Path(tempfile.mkdtemp(prefix="unpacking-", dir=cache))
    except OSError as err:
        raise UsageError(
            f"cannot write to the cache folder {cache} ({err.strerror}); set BENCHCAST_CACHE to a "
            "folder that can be written."
        ) from err
    try:
        _unpack(data, temporary)
        try:
            temporary.replace(target)
        except OSError:
            if not target.is_dir():  # else another process was first
                raise
    except OSError as err:
        raise UsageError(
            f"cannot unpack the demo data into {cache} ({err.strerror}); they take {SIZES[name]}. "
            "BENCHCAST_CACHE names another folder."
        ) from err
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return target


def _unpack(data: bytes, folder: Path) -> None:
    import io

    import zstandard

    decompressor = zstandard.ZstdDecompressor(max_window_size=2**27)
    with (
        decompressor.stream_reader(io.BytesIO(data)) as stream,
        tarfile.open(fileobj=stream, mode="r|") as tar,
    ):
        tar.extractall(folder, filter="data")


def _sweep(cache: Path) -> None:
    """Remove what an unpacking that was killed left behind more than an hour ago."""
    for left in cache.glob("unpacking-*"):
        try:
            if time.time() - left.stat().st_mtime > 3600:
                shutil.rmtree(left, ignore_errors=True)
        except OSError:
            continue
