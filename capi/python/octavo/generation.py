"""An answer: as a whole, or as it comes."""
from __future__ import annotations

import ctypes
import queue
import threading
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Callable, Iterator, Optional, Sequence

from . import _abi
from ._handle import sized, taken_string
from ._job import Cancel
from ._library import lib
from ._options import boxes_number, choice
from .errors import check
from .tensor import dtype_number

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
class Token:
    """A token of an answer, and the text that became complete with it, which may be empty."""

    id: int
    text: str


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

    def __str__(self) -> str:
        return self.text


_FINISH = {_abi.OCTAVO_FINISH_STOP: "stop", _abi.OCTAVO_FINISH_LENGTH: "length",
           _abi.OCTAVO_FINISH_CANCELLED: "cancelled"}
