"""What the library decides, as records of `logging`: of the logger "octavo.gemm", "octavo.model", ... by module.

    logging.basicConfig(level=logging.INFO)
    octavo.Model(directory)                      # INFO:octavo.gemm:int8 products: amx_int8, the fastest
"""
from __future__ import annotations

import atexit
import logging

from . import _abi
from ._library import lib
from .errors import check

_LEVELS = {_abi.OCTAVO_LOG_DEBUG: logging.DEBUG, _abi.OCTAVO_LOG_INFO: logging.INFO,
           _abi.OCTAVO_LOG_WARNING: logging.WARNING}
_logger = logging.getLogger("octavo")
_logger.addHandler(logging.NullHandler())  # without a configuration of the host, nothing is printed


def _tell(level: int, module: bytes, line: bytes, user_data: object) -> None:
    _logger.getChild(module.decode()).log(_LEVELS[level], "%s", line.decode(errors="replace"))


_callback = _abi.octavo_log_fn(_tell)  # kept: the library calls it until _stop


def _stop() -> None:
    lib.octavo_set_log(_abi.octavo_log_fn(), None, _abi.OCTAVO_LOG_INFO)


check(lib.octavo_set_log(_callback, None, _abi.OCTAVO_LOG_DEBUG))
atexit.register(_stop)  # before the interpreter goes, which the callback needs
