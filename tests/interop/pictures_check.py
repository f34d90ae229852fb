#!/usr/bin/env python3
"""Octavo's pixels against Pillow's, level by level, over generated picture files of every kind.

    pictures_check.py LIBOCTAVO [COUNT [SEED]]      prints the differences per kind; fails on any
    pictures_check.py --fixtures DIRECTORY          writes the files and values that tests/image holds

Each file is read four times: transparency on white and dropped, orientation applied and not. On white is what
qwen_vl_utils and vLLM do with RGBA, for every kind of transparency.
"""
import ctypes
import io
import json
import pathlib
import sys
import tempfile
import warnings

import numpy as np
import PIL
from PIL import Image, ImageOps, features

import picture_files

warnings.filterwarnings("ignore", module="PIL")
warnings.filterwarnings("ignore", category=DeprecationWarning)
WAYS = [(white, upright) for white in (True, False) for upright in (True, False)]


def pillow(data, white, upright):
    picture = Image.open(io.BytesIO(data))
    picture.load()
    if upright:
        picture = ImageOps.exif_transpose(picture)
    if white and picture.has_transparency_data:
        rgba = picture.convert("RGBA")
        ground = Image.new("RGB", rgba.size, (255, 255, 255))
        ground.paste(rgba, mask=rgba.getchannel("A"))
        return np.asarray(ground)
    return np.asarray(picture.convert("RGB"))


class DecodeOptions(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_size_t), ("ignore_orientation", ctypes.c_int32), ("transparency", ctypes.c_int32),
                ("max_pixels", ctypes.c_int64), ("max_bytes", ctypes.c_int64)]


class Octavo:
    def __init__(self, path):
        self.lib = ctypes.CDLL(path)
        self.lib.octavo_last_error.restype = ctypes.c_char_p

    def read(self, path, white, upright):
        options = DecodeOptions(ctypes.sizeof(DecodeOptions), 0 if upright else 1, 0 if white else 1, 0, 0)
        tensor = ctypes.c_void_p()
        if self.lib.octavo_image_load(str(path).encode(), ctypes.byref(options), ctypes.byref(tensor)) != 0:
            raise ValueError(self.lib.octavo_last_error().decode())
        dims = []
        for axis in range(3):
            dim = ctypes.c_int64()
            assert self.lib.octavo_tensor_dim(tensor, ctypes.c_size_t(axis), ctypes.byref(dim)) == 0
            dims.append(dim.value)
        data, size = ctypes.c_void_p(), ctypes.c_size_t()
        assert self.lib.octavo_tensor_data(tensor, ctypes.byref(data), ctypes.byref(size)) == 0
        values = np.frombuffer(ctypes.string_at(data.value, size.value), np.uint8).reshape(dims)
        self.lib.octavo_tensor_release(tensor)
        return values


def compare(library, count, seed):
    octavo = Octavo(library)
    rng = np.random.default_rng(seed)
    kinds = list(picture_files.KINDS)
    found = {kind: {"files": 0, "other": 0, "refused": 0, "levels": 0} for kind in kinds}
    with tempfile.TemporaryDirectory() as folder:
        for i in range(count):
            kind = kinds[i % len(kinds)]
            data = picture_files.make(kind, rng)
            path = pathlib.Path(folder) / "picture.bin"
            path.write_bytes(data)
            result = found[kind]
            result["files"] += 1
            worst = 0
            try:
                for white, upright in WAYS:
                    ours, theirs = octavo.read(path, white, upright), pillow(data, white, upright)
                    worst = max(worst, 256 if ours.shape != theirs.shape else
                                int(np.abs(ours.astype(int) - theirs.astype(int)).max()))
            except ValueError as error:
                result["refused"] += 1
                result["why"] = str(error)
            result["levels"] = max(result["levels"], worst)
            if worst:
                result["other"] += 1
                kept = pathlib.Path(tempfile.gettempdir()) / f"octavo-picture-{seed}-{i}"
                kept.write_bytes(data)
                result["kept"] = str(kept)
    print(f"Pillow {PIL.__version__}, libjpeg-turbo {features.version('libjpeg_turbo')}, libwebp {features.version('webp')}")
    print(f"{'kind':24}{'files':>7}{'differ':>8}{'levels':>8}{'refused':>9}")
    for kind, result in found.items():
        print(f"{kind:24}{result['files']:7}{result['other']:8}{result['levels']:8}{result['refused']:9}  "
              f"{result.get('kept', '')} {result.get('why', '')}")
    wrong = sum(result["other"] + result["refused"] for result in found.values())
    print(f"{count} files, {len(WAYS)} ways each: {wrong} differ from Pillow or are refused")
    return 1 if wrong else 0


def fixtures(folder):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(8)
    blob = bytearray()
    entries = []
    picture_files.size = lambda r: (int(r.integers(5, 20)), int(r.integers(5, 20)))  # small ones
    for i, kind in enumerate(picture_files.KINDS):
        for j in range(2):
            data = picture_files.make(kind, rng)
            name = f"{i:02}{'ab'[j]}.{kind.split()[0].lower()}"
            (folder / name).write_bytes(data)
            for white, upright in WAYS:
                values = pillow(data, white, upright)
                entries.append({"file": name, "kind": kind, "white": white, "upright": upright, "height": values.shape[0],
                                "width": values.shape[1], "rgb": {"offset": len(blob), "size": values.size}})
                blob.extend(values.tobytes())
    manifest = {"versions": {"pillow": PIL.__version__, "libjpeg_turbo": features.version("libjpeg_turbo"),
                             "webp": features.version("webp")}, "decode": entries}
    (folder / "manifest.json").write_text(json.dumps(manifest, separators=(",", ":")) + "\n")
    (folder / "reference.bin").write_bytes(bytes(blob))
    return 0


if __name__ == "__main__":
    if sys.argv[1] == "--fixtures":
        sys.exit(fixtures(sys.argv[2]))
    sys.exit(compare(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1000, int(sys.argv[3]) if len(sys.argv) > 3 else 1))
