"""Exceptions: one class per status of the C interface, each also the built-in exception that means the same."""
from __future__ import annotations

import ctypes
from typing import Optional

from . import _abi
from ._library import lib


class Error(Exception):
    """A call of Octavo failed. The message says what, where and what to do; `status` is the C interface's number."""

    status: int = _abi.OCTAVO_INTERNAL


class InvalidArgumentError(Error, ValueError):
    """A value is outside its domain."""


class ShapeError(Error, ValueError):
    """A shape contract is broken: dimension `dim` of `argument` should be `expected` and is `actual`."""

    op: str = ""  #: the operation, "attention"
    module: str = ""  #: module path in the model, may be ""
    argument: str = ""  #: "mask"
    dim_name: str = ""  #: "Lk (kv_len)"
    dim: Optional[int] = None  #: index, outermost first; None when the rank or the element type is at fault
    expected: int = 0
    actual: int = 0


class DTypeError(Error, TypeError):
    """An element type that the operation does not take."""


class NotFoundError(Error, FileNotFoundError):
    """A file, or a name in one, is missing."""


class FileError(Error, OSError):
    """Reading or writing failed."""


class FormatError(Error, ValueError):
    """A file's content is not what it should be."""


class UnsupportedError(Error, NotImplementedError):
    """Understood, and not supported."""


class OutOfMemoryError(Error, MemoryError):
    """Memory was refused."""


class CancelledError(Error):
    """The job was cancelled before it had a result."""


class ExistsError(Error, FileExistsError):
    """The output is already there."""


class NotFiniteError(Error, ArithmeticError):
    """NaN or infinity among weights, activations or logits; the message names the module."""


class InternalError(Error, RuntimeError):
    """A bug in Octavo."""


_CLASSES: dict[int, type[Error]] = {
    _abi.OCTAVO_INVALID_ARGUMENT: InvalidArgumentError,
    _abi.OCTAVO_SHAPE_MISMATCH: ShapeError,
    _abi.OCTAVO_DTYPE_MISMATCH: DTypeError,
    _abi.OCTAVO_NOT_FOUND: NotFoundError,
    _abi.OCTAVO_IO: FileError,
    _abi.OCTAVO_FORMAT: FormatError,
    _abi.OCTAVO_UNSUPPORTED: UnsupportedError,
    _abi.OCTAVO_OUT_OF_MEMORY: OutOfMemoryError,
    _abi.OCTAVO_CANCELLED: CancelledError,
    _abi.OCTAVO_EXISTS: ExistsError,
    _abi.OCTAVO_NOT_FINITE: NotFiniteError,
    _abi.OCTAVO_INTERNAL: InternalError,
}
for _status, _class in _CLASSES.items():
    _class.status = _status


def error_of(status: int, message: str) -> Error:
    """The exception that stands for a status other than OCTAVO_OK."""
    return _CLASSES.get(status, InternalError)(message)


def check(status: int) -> None:
    """Raises what a status stands for. On the thread that made the call: the last error is a thread's own."""
    if status == _abi.OCTAVO_OK:
        return
    error = error_of(status, lib.octavo_last_error().decode(errors="replace"))
    fields = _abi.octavo_shape_error(struct_size=ctypes.sizeof(_abi.octavo_shape_error))
    if isinstance(error, ShapeError) and lib.octavo_last_shape_error(ctypes.byref(fields)) == _abi.OCTAVO_OK:
        for name in ("op", "module", "argument", "dim_name"):
            setattr(error, name, getattr(fields, name).decode(errors="replace"))
        error.dim = fields.dim if fields.dim >= 0 else None
        error.expected, error.actual = fields.expected, fields.actual
    raise error
