"""Traces: what this thread runs, a JSON line for each operation."""
from __future__ import annotations

import ctypes
import os
from contextlib import contextmanager
from typing import Iterator, Union

from . import _abi, _job
from ._handle import sized
from ._library import lib
from .errors import check


@contextmanager
def trace(path: Union[str, "os.PathLike[str]"], *, values: bool = False) -> Iterator[None]:
    """Records what this thread runs in the `with` block, in the file `path`: a JSON line for each operation, with module path,
    contract, bound dims and shapes (docs/trace.md). Meanwhile the message of a broken contract carries the last operations.

    values: statistics of every output, which reads them all once more.

    A trace is a thread's. Jobs in the block therefore run on this thread itself, and Ctrl-C ends them when they next report
    a token or progress, or end by themselves.
    """
    options = sized(_abi.octavo_trace_options)
    options.values = values
    check(lib.octavo_trace_begin(os.fsencode(path), ctypes.byref(options)))
    _job.on_this_thread.wanted = True
    try:
        yield
    finally:
        _job.on_this_thread.wanted = False
        check(lib.octavo_trace_end())
