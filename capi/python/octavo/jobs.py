"""Jobs on directories: check, plan, quantize, verify, compare, attribute."""
from __future__ import annotations

import ctypes
import json
import os
from pathlib import Path
from typing import Any, Optional, Sequence, Union

from . import _abi
from ._handle import sized, taken_document, taken_string
from ._job import Cancel
from ._library import lib
from ._options import boxes_number, math_number, model_options
from ._progress import ProgressLike, run_job
from .errors import check as _check
from .results import AttributeResult, CheckResult, CompareResult, QuantizeResult, VerifyResult
from .tensor import dtype_number

PathLike = Union[str, "os.PathLike[str]"]


def _path(path: Optional[PathLike]) -> Optional[bytes]:
    return None if path is None else os.fsencode(path)


def _text(text: Optional[str]) -> Optional[bytes]:
    return None if text is None else text.encode()


def check(directory: PathLike) -> CheckResult:
    """Structure of a checkpoint directory, from config.json and the safetensors headers alone: milliseconds.

    Problems are in the result. A directory that cannot be read at all raises.
    """
    count, out = ctypes.c_int64(), ctypes.c_void_p()
    _check(lib.octavo_check(os.fsencode(directory), ctypes.byref(count), ctypes.byref(out)))
    document = taken_document(out)
    return CheckResult(document["ok"], document["problems"], document)


def plan(directory: PathLike, *, image_sizes: Sequence[tuple[int, int]] = (), prompt_tokens: int = 0,
         max_new_tokens: int = 0, tensor_parallel: int = 0) -> dict[str, Any]:
    """Memory and every operation's shapes for a prompt of your choice, without reading a weight.

    image_sizes: (height, width) in pixels of each picture; one of 448 x 448 when there are none. prompt_tokens: all of
    them, image tokens included; 0 means 64 and the images'. max_new_tokens: 0 means 256. tensor_parallel: ranks of a
    serving engine.

    Returns {"ok", "problems", "tensor_parallel", "plan": {"weight_bytes", "kv_cache_bytes_per_position", "calls"}}.
    """
    options, out = sized(_abi.octavo_plan_options), ctypes.c_void_p()
    sizes = (ctypes.c_int64 * (2 * len(image_sizes)))(*(side for size in image_sizes for side in size))
    options.image_sizes, options.image_count = sizes, len(image_sizes)
    options.prompt_tokens, options.max_new_tokens = prompt_tokens, max_new_tokens
    options.tensor_parallel = tensor_parallel
    _check(lib.octavo_plan(os.fsencode(directory), ctypes.byref(options), ctypes.byref(out)))
    return taken_document(out)


def quantize(model: PathLike, out: PathLike, *, recipe: Optional[PathLike] = None,
             calibration: Optional[PathLike] = None, pictures: Optional[PathLike] = None,
             picture_prompt: Optional[str] = None, max_samples: int = 0, overwrite: bool = False,
             skip_bad_samples: bool = False, math: str = "bf16", progress: ProgressLike = "auto",
             cancel: Optional[Cancel] = None) -> QuantizeResult:
    """Quantizes a model's directory into another, which appears complete or not at all.

    recipe: a preset's name or a file; "default" is W8A8 with GPTQ. calibration: a samples file (docs/samples.md); or
    pictures: a folder of them, each asked about with picture_prompt. max_samples: 0 takes all. overwrite: replaces an
    output that octavo wrote, and no other. skip_bad_samples: leaves samples out that cannot be used, and lists them.
    math: "bf16", or "f32", of calibration's products of floats; f32 takes two to four times as long where the processor
    multiplies bf16. progress: see ProgressLike.

    Raises ExistsError, FormatError and others; CancelledError when `cancel` or the progress function ended it.
    """
    options, document = sized(_abi.octavo_quantize_options), ctypes.c_void_p()
    options.recipe, options.calibration, options.max_samples = _path(recipe), _path(calibration), max_samples
    options.pictures, options.picture_prompt = _path(pictures), _text(picture_prompt)
    options.overwrite, options.skip_bad_samples = overwrite, skip_bad_samples
    options.math = math_number(math)
    run_job(options, lambda given: int(lib.octavo_quantize(os.fsencode(model), os.fsencode(out), given,
                                                        ctypes.byref(document))), "quantize", progress, cancel)
    report = taken_document(document)
    return QuantizeResult(Path(out), report["layers"], report["warnings"], report)


