#!/usr/bin/env python3
"""Pictures, and what Pillow and transformers make of them, as the reference for tests/image.

Run with Pillow 12 (13 resamples vertically first for some sizes): python tests/golden/image/make.py
References lie one after the other in reference.bin; manifest.json says where.
"""
import io
import json
import pathlib
import struct
import zlib

import numpy as np
import PIL
import transformers
from PIL import Image
from PIL import features
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil, smart_resize

HERE = pathlib.Path(__file__).parent
rng = np.random.default_rng(11)
blob = bytearray()
manifest = {"versions": {"pillow": PIL.__version__, "transformers": transformers.__version__, "numpy": np.__version__,
                         "libjpeg_turbo": features.version("libjpeg_turbo")}}


def keep(data):
    at = len(blob)
    blob.extend(data)
    return {"offset": at, "size": len(data)}


def fnv(data):
    """FNV-1a of 64 bits."""
    value = 0xcbf29ce484222325
    for byte in data:
        value = ((value ^ byte) * 0x100000001b3) & 0xffffffffffffffff
    return f"{value:016x}"


def photo(height, width, noise=3.0):
    """Smooth light, a few hard edges and sensor noise."""
    y, x = np.mgrid[0:height, 0:width].astype(float)
    u, v = x / max(width - 1, 1), y / max(height - 1, 1)
    planes = []
    for c in range(3):
        plane = 120 + 90 * np.sin(3 * u + c) * np.cos(4 * v - c) + 40 * (u - v)
        plane += 80 * (((u - .5) ** 2 + (v - .4) ** 2) < .03 * (c + 1)) - 60 * (np.abs(u + v - 1) < .04)
        planes.append(plane + rng.normal(0, noise, plane.shape))
    return np.clip(np.stack(planes, -1), 0, 255).astype(np.uint8)


def png(path, rows, height, width, depth, colour, interlaced=False):
    """A PNG of what Pillow does not write: 16 bits, Adam7. `rows`: [height, width, channels] unsigned integers."""
    def scan(part):
        data = part.astype(">u2" if depth == 16 else "u1")
        return b"".join(b"\0" + line.tobytes() for line in data)
    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    raw = b"".join(scan(rows[a::c, b::d]) for a, b, c, d in passes if rows[a::c, b::d].size) if interlaced else scan(rows)
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))  # noqa: E731
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced))
                     + chunk(b"IDAT", zlib.compress(raw, 9)) + chunk(b"IEND", b""))


def formats():
    base = photo(23, 37)
    rgb = Image.fromarray(base)
    alpha = rng.integers(0, 256, (23, 37, 1), dtype=np.uint8)
    grey = base[..., 0]
    rgba = Image.fromarray(np.concatenate([base, alpha], -1))
    rgb.save(HERE / "rgb.png")
    rgba.save(HERE / "rgba.png")
    rgb.convert("L").save(HERE / "grey.png")
    Image.fromarray(grey).convert("1").save(HERE / "one_bit.png")
    Image.fromarray(np.stack([grey, alpha[..., 0]], -1)).save(HERE / "grey_alpha.png")
    rgb.quantize(200).save(HERE / "palette.png")
    rgb.quantize(13).save(HERE / "palette_4bit.png", bits=4)
    rgb.quantize(60).save(HERE / "palette_transparent.png", transparency=5)
    rgb.save(HERE / "rgb.bmp")
    rgb.convert("L").save(HERE / "grey.bmp")
    rgb.quantize(100).save(HERE / "palette.gif")
    rgb.save(HERE / "rgb.ppm")
    rgb.convert("L").save(HERE / "grey.pgm")
    png(HERE / "interlaced.png", base, 23, 37, 8, 2, interlaced=True)
    wide = base.astype(np.uint16) * 256 + rng.integers(0, 256, base.shape)
    png(HERE / "rgb16.png", wide, 23, 37, 16, 2)
    dark = (np.arange(23 * 37) * 3 % 700).reshape(23, 37, 1)
    png(HERE / "grey16.png", dark, 23, 37, 16, 0)
    Image.fromarray(photo(1, 1)).save(HERE / "one_pixel.png")
    names = ["rgb.png", "rgba.png", "grey.png", "one_bit.png", "grey_alpha.png", "palette.png", "palette_4bit.png",
             "palette_transparent.png", "rgb.bmp", "grey.bmp", "palette.gif", "rgb.ppm", "grey.pgm", "interlaced.png",
             "rgb16.png", "grey16.png", "one_pixel.png"]
    smooth = Image.fromarray(photo(47, 61, 2))
    for name, options in {"444_q95": dict(quality=95, subsampling=0), "420_q90": dict(quality=90, subsampling=2),
                          "422_q75": dict(quality=75, subsampling=1), "420_q50": dict(quality=50, subsampling=2),
                          "progressive": dict(quality=85, subsampling=2, progressive=True)}.items():
        smooth.save(HERE / f"{name}.jpg", **options)
        names.append(f"{name}.jpg")
    smooth.convert("L").save(HERE / "grey.jpg", quality=85)
    smooth.convert("CMYK").resize((8, 8)).save(HERE / "cmyk.jpg")
    names.append("grey.jpg")
    result = []
    for name in names:
        picture = Image.open(HERE / name).convert("RGB")
        result.append({"file": name, "height": picture.height, "width": picture.width, "rgb": keep(picture.tobytes())})
    manifest["decode"] = result


