"""Finds liboctavo.so and opens it: `lib` is the library with its functions declared."""
from __future__ import annotations

import ctypes
import os
from pathlib import Path

from . import _abi


def _candidates() -> list[str]:
    """What to open: the one that OCTAVO_LIBRARY names and no other; else the wheel's; else an installed one."""
    named = os.environ.get("OCTAVO_LIBRARY")
    if named:
        return [named]
    bundled = Path(__file__).with_name("liboctavo.so")
    return [str(bundled)] if bundled.exists() else [f"liboctavo.so.{_abi.OCTAVO_ABI_VERSION}"]


def _open() -> ctypes.CDLL:
    (path,) = _candidates()
    try:
        library = ctypes.CDLL(path)  # CDLL, and not PyDLL: calls release the GIL
    except OSError as error:
        raise ImportError(f"Octavo's C library cannot be opened: {error}. Install the wheel (pip install .), install the "
                          "library, or name its file in the environment variable OCTAVO_LIBRARY") from error
    try:
        _abi.declare(library)
    except AttributeError as error:
        raise ImportError(f"{path} is older than this Python package: {error}") from error
    return library


lib = _open()
