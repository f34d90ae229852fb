"""An answer: as a whole, or as it comes."""
from __future__ import annotations

import ctypes
import queue
import threading
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Callable, Iterator, Optional, Sequence, TypedDict

from . import _abi
from ._handle import Handle, Owned, sized, taken_string
from ._job import Cancel
from ._library import lib
from ._options import boxes_number, choice
from .errors import check
from .form import OutputForm
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


def boxes_in(text: str) -> list[Box]:
    """The boxes of an answer, in their order: `"bbox_2d": [x1, y1, x2, y2]`, four numbers in brackets, or four alone."""
    count = ctypes.c_size_t()
    check(lib.octavo_boxes_in(text.encode(), None, 0, ctypes.byref(count)))
    boxes = (_abi.octavo_box * count.value)()
    check(lib.octavo_boxes_in(text.encode(), boxes, count.value, ctypes.byref(count)))
    return [(box.x1, box.y1, box.x2, box.y2) for box in boxes]


class PrefixCache(Handle):
    """Keys and values of past prompts and answers, and rows of past pictures, so that prompts that begin alike are read
    once. Answers are the same as without. Threads and models may share it."""

    def __init__(self, kv_bytes: int = 0, image_bytes: int = 0) -> None:
        """Holds at most so many bytes; 0 means 1 GiB and 256 MiB."""
        handle = ctypes.c_void_p()
        check(lib.octavo_prefix_cache_create(kv_bytes, image_bytes, ctypes.byref(handle)))
        self._owned = Owned.of(handle, lib.octavo_prefix_cache_release)


class GenerateSettings(TypedDict, total=False):
    """How an answer is made. What is left out is as the model's generation_config.json says, or Octavo's default."""

    max_new_tokens: int
    temperature: float  #: 0: the likeliest token each time; above: sampled. Left out: as the model's files say
    top_p: float  #: this and the next three need a temperature above 0
    top_k: int
    seed: int
    repetition_penalty: float  #: needs a temperature
    boxes: str  #: what boxes in the answer are in: "model", the pictures as the model saw them; or "original"
    use_cache: bool
    cache_dtype: str  #: of keys and values: "f32", "bf16" or "s8"; less memory, answers may differ
    prefix_cache: PrefixCache  #: what earlier calls read is taken from there
    prefill_chunk: int  #: tokens of a prompt that are read at a time; 0: all
    lookup_draft: int  #: speculation by prompt lookup, the same answer: tokens guessed at a time, 1 to 7
    lookup_ngram: int
    form: OutputForm  #: what the answer must look like
    control_tokens_as_text: bool  #: "<|im_end|>" and its like in a prompt are text


_NEED_SAMPLING = ("top_p", "top_k", "seed")


def generate_options(settings: GenerateSettings, cancel: Cancel) -> Any:
    """octavo_generate_options without callbacks. Holds none of the settings: keep them for the call."""
    for name in settings.keys() - GenerateSettings.__annotations__.keys():
        raise TypeError(f"{name} is no setting, known are {', '.join(GenerateSettings.__annotations__)}")
    options = sized(_abi.octavo_generate_options)
    check(lib.octavo_generate_options_init(ctypes.byref(options)))
    options.cancel = cancel._handle.address
    for name in ("max_new_tokens", "top_p", "repetition_penalty"):
        value = settings.get(name)
        if isinstance(value, (int, float)):
            if not value > 0:
                raise ValueError(f"{name} is {value}, need more than 0")
            setattr(options, name, value)
    temperature = settings.get("temperature")
    for name in _NEED_SAMPLING if not temperature else ():
        if name in settings:
            raise ValueError(f"{name} needs a temperature above 0")
    if temperature is None:
        if "repetition_penalty" in settings:
            raise ValueError("repetition_penalty needs a temperature; 0 is greedy")
    else:
        options.sampling = _abi.OCTAVO_SAMPLING_ON if temperature else _abi.OCTAVO_SAMPLING_GREEDY
        options.temperature = temperature
        options.top_k, options.seed = settings.get("top_k", options.top_k), settings.get("seed", 0)
    options.cache_mode = _abi.OCTAVO_CACHE_ON if settings.get("use_cache", True) else _abi.OCTAVO_CACHE_OFF
    options.boxes = boxes_number(settings.get("boxes", "model"))
    options.cache_dtype = dtype_number(settings.get("cache_dtype", "f32"))
    if "prefill_chunk" in settings:
        options.prefill_chunk = settings["prefill_chunk"] or _abi.OCTAVO_PREFILL_WHOLE
    options.lookup_draft, options.lookup_ngram = settings.get("lookup_draft", 0), settings.get("lookup_ngram", 0)
    options.control_tokens_as_text = settings.get("control_tokens_as_text", False)
    if "prefix_cache" in settings:
        options.prefix_cache = settings["prefix_cache"]._handle.address
    if "form" in settings:
        options.form = settings["form"]._handle.address
    return options


