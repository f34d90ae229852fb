"""Words of the Python interface as numbers of the C interface."""
from __future__ import annotations

from typing import Any, Mapping, Optional

from . import _abi
from ._handle import sized

_MATH = {"f32": _abi.OCTAVO_MATH_F32, "bf16": _abi.OCTAVO_MATH_BF16}
_LM_HEAD = {"stored": _abi.OCTAVO_LM_HEAD_STORED, "int8": _abi.OCTAVO_LM_HEAD_INT8}
_BOXES = {"model": _abi.OCTAVO_BOXES_MODEL, "original": _abi.OCTAVO_BOXES_ORIGINAL}


def choice(name: str, value: str, known: Mapping[str, int]) -> int:
    """The number of a word; ValueError lists the known ones."""
    if value not in known:
        raise ValueError(f"{name} is {value!r}, known are {', '.join(known)}")
    return known[value]


def boxes_number(boxes: str) -> int:
    """OCTAVO_BOXES_* of "model" or "original"."""
    return choice("boxes", boxes, _BOXES)


def math_number(math: str) -> int:
    """OCTAVO_MATH_* of "f32" or "bf16"."""
    return choice("math", math, _MATH)


def model_options(math: Optional[str], vision_math: Optional[str], language_math: Optional[str], lm_head: str) -> Any:
    """octavo_model_options: `math` is of both towers, unless one has its own."""
    options = sized(_abi.octavo_model_options)
    vision, language = vision_math or math, language_math or math
    if vision is not None:
        options.vision_math = choice("vision_math" if vision_math else "math", vision, _MATH)
    if language is not None:
        options.language_math = choice("language_math" if language_math else "math", language, _MATH)
    options.lm_head = choice("lm_head", lm_head, _LM_HEAD)
    return options