def resizing():
    inputs = {"photo": (96, 128, 3), "odd": (61, 97, 3), "flat_29x1003": (29, 1003, 1), "tall_1003x29": (1003, 29, 1)}
    for name, (h, w, noise) in inputs.items():
        Image.fromarray(photo(h, w, noise)).save(HERE / f"{name}.png", optimize=True)
    noise = rng.integers(0, 2, (40, 40, 3), dtype=np.uint8) * 255  # overshoot on both sides
    Image.fromarray(noise).save(HERE / "extreme.png", optimize=True)
    jobs = [("photo", s) for s in ((56, 84), (112, 140), (97, 129), (95, 127), (1, 1), (13, 128), (96, 31), (7, 300))]
    jobs += [("odd", s) for s in ((56, 56), (61, 97), (122, 194), (60, 98))]
    jobs += [("extreme", s) for s in ((39, 41), (80, 80), (17, 23), (3, 5))]
    jobs += [("flat_29x1003", (28, 1008)), ("tall_1003x29", (1008, 28)), ("one_pixel", (28, 28)), ("one_pixel", (1, 5))]
    manifest["resize"] = []
    for name, (h, w) in jobs:
        data = Image.open(HERE / f"{name}.png").convert("RGB").resize((w, h), Image.Resampling.BICUBIC).tobytes()
        manifest["resize"].append({"file": f"{name}.png", "height": h, "width": w, "fnv": fnv(data), "stride": 23,
                                   "sample": keep(data[::23])})


def pixel_values():
    processor = Qwen2VLImageProcessorPil()
    manifest["pixels"] = []
    for name in ("photo", "odd", "flat_29x1003", "tall_1003x29", "one_pixel", "rgba", "palette", "grey", "grey_alpha", "grey16"):
        for limits in ((3136, 12845056), (3136, 7000), (20000, 12845056)):
            out = processor(images=Image.open(HERE / f"{name}.png"), size={"shortest_edge": limits[0], "longest_edge": limits[1]},
                            return_tensors="np")
            values = np.ascontiguousarray(out["pixel_values"], dtype="<f4")
            manifest["pixels"].append({
                "file": f"{name}.png", "min_pixels": limits[0], "max_pixels": limits[1],
                "grid": [int(v) for v in out["image_grid_thw"][0]], "shape": list(values.shape), "fnv": fnv(values.tobytes()),
                "stride": 419, "sample": keep(values.ravel()[::419].tobytes())})


def sizes():
    manifest["smart_resize"] = []
    for _ in range(400):
        h, w = (int(v) for v in np.exp(rng.uniform(0, np.log(9000), 2)))
        low, high = ((3136, 12845056), (3136, 1003520), (200704, 1003520))[rng.integers(3)]
        try:
            out = list(smart_resize(h, w, 28, low, high))
        except ValueError:
            out = None
        manifest["smart_resize"].append([h, w, low, high, out])


formats()
resizing()
pixel_values()
sizes()
(HERE / "manifest.json").write_text(json.dumps(manifest, separators=(",", ":")) + "\n")
(HERE / "reference.bin").write_bytes(bytes(blob))
