"""What transformers' picture processor does with each setting of preprocessor_config.json, for tests/image to agree with.

    python processor_settings.py OUT.json      (with transformers; in the golden file the newest release's outcome)

Every picture is made by formula (see `picture`), so that the test can make it too. An outcome is the grid and an FNV-1a of
the pixel values' bytes, or the error. The Pillow form of the processor is used: Qwen2VLImageProcessorPil of transformers 5,
Qwen2VLImageProcessor of transformers 4.
"""
import json
import sys

import numpy as np
import transformers
from PIL import Image

if int(transformers.__version__.split(".")[0]) >= 5:
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil as Processor
else:
    from transformers.models.qwen2_vl.image_processing_qwen2_vl import Qwen2VLImageProcessor as Processor

LIMITS = {"min_pixels": 3136, "max_pixels": 12845056}
CASES = [
    ("no limits at all", (1400, 1008), {}),
    ("min_pixels and max_pixels", (112, 84), {"min_pixels": 784, "max_pixels": 6272}),
    ("size alone", (112, 84), {"size": {"shortest_edge": 784, "longest_edge": 6272}}),
    ("size and other limits", (112, 84), {"size": {"shortest_edge": 784, "longest_edge": 6272}, "min_pixels": 50176,
                                          "max_pixels": 100352}),
    ("half a size, both limits", (112, 84), {"size": {"shortest_edge": 784}, "min_pixels": 50176, "max_pixels": 100352}),
    ("half a size", (112, 84), {"size": {"longest_edge": 6272}}),
    ("size of one number", (112, 84), {"size": 6272}),
    ("size of height and width", (112, 84), {"size": {"height": 56, "width": 56}}),
    ("max_pixels alone", (112, 84), {"max_pixels": 6272}),
    ("resized", (100, 75), LIMITS),
    ("do_resize false", (112, 84), {**LIMITS, "do_resize": False}),
    ("do_resize false, odd picture", (100, 75), {**LIMITS, "do_resize": False}),
    ("do_normalize false", (112, 84), {**LIMITS, "do_normalize": False}),
    ("do_rescale false", (112, 84), {**LIMITS, "do_rescale": False}),
    ("do_rescale and do_normalize false", (112, 84), {**LIMITS, "do_rescale": False, "do_normalize": False}),
    ("rescale_factor", (112, 84), {**LIMITS, "rescale_factor": 0.0078125}),
    ("mean and std", (112, 84), {**LIMITS, "image_mean": [0.5, 0.25, 0.125], "image_std": [0.5, 1.5, 2.5]}),
    ("mean and std of one number", (112, 84), {**LIMITS, "image_mean": 0.5, "image_std": 0.25}),
    ("resample 2", (100, 75), {**LIMITS, "resample": 2}),
    ("crops that it does not do", (112, 84), {**LIMITS, "do_center_crop": True, "crop_size": {"height": 8, "width": 8}}),
    ("pads that it does not do", (112, 84), {**LIMITS, "do_pad": True, "pad_size": {"height": 8, "width": 8}}),
    ("do_convert_rgb false", (112, 84), {**LIMITS, "do_convert_rgb": False}),
    ("patches of 28", (112, 112), {**LIMITS, "patch_size": 28}),
    ("groups of 4", (112, 112), {**LIMITS, "merge_size": 4}),
    ("one frame", (112, 84), {**LIMITS, "temporal_patch_size": 1}),
]


def picture(width, height):
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(3), indexing="ij")
    return Image.fromarray(((x * x + 7 * y * (c + 1) + 50 * c) % 256).astype(np.uint8))


def fnv(data):
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return f"{value:016x}"


def outcome(size, settings):
    try:
        made = Processor.from_dict(json.loads(json.dumps(settings)))(images=[picture(*size)], return_tensors="np")
    except Exception as error:  # noqa: BLE001: which error it is does not matter
        return {"error": type(error).__name__}
    grid = [int(n) for n in made["image_grid_thw"][0]]
    pixels = np.ascontiguousarray(made["pixel_values"], dtype=np.float32)
    result = {"grid": grid, "columns": int(pixels.shape[1])}
    if pixels.size < 100000:
        result["fnv"] = fnv(pixels.tobytes())
    return result


cases = [{"name": name, "width": size[0], "height": size[1], "settings": settings, "outcome": outcome(size, settings)}
         for name, size, settings in CASES]
with open(sys.argv[1], "w") as out:
    json.dump({"transformers": transformers.__version__, "cases": cases}, out, indent=1)
    out.write("\n")
