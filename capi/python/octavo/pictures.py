"""Pictures for a model: from files, bytes, Pillow, NumPy and torch."""
from __future__ import annotations

import ctypes
import os
from typing import Any, Optional, Union

from . import _abi
from ._handle import Handle, Owned, SharedMemory, sized
from ._library import lib
from ._options import choice
from .errors import check
from .tensor import Tensor

#: What a picture may be given as: an Image; the path of a file; the bytes of one, or an open file; a picture of Pillow; or
#: an array or tensor of uint8, [height, width], or [height, width, channels] with 1, 3 (RGB) or 4 (RGBA) channels.
ImageLike = Union["Image", str, "os.PathLike[str]", bytes, bytearray, memoryview, Any]

_TRANSPARENCY = {"white": _abi.OCTAVO_TRANSPARENCY_WHITE, "drop": _abi.OCTAVO_TRANSPARENCY_DROP}
_PILLOW_MODES = {"L": 1, "RGB": 3, "RGBA": 4}


class Image(Handle):
    """A picture, 8 bits a channel, RGB. Immutable; threads may share it."""

    def __init__(self, source: ImageLike, *, upright: bool = True, transparency: str = "white", max_pixels: int = 0,
                 max_bytes: int = 0) -> None:
        """Reads or copies a picture.

        Of files and their bytes, JPEG, PNG, WebP, GIF, BMP and PNM: upright turns it as EXIF or XMP says; max_pixels and
        max_bytes bound it before memory is taken, 0 means 178956970 and 2 GiB. transparency: composited on "white", or
        "drop" leaves alpha out. Pillow's pictures are taken as they are, as transformers does: not turned.
        """
        handle = ctypes.c_void_p()
        alpha = choice("transparency", transparency, _TRANSPARENCY)
        decode = sized(_abi.octavo_decode_options)
        decode.ignore_orientation, decode.transparency = not upright, alpha
        decode.max_pixels, decode.max_bytes = max_pixels, max_bytes
        if hasattr(source, "read"):
            source = source.read()
        if isinstance(source, Image):
            self._owned = source._handle
            return
        if isinstance(source, (str, os.PathLike)):
            check(lib.octavo_image_open(os.fsencode(source), ctypes.byref(decode), ctypes.byref(handle)))
        elif isinstance(source, (bytes, bytearray, memoryview)):
            data = bytes(source)
            check(lib.octavo_image_decode(data, len(data), ctypes.byref(decode), ctypes.byref(handle)))
        elif hasattr(source, "mode") and hasattr(source, "tobytes"):
            width, height, channels, data = _of_pillow(source)
            self._from_pixels(data, len(data), width, height, channels, alpha, handle)
        else:
            tensor = Tensor(source)
            shape = tensor.shape
            channels = shape[2] if len(shape) == 3 else 1
            if tensor.dtype != "u8" or len(shape) not in (2, 3) or channels not in (1, 3, 4):
                raise ValueError(f"a picture is u8 [height, width] or [height, width, 1, 3 or 4 channels]; this is "
                                 f"{tensor.dtype} {list(shape)}")
            address, size = tensor._memory()
            self._from_pixels(address, size, shape[1], shape[0], channels, alpha, handle)
        self._owned = Owned.of(handle, lib.octavo_image_release)

    @staticmethod
    def _from_pixels(pixels: Any, size: int, width: int, height: int, channels: int, transparency: int,
                     handle: ctypes.c_void_p) -> None:
        layout = sized(_abi.octavo_pixel_layout)
        layout.width, layout.height, layout.channels, layout.transparency = width, height, channels, transparency
        check(lib.octavo_image_from_pixels(pixels, size, ctypes.byref(layout), ctypes.byref(handle)))

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, as Pillow's."""
        width, height = ctypes.c_int64(), ctypes.c_int64()
        check(lib.octavo_image_size(self._handle, ctypes.byref(width), ctypes.byref(height)))
        return width.value, height.value

    def __array__(self, dtype: Any = None, copy: Optional[bool] = None) -> Any:
        """u8 [height, width, 3], RGB, over the picture's own memory: read-only."""
        pixels = ctypes.POINTER(ctypes.c_uint8)()
        check(lib.octavo_image_pixels(self._handle, ctypes.byref(pixels)))
        width, height = self.size
        address = ctypes.cast(pixels, ctypes.c_void_p).value
        return SharedMemory(self._handle, (height, width, 3), "|u1", address, read_only=True).array(dtype, copy)

    def __repr__(self) -> str:
        return "octavo.Image(closed)" if self._owned is None else "octavo.Image({} x {})".format(*self.size)


def as_image(source: ImageLike) -> Image:
    """The source itself when it is an Image, else one with all defaults."""
    return source if isinstance(source, Image) else Image(source)


def _of_pillow(picture: Any) -> tuple[int, int, int, bytes]:
    """Width, height, channels and pixels. Transparency in any form becomes alpha."""
    mode = picture.mode
    if mode in ("I", "F") or ";" in mode:
        raise ValueError(f"the picture's mode is {mode}, which has more than 8 bits a channel: convert it yourself")
    if mode in ("LA", "La", "PA", "RGBa") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
    elif mode not in _PILLOW_MODES:
        picture = picture.convert("RGB")
    width, height = picture.size
    return width, height, _PILLOW_MODES[picture.mode], picture.tobytes()
