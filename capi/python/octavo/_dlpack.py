"""DLPack capsules: how Python objects hand each other tensors (https://dmlc.github.io/dlpack). The structs behind them are
the C library's; here they are only passed on, and released when nobody took them."""
from __future__ import annotations

import ctypes
from typing import Any, Optional

from ._handle import Owned
from ._library import lib
from .errors import check

_api = ctypes.pythonapi
_new = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)(("PyCapsule_New", _api))
_is_valid = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p)(("PyCapsule_IsValid", _api))
_pointer = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p)(("PyCapsule_GetPointer", _api))
_set_name = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p)(("PyCapsule_SetName", _api))

CPU = (1, 0)  # kDLCPU
_OLD, _VERSIONED = b"dltensor", b"dltensor_versioned"
_USED = {_OLD: b"used_dltensor", _VERSIONED: b"used_dltensor_versioned"}  # what a consumer calls a capsule that it took
#: Bytes before the field `deleter` of DLManagedTensor and of DLManagedTensorVersioned.
_DELETER_OFFSET = {_OLD: 56, _VERSIONED: 16}
_DELETER = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


def _release_unused(capsule: int) -> None:
    for name, offset in _DELETER_OFFSET.items():
        if _is_valid(capsule, name):
            managed = _pointer(capsule, name)
            deleter = ctypes.c_void_p.from_address(managed + offset).value
            if deleter:
                _DELETER(deleter)(managed)


_destructor = ctypes.PYFUNCTYPE(None, ctypes.c_void_p)(_release_unused)


def capsule_of(handle: Owned, max_version: Optional[tuple[int, int]]) -> Any:
    """A capsule over the memory of a tensor's handle, which it keeps alive: of DLPack 1 for consumers that say so."""
    out = ctypes.c_void_p()
    versioned = max_version is not None and max_version[0] >= 1
    export = lib.octavo_tensor_to_dlpack if versioned else lib.octavo_tensor_to_dlpack_unversioned
    check(export(handle, ctypes.byref(out)))
    return _new(out, _VERSIONED if versioned else _OLD, _destructor)


def taken(source: Any) -> ctypes.c_void_p:
    """The handle of a tensor over the memory of an object with __dlpack__, which it keeps alive."""
    try:
        capsule = source.__dlpack__(max_version=(1, 0))
    except TypeError:  # of before DLPack 1
        capsule = source.__dlpack__()
    address, handle = id(capsule), ctypes.c_void_p()
    name = _VERSIONED if _is_valid(address, _VERSIONED) else _OLD
    take = lib.octavo_tensor_from_dlpack if name == _VERSIONED else lib.octavo_tensor_from_dlpack_unversioned
    check(take(_pointer(address, name), ctypes.byref(handle)))
    _set_name(address, _USED[name])
    return handle
