"""Answers."""
from __future__ import annotations

import ctypes
from dataclasses import dataclass, field
from typing import Any, Optional

from . import _abi
from ._handle import sized
from ._library import lib
from .errors import check

#: x1, y1, x2, y2: the left, upper, right and lower edge, in pixels.
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Picture:
    """A picture of the prompt, in pixels."""

    width: int  #: as the model saw it, after resizing: what its boxes are in
    height: int
    original_width: int  #: its own
    original_height: int


@dataclass(frozen=True)
class TokenLogProb:
    """A token, and the natural logarithm of the probability that the model gives it, before bias, penalties and filters."""

    id: int
    log_prob: float


@dataclass(frozen=True)
class Token:
    """A token of an answer, as soon as it is chosen."""

    id: int
    text: str  #: what became complete with it, may be empty
    sequence: int = 0  #: of a batch
    log_prob: Optional[float] = None  #: where log_probs asked for it
    top: tuple[TokenLogProb, ...] = ()  #: the likeliest ones, where top_log_probs asked for them


@dataclass(frozen=True)
class Generation:
    """An answer."""

    text: str
    tokens: list[int] = field(repr=False)  #: ids, the stop token included
    boxes: list[Box]  #: in the text, in the pixels that were asked for; of the forms that include/octavo/boxes.hpp lists
    finish_reason: str  #: "stop", "length" or "cancelled"
    prompt_tokens: int  #: image tokens included
    new_tokens: int
    prefill_seconds: float  #: vision and prompt
    decode_seconds: float
    pictures: list[Picture] = field(repr=False)
    reused_tokens: int = field(default=0, repr=False)  #: of the prompt, which came from the prefix cache
    drafted_tokens: int = field(default=0, repr=False)  #: that prompt lookup guessed
    accepted_tokens: int = field(default=0, repr=False)  #: of them, those that the answer holds
    log_probs: Optional[list[float]] = field(default=None, repr=False)  #: of `tokens`, where they were asked for
    top_log_probs: Optional[list[list[TokenLogProb]]] = field(default=None, repr=False)

    def __str__(self) -> str:
        return self.text


_FINISH = {_abi.OCTAVO_FINISH_STOP: "stop", _abi.OCTAVO_FINISH_LENGTH: "length",
           _abi.OCTAVO_FINISH_CANCELLED: "cancelled"}


def boxes_in(text: str) -> list[Box]:
    """The boxes of an answer, in their order: `"bbox_2d": [x1, y1, x2, y2]`, four numbers in brackets, or four alone."""
    count = ctypes.c_size_t()
    check(lib.octavo_boxes_in(text.encode(), None, 0, ctypes.byref(count)))
    boxes = (_abi.octavo_box * count.value)()
    check(lib.octavo_boxes_in(text.encode(), boxes, count.value, ctypes.byref(count)))
    return [(box.x1, box.y1, box.x2, box.y2) for box in boxes]


def result_struct(picture_count: int) -> Any:
    """octavo_generate_result with room for the prompt's pictures."""
    result = sized(_abi.octavo_generate_result)
    result.pictures = (_abi.octavo_picture_size * picture_count)()
    result.picture_capacity = picture_count
    return result


def generation(result: Any) -> Generation:
    """An answer from the C interface's struct, which is released."""
    try:
        text = ctypes.string_at(result.text, result.text_size).decode(errors="replace") if result.text else ""
        count, width = result.new_tokens, result.top_count
        pictures = [Picture(size.width, size.height, size.original_width, size.original_height)
                    for size in result.pictures[:min(result.picture_count, result.picture_capacity)]]
        top = [[TokenLogProb(best.id, best.log_prob) for best in result.top_log_probs[row * width:(row + 1) * width]]
               for row in range(count)] if result.top_log_probs else None
        return Generation(text, result.tokens[:count], boxes_in(text), _FINISH[result.finish_reason],
                          result.prompt_tokens, count, result.prefill_seconds, result.decode_seconds, pictures,
                          result.reused_tokens, result.drafted_tokens, result.accepted_tokens,
                          result.log_probs[:count] if result.log_probs else None, top)
    finally:
        lib.octavo_generate_result_release(ctypes.byref(result))
