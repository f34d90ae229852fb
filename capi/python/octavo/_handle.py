"""What the C interface gives away and takes back: handles, strings, and structs that state their own size."""
from __future__ import annotations

import ctypes
import json
from types import TracebackType
from typing import Any, Callable, Optional, TypeVar

from ._library import lib

Struct = TypeVar("Struct", bound=ctypes.Structure)
Self = TypeVar("Self", bound="Handle")


class Owned:
    """A handle of the C library, released with its last reference: whoever is in a call with it holds one."""

    def __init__(self, pointer: int, release: Callable[[Any], None], keep: object = None) -> None:
        """keep: what the handle is over, and which must therefore outlive it."""
        self.address = pointer
        self._as_parameter_ = ctypes.c_void_p(pointer)
        self._release = release
        self._keep = keep
        self.borrowed = False  # of a tensor: the memory is a Python object's
        self.read_only = False

    @classmethod
    def of(cls, handle: ctypes.c_void_p, release: Callable[[Any], None], keep: object = None) -> Owned:
        """Of an out-parameter that the library has written."""
        assert handle.value is not None
        return cls(handle.value, release, keep)

    def __del__(self) -> None:
        self._release(self._as_parameter_)


class Handle:
    """A Python object over a handle. `close`, or leaving a `with` block, gives it up early; calls under way end first."""

    _owned: Optional[Owned] = None

    @property
    def _handle(self) -> Owned:
        if self._owned is None:
            raise ValueError(f"this {type(self).__name__} is closed")
        return self._owned

    def close(self) -> None:
        """Gives up the handle; a second call does nothing. What runs with it keeps it until it ends."""
        self._owned = None

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(self, kind: Optional[type[BaseException]], value: Optional[BaseException],
                 traceback: Optional[TracebackType]) -> None:
        self.close()


def sized(kind: type[Struct]) -> Struct:
    """A struct of options or results with nothing but its size set."""
    return kind(struct_size=ctypes.sizeof(kind))


def taken_bytes(pointer: Optional[int], size: int = -1) -> bytes:
    """The bytes of a `char*` that the library gave away, which is released. Without a size, up to the 0."""
    if not pointer:
        return b""
    try:
        return ctypes.string_at(pointer, size)
    finally:
        lib.octavo_string_release(ctypes.c_void_p(pointer))


def taken_string(pointer: Optional[int]) -> str:
    """The same as text."""
    return taken_bytes(pointer).decode(errors="replace")


def taken_document(pointer: ctypes.c_void_p) -> dict[str, Any]:
    """The JSON document that the library gave away."""
    document: dict[str, Any] = json.loads(taken_string(pointer.value))
    return document


class SharedMemory:
    """Memory of a handle as NumPy takes it: an array over it keeps the handle, also when its object is closed."""

    def __init__(self, owned: Owned, shape: tuple[int, ...], typestring: str, address: Optional[int],
                 read_only: bool) -> None:
        self._owned = owned
        self.__array_interface__ = {"version": 3, "shape": shape, "typestr": typestring, "data": (address or 0, read_only)}

    def array(self, dtype: Any = None, copy: Optional[bool] = None) -> Any:
        """What the method `__array__` of its object returns."""
        import numpy

        array = numpy.asarray(self)
        if dtype is not None and array.dtype != dtype:
            if copy is False:
                raise ValueError(f"{array.dtype} becomes {dtype} by a copy only")
            return array.astype(dtype)
        return array.copy() if copy else array