def verify(original: PathLike, quantized: PathLike, *, samples: Optional[PathLike] = None,
           pictures: Optional[PathLike] = None, picture_prompt: Optional[str] = None, max_samples: int = 0,
           max_new_tokens: int = 0, profile: Optional[PathLike] = None, run_all: bool = False,
           skip_bad_samples: bool = False, boxes: str = "model", math: Optional[str] = None,
           vision_math: Optional[str] = None, language_math: Optional[str] = None, lm_head: str = "stored",
           cache_dtype: str = "f32", report: Optional[PathLike] = None, progress: ProgressLike = "auto",
           cancel: Optional[Cancel] = None) -> VerifyResult:
    """Whether the quantized model still answers like the original, step by step; stops with a diagnosis at the first
    step that fails. A failed verification is a result, and raises nothing.

    samples: held-out samples with answers (docs/samples.md), or pictures and picture_prompt; without either the prompts
    are built in, and the evaluation is left out. profile: "strict", "default", "lenient" or a file. run_all: goes on
    after a failed step. boxes: "model" or "original", what boxes in the expected answers are in. math, vision_math,
    language_math, lm_head, cache_dtype: how the quantized model is run, as for Model and generate.
    report: path of an HTML page, which a notebook shows for the result, with the comparison and the attribution on top;
    the same as JSON is written beside it.
    """
    options, passed = sized(_abi.octavo_verify_options), ctypes.c_int32()
    options.samples, options.max_samples, options.max_new_tokens = _path(samples), max_samples, max_new_tokens
    options.pictures, options.picture_prompt = _path(pictures), _text(picture_prompt)
    options.profile, options.run_all, options.skip_bad_samples = _path(profile), run_all, skip_bad_samples
    options.boxes, options.cache_dtype = boxes_number(boxes), dtype_number(cache_dtype)
    how = model_options(math, vision_math, language_math, lm_head)
    options.model = ctypes.pointer(how)
    first, second = os.fsencode(original), os.fsencode(quantized)
    if report is None:
        out = ctypes.c_void_p()
        run_job(options, lambda given: int(lib.octavo_verify(first, second, given, ctypes.byref(passed),
                                                          ctypes.byref(out))), "verify", progress, cancel)
        document, page = taken_document(out), None
    else:
        page = Path(report)
        run_job(options, lambda given: int(lib.octavo_report(first, second, given, os.fsencode(page),
                                                          ctypes.byref(passed))), "verify", progress, cancel)
        document = json.loads(page.with_suffix(".json").read_text(encoding="utf-8"))["verify"]
    return VerifyResult(bool(passed.value), document["verdict"], document["failures"], document["diagnosis"], document,
                        page)


def compare(original: PathLike, quantized: PathLike, *, values: bool = True, progress: ProgressLike = "auto",
            cancel: Optional[Cancel] = None) -> CompareResult:
    """Compares a quantized model with its original: shapes, types, config, files, and, unless `values` is False, weights."""
    options, wrong, out = sized(_abi.octavo_compare_options), ctypes.c_int32(), ctypes.c_void_p()
    options.skip_values = not values
    run_job(options, lambda given: int(lib.octavo_compare(os.fsencode(original), os.fsencode(quantized), given,
                                                       ctypes.byref(wrong), ctypes.byref(out))),
         "compare", progress, cancel)
    document = taken_document(out)
    return CompareResult(document["ok"], wrong.value, document["differences"], document)


_SUGGESTIONS = {_abi.OCTAVO_SUGGESTION_NOT_NEEDED: "not_needed", _abi.OCTAVO_SUGGESTION_FOUND: "found",
                _abi.OCTAVO_SUGGESTION_OUT_OF_REACH: "out_of_reach"}


def attribute(original: PathLike, quantized: PathLike, *, samples: Optional[PathLike] = None,
              pictures: Optional[PathLike] = None, picture_prompt: Optional[str] = None, max_samples: int = 0,
              max_new_tokens: int = 0, profile: Optional[PathLike] = None, exact: bool = False, suggest: bool = True,
              skip_bad_samples: bool = False, boxes: str = "model", progress: ProgressLike = "auto",
              cancel: Optional[Cancel] = None) -> AttributeResult:
    """Which module groups cost a quantized model its quality, and the cheapest ones to keep in W8A16 so that the
    profile's thresholds hold (docs/attribution.md).

    samples, or pictures and picture_prompt: required. exact: measures every group end to end. suggest: looks for a recipe.
    """
    options, suggestion = sized(_abi.octavo_attribute_options), ctypes.c_int32()
    recipe, out = ctypes.c_void_p(), ctypes.c_void_p()
    options.samples, options.max_samples, options.max_new_tokens = _path(samples), max_samples, max_new_tokens
    options.pictures, options.picture_prompt = _path(pictures), _text(picture_prompt)
    options.profile, options.exact, options.no_suggestion = _path(profile), exact, not suggest
    options.skip_bad_samples, options.boxes = skip_bad_samples, boxes_number(boxes)
    run_job(options, lambda given: int(lib.octavo_attribute(os.fsencode(original), os.fsencode(quantized), given,
                                                         ctypes.byref(suggestion), ctypes.byref(recipe),
                                                         ctypes.byref(out))), "attribute", progress, cancel)
    document = taken_document(out)
    return AttributeResult(_SUGGESTIONS[suggestion.value], taken_string(recipe.value) or None, document["groups"],
                           document)
