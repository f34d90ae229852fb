"""Tensors that share their memory with NumPy, torch and whatever else speaks DLPack or the array interface."""
from __future__ import annotations

import ctypes
from typing import Any, Optional, Sequence, Union

from . import _abi
from ._dlpack import CPU, capsule_of, taken
from ._handle import Handle, Owned, SharedMemory
from ._library import lib
from .errors import check

#: Names of element types, by the C interface's number.
DTYPES = {"f32": _abi.OCTAVO_F32, "f16": _abi.OCTAVO_F16, "bf16": _abi.OCTAVO_BF16, "s8": _abi.OCTAVO_S8,
          "u8": _abi.OCTAVO_U8, "s32": _abi.OCTAVO_S32, "i64": _abi.OCTAVO_I64}
_NAMES = {number: name for name, number in DTYPES.items()}
_TYPESTRINGS = {"f32": "<f4", "f16": "<f2", "s8": "|i1", "u8": "|u1", "s32": "<i4", "i64": "<i8"}
_FROM_TYPESTRING = {text: name for name, text in _TYPESTRINGS.items()}
_ITEM_BYTES = {"f32": 4, "f16": 2, "bf16": 2, "s8": 1, "u8": 1, "s32": 4, "i64": 8}


def dtype_number(name: str) -> int:
    """OCTAVO_F32 of "f32"; ValueError lists the known names."""
    if name not in DTYPES:
        raise ValueError(f"dtype is {name!r}, known are {', '.join(DTYPES)}")
    return DTYPES[name]


