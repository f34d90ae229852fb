#!/usr/bin/env python3
"""Octavo's tensors and those of PyTorch and NumPy share memory through DLPack, in both forms, both ways.
   dlpack_check.py LIBOCTAVO"""
import ctypes
import sys

import numpy
import torch

library = ctypes.CDLL(sys.argv[1])
library.octavo_last_error.restype = ctypes.c_char_p
python = ctypes.pythonapi
python.PyCapsule_New.restype = ctypes.py_object
python.PyCapsule_New.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
python.PyCapsule_GetPointer.restype = ctypes.c_void_p
python.PyCapsule_GetPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
python.PyCapsule_SetName.argtypes = [ctypes.py_object, ctypes.c_char_p]
kept = []  # names of capsules must outlive them


def call(name, *arguments):
    if getattr(library, name)(*arguments) != 0:
        raise RuntimeError(f"{name}: {library.octavo_last_error().decode()}")


def taken(capsule):
    """An Octavo tensor over what another library hands out."""
    versioned = "dltensor_versioned" in repr(capsule)
    name = b"dltensor_versioned" if versioned else b"dltensor"
    tensor = ctypes.c_void_p()
    call("octavo_tensor_from_dlpack" if versioned else "octavo_tensor_from_dlpack_unversioned",
         ctypes.c_void_p(python.PyCapsule_GetPointer(capsule, name)), ctypes.byref(tensor))
    used = b"used_" + name
    kept.append(used)
    python.PyCapsule_SetName(capsule, used)
    return tensor


class Given:
    """An Octavo tensor as an object of the array API."""

    def __init__(self, tensor, versioned):
        self.tensor, self.versioned = tensor, versioned

    def __dlpack_device__(self):
        return (1, 0)

    def __dlpack__(self, **_):
        name = b"dltensor_versioned" if self.versioned else b"dltensor"
        kept.append(name)
        managed = ctypes.c_void_p()
        call("octavo_tensor_to_dlpack" if self.versioned else "octavo_tensor_to_dlpack_unversioned", self.tensor,
             ctypes.byref(managed))
        return python.PyCapsule_New(managed, name, None)


def data_of(tensor):
    data = ctypes.c_void_p()
    call("octavo_tensor_data", tensor, ctypes.byref(data), None)
    return data.value


checks = 0
for dtype in (torch.float32, torch.float16, torch.bfloat16, torch.int8, torch.uint8, torch.int32, torch.int64):
    source = torch.arange(24).to(dtype).reshape(2, 3, 4)
    capsules = [source.__dlpack__(), source.__dlpack__(max_version=(1, 0))]
    for capsule in capsules:
        tensor = taken(capsule)
        assert data_of(tensor) == source.data_ptr(), dtype
        for versioned in (False, True):
            back = torch.from_dlpack(Given(tensor, versioned))
            assert back.data_ptr() == source.data_ptr() and back.dtype == dtype and torch.equal(back, source)
            if dtype is not torch.bfloat16:
                array = numpy.from_dlpack(Given(tensor, versioned))
                assert array.ctypes.data == source.data_ptr() and numpy.array_equal(array, source.numpy())
            checks += 1
        library.octavo_tensor_release(tensor)

# A transposed view comes in as what it is.
view = torch.arange(6, dtype=torch.float32).reshape(2, 3).t()
tensor = taken(view.__dlpack__())
assert torch.equal(torch.from_dlpack(Given(tensor, True)), view)
assert library.octavo_tensor_data(tensor, ctypes.byref(ctypes.c_void_p()), None) != 0  # not row-major
rows = ctypes.c_void_p()
call("octavo_tensor_contiguous", tensor, ctypes.byref(rows))
assert torch.equal(torch.from_dlpack(Given(rows, False)), view)

# What Octavo made outlives its handle, and is freed by the last that uses it.
made = ctypes.c_void_p()
call("octavo_tensor_create", 0, (ctypes.c_int64 * 2)(3, 5), ctypes.c_size_t(2), ctypes.byref(made))
shared = torch.from_dlpack(Given(made, True))
library.octavo_tensor_release(made)
shared[2, 4] = 7
assert shared.sum() == 7

# A read-only array stays read-only.
array = numpy.ones(4, dtype=numpy.float32)
array.flags.writeable = False
tensor = taken(array.__dlpack__(max_version=(1, 0)))
assert library.octavo_tensor_data(tensor, ctypes.byref(ctypes.c_void_p()), None) != 0
assert not numpy.from_dlpack(Given(tensor, True)).flags.writeable
print(f"DLPack: {checks} ways of seven types, strides, lifetimes and read-only arrays")