def result_struct(picture_count: int) -> Any:
    """octavo_generate_result with room for the prompt's pictures."""
    result = sized(_abi.octavo_generate_result)
    result.pictures = (_abi.octavo_picture_size * picture_count)()
    result.picture_capacity = picture_count
    return result


def generation(result: Any, tokens: Sequence[int]) -> Generation:
    """An answer from the C interface's struct, whose text is released."""
    text = taken_string(result.text)
    pictures = [Picture(size.width, size.height, size.original_width, size.original_height)
                for size in result.pictures[:result.picture_count]]
    return Generation(text, list(tokens), boxes_in(text), _FINISH[result.finish_reason], result.prompt_tokens,
                      result.new_tokens, result.prefill_seconds, result.decode_seconds, pictures, result.reused_tokens,
                      result.drafted_tokens, result.accepted_tokens)


class Stream:
    """An answer as it comes: iterating gives the pieces of its text.

    The answer is made by a thread of its own, which does not wait for the reader. `close`, leaving a `with` block, or
    dropping the stream ends the generation.
    """

    _cancel: Optional[Cancel] = None

    def __init__(self, work: Callable[[Callable[[int, str], int]], Generation], cancel: Cancel) -> None:
        self._pieces: queue.SimpleQueue[Optional[Token]] = queue.SimpleQueue()
        self._outcome: list[Generation] = []
        self._failed: list[BaseException] = []
        self._cancel = cancel
        self._ended = False
        # The thread holds none of self, so that a stream that nobody reads any more ends it.
        pieces, outcome, failed = self._pieces, self._outcome, self._failed

        def emit(token: int, text: str) -> int:
            pieces.put(Token(token, text))
            return 0

        def body() -> None:
            try:
                outcome.append(work(emit))
            except BaseException as error:
                failed.append(error)
            finally:
                pieces.put(None)

        self._thread = threading.Thread(target=body, name="octavo stream")
        self._thread.start()

    def tokens(self) -> Iterator[Token]:
        """The same token by token, with their ids."""
        while not self._ended:
            try:
                token = self._pieces.get()
            except BaseException:  # Ctrl-C while waiting
                self.close()
                raise
            if token is None:
                self._ended = True
                if self._failed:
                    raise self._failed[0]
                return
            yield token

    def __iter__(self) -> Iterator[str]:
        return (token.text for token in self.tokens() if token.text)

    @property
    def result(self) -> Generation:
        """The whole answer, once it has been read to its end; reads what is left."""
        for _ in self.tokens():
            pass
        if self._failed:
            raise self._failed[0]
        return self._outcome[0]

    def close(self) -> None:
        """Ends the generation and waits for that; `result` then holds what there was."""
        if self._cancel is not None:
            self._cancel.request()
        self._thread.join()
        self._ended = True

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, kind: Optional[type[BaseException]], value: Optional[BaseException],
                 traceback: Optional[TracebackType]) -> None:
        self.close()

    def __del__(self) -> None:
        if self._cancel is not None:
            self._cancel.request()