class Tensor(Handle):
    """Row-major numbers, outermost dimension first, at most 8 dimensions.

    `Tensor(x)` is over the memory of x, a NumPy array, a torch tensor on the CPU or another object with
    `__array_interface__` or `__dlpack__`: nothing is copied, and x is kept alive. It has to be contiguous.
    `numpy.asarray(t)` and `torch.from_dlpack(t)` are over the memory of t in the same way. NumPy has no bf16; torch has.
    """

    def __init__(self, source: Any) -> None:
        if isinstance(source, Tensor):
            self._owned = source._handle
        elif hasattr(source, "__dlpack__") and self._take(source):
            pass
        elif hasattr(source, "__array_interface__"):
            self._borrow(source)
        else:
            raise TypeError(f"a {type(source).__name__} has no memory that can be shared: pass a NumPy array, a torch "
                            "tensor or an octavo.Tensor")

    @classmethod
    def zeros(cls, shape: Sequence[int], dtype: str = "f32") -> Tensor:
        """A tensor of zeros with memory of its own."""
        handle = ctypes.c_void_p()
        check(lib.octavo_tensor_create(dtype_number(dtype), _dims(shape), len(shape), ctypes.byref(handle)))
        return cls._taken(handle)

    @classmethod
    def _taken(cls, handle: ctypes.c_void_p, release: bool = True) -> Tensor:
        """Over a handle that the C library gave away, or, without `release`, lent."""
        tensor = cls.__new__(cls)
        tensor._owned = Owned.of(handle, lib.octavo_tensor_release if release else lambda pointer: None)
        return tensor

    def _take(self, source: Any) -> bool:
        """By DLPack. False where the object has another way for memory that DLPack refuses, as old NumPy for read-only."""
        if tuple(source.__dlpack_device__())[0] != CPU[0]:
            raise ValueError("the tensor is not in the CPU's memory: pass x.cpu()")
        try:
            handle = taken(source)
        except BufferError:
            if hasattr(source, "__array_interface__"):
                return False
            raise
        self._owned = Owned.of(handle, lib.octavo_tensor_release)
        _require_contiguous(self.shape, self._strides(), 1)
        return True

    def _borrow(self, source: Any) -> None:
        interface = source.__array_interface__
        dtype = _FROM_TYPESTRING.get(interface["typestr"])
        if dtype is None:
            raise TypeError(f"the array's element type is {interface['typestr']}, known are "
                            + ", ".join(f"{text} ({name})" for name, text in _TYPESTRINGS.items()))
        shape = interface["shape"]
        _require_contiguous(shape, interface.get("strides"), _ITEM_BYTES[dtype])
        handle = ctypes.c_void_p()
        check(lib.octavo_tensor_borrow(interface["data"][0], dtype_number(dtype), _dims(shape), len(shape),
                                       ctypes.byref(handle)))
        self._owned = Owned.of(handle, lib.octavo_tensor_release, keep=source)
        self._owned.borrowed, self._owned.read_only = True, interface["data"][1]

    @property
    def dtype(self) -> str:
        """ "f32", "f16", "bf16", "s8", "u8", "s32" or "i64"."""
        number = ctypes.c_int32()
        check(lib.octavo_tensor_dtype(self._handle, ctypes.byref(number)))
        return _NAMES[number.value]

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of the dimensions, outermost first."""
        rank, size = ctypes.c_size_t(), ctypes.c_int64()
        check(lib.octavo_tensor_rank(self._handle, ctypes.byref(rank)))
        sizes = []
        for index in range(rank.value):
            check(lib.octavo_tensor_dim(self._handle, index, ctypes.byref(size)))
            sizes.append(size.value)
        return tuple(sizes)

    def _strides(self) -> list[int]:
        """Of each dimension, in elements."""
        stride, strides = ctypes.c_int64(), []
        for index in range(len(self.shape)):
            check(lib.octavo_tensor_stride(self._handle, index, ctypes.byref(stride)))
            strides.append(stride.value)
        return strides

    def __dlpack__(self, *, stream: object = None, max_version: Optional[tuple[int, int]] = None,
                   dl_device: Optional[tuple[int, int]] = None, copy: Optional[bool] = None) -> Any:
        """For torch.from_dlpack, numpy.from_dlpack and their like: the tensor's own memory, on the CPU."""
        if copy or dl_device not in (None, CPU):
            raise BufferError("a tensor of Octavo is shared on the CPU, without a copy")
        if self._handle.borrowed:
            raise BufferError("the memory is another object's: share that one")
        return capsule_of(self._handle, max_version)

    def __dlpack_device__(self) -> tuple[int, int]:
        return CPU

    @property
    def nbytes(self) -> int:
        """Size of the elements in bytes."""
        return self._memory()[1]

    def _memory(self) -> tuple[int, int]:
        """Address of the first element (0 of an empty tensor), size in bytes."""
        data, size = ctypes.c_void_p(), ctypes.c_size_t()
        check(lib.octavo_tensor_read(self._handle, ctypes.byref(data), ctypes.byref(size)))
        return data.value or 0, size.value

    @property
    def read_only(self) -> bool:
        """Whether the memory must not be written: a weight that is mapped, a read-only array."""
        data = ctypes.c_void_p()
        return self._handle.read_only or lib.octavo_tensor_data(
            self._handle, ctypes.byref(data), None) == _abi.OCTAVO_INVALID_ARGUMENT

    def __array__(self, dtype: Any = None, copy: Optional[bool] = None) -> Any:
        name = self.dtype
        if name not in _TYPESTRINGS:
            raise TypeError(f"NumPy has no {name}; torch.from_dlpack takes it")
        return SharedMemory(self._handle, self.shape, _TYPESTRINGS[name], self._memory()[0],
                            self.read_only).array(dtype, copy)

    def numpy(self) -> Any:
        """The tensor as a NumPy array over the same memory, which it keeps alive."""
        import numpy

        return numpy.asarray(self)  # over the same memory: by __array__

    def __len__(self) -> int:
        shape = self.shape
        if not shape:
            raise TypeError("a tensor without dimensions has no length")
        return shape[0]

    def __repr__(self) -> str:
        if self._owned is None:
            return "octavo.Tensor(closed)"
        return f"octavo.Tensor(shape={list(self.shape)}, dtype={self.dtype})"


#: What the parts take: a Tensor, or what Tensor() takes.
TensorLike = Union[Tensor, Any]


def as_tensor(source: TensorLike) -> Tensor:
    """The source itself when it is a Tensor, else one over its memory."""
    return source if isinstance(source, Tensor) else Tensor(source)


def as_optional_tensor(source: Optional[TensorLike]) -> Optional[Tensor]:
    """None stays None."""
    return None if source is None else as_tensor(source)


def _dims(shape: Sequence[int]) -> Any:
    return (ctypes.c_int64 * len(shape))(*shape)


def _require_contiguous(shape: Sequence[int], strides: Optional[Sequence[int]], item_size: int) -> None:
    """Strides in the unit of item_size; those of dimensions of size 1 say nothing, nor do any when there is no element."""
    if strides is None or 0 in shape:
        return
    expected = item_size
    for size, stride in zip(reversed(shape), reversed(strides)):
        if size != 1 and stride != expected:
            raise ValueError("the array is not contiguous in row-major order, and nothing is copied here: pass "
                             "numpy.ascontiguousarray(x), or x.contiguous() in torch")
        expected *= size
