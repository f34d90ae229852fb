"""The library as it was built, and the threads that it runs on."""
from __future__ import annotations

import ctypes
from typing import Any


from ._handle import taken_document
from ._library import lib
from .errors import check


def build_info() -> dict[str, Any]:
    """Version, compiler, the processor's features, the backends in use."""
    out = ctypes.c_void_p()
    check(lib.octavo_build_info(ctypes.byref(out)))
    return taken_document(out)


def set_num_threads(count: int) -> None:
    """Threads that loops run on, the calling one among them. 0: as many as OCTAVO_NUM_THREADS says or, where it is not set, as
    the process may use. Jobs under way finish with the threads that they have; results are the same for every number."""
    check(lib.octavo_set_num_threads(count))
