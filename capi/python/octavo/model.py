"""A model and its answers."""
from __future__ import annotations

import ctypes
import os
from typing import TYPE_CHECKING, Any, Callable, Literal, Optional, Sequence, Union, overload

from . import _abi
from ._handle import Handle, Owned, taken_string
from ._job import Cancel, Emit, Event, run
from ._library import lib
from ._options import model_options
from .errors import check
from .generation import Generation, GenerateSettings, Stream, Token, generate_options, generation, result_struct
from .tensor import Tensor

if TYPE_CHECKING:
    from typing_extensions import Unpack

PathLike = Union[str, "os.PathLike[str]"]


def _paths(images: Sequence[PathLike]) -> Any:
    return (ctypes.c_char_p * len(images))(*(os.fsencode(image) for image in images))


class Model(Handle):
    """An opened model: a directory in the form of Hugging Face, as it was or quantized. Threads may share it."""

    def __init__(self, directory: PathLike, *, math: Optional[str] = None, vision_math: Optional[str] = None,
                 language_math: Optional[str] = None, lm_head: str = "stored") -> None:
        """Opens a directory.

        math: what products of floats round their factors to, "f32" (the default) or "bf16", which is faster where the
        processor multiplies bf16 (docs/model.md); vision_math and language_math: the same of one tower. lm_head: "stored",
        or "int8" for a copy in int8 that is made now.
        """
        handle = ctypes.c_void_p()
        options = model_options(math, vision_math, language_math, lm_head)
        check(lib.octavo_model_open_with(os.fsencode(directory), ctypes.byref(options), ctypes.byref(handle)))
        self._owned = Owned.of(handle, lib.octavo_model_release)
        self.directory = os.fspath(directory)

    def __repr__(self) -> str:
        return f"octavo.Model({self.directory!r})"

    @property
    def notes(self) -> list[str]:
        """What the model's files ask for and Octavo does not do."""
        out = ctypes.c_void_p()
        check(lib.octavo_model_notes(self._handle, ctypes.byref(out)))
        return taken_string(out.value).splitlines()

    @overload
    def generate(self, prompt: str, images: Sequence[PathLike] = (), *, stream: Literal[False] = False,
                 on_token: Optional[Callable[[Token], object]] = None, cancel: Optional[Cancel] = None,
                 **settings: Unpack[GenerateSettings]) -> Generation: ...

    @overload
    def generate(self, prompt: str, images: Sequence[PathLike] = (), *, stream: Literal[True], on_token: None = None,
                 cancel: Optional[Cancel] = None, **settings: Unpack[GenerateSettings]) -> Stream: ...

    def generate(self, prompt: str, images: Sequence[PathLike] = (), *, stream: bool = False,
                 on_token: Optional[Callable[[Token], object]] = None, cancel: Optional[Cancel] = None,
                 **settings: Unpack[GenerateSettings]) -> Union[Generation, Stream]:
        """Answers a user's message: pictures, then the text.

        stream: returns a Stream at once, whose pieces come as they are made. on_token: called per token, on this thread;
        False ends the answer. cancel: ends it from elsewhere, finish_reason is then "cancelled". Ctrl-C ends it, too, and
        raises KeyboardInterrupt. settings: GenerateSettings.

        The GIL is released while the model runs.
        """
        token = cancel or Cancel()
        options, paths, owned = generate_options(settings, token), _paths(images), self._handle

        def work(emit: Optional[Callable[[int, str], int]]) -> Generation:
            tokens: list[int] = []

            def on_each(number: int, text: bytes, user_data: object) -> int:
                tokens.append(number)
                return emit(number, text.decode(errors="replace")) if emit is not None else 0

            if options.boxes == _abi.OCTAVO_BOXES_MODEL:
                options.on_token = _abi.octavo_token_fn(on_each)
            result = result_struct(len(images))
            check(lib.octavo_generate(owned, prompt.encode(), paths, len(images), ctypes.byref(options),
                                      ctypes.byref(result)))
            return generation(result, tokens)

        if stream:
            return Stream(work, token)

        def handle(event: Event) -> object:
            return on_token(Token(*event)) if on_token is not None else None

        def beside(emit: Emit) -> Generation:
            return work((lambda number, text: emit((number, text))) if on_token is not None else None)

        return run(beside, token, handle)

    def generate_batch(self, prompts: Sequence[str], images: Sequence[Sequence[PathLike]] = (), *,
                       cancel: Optional[Cancel] = None, **settings: Unpack[GenerateSettings]) -> list[Generation]:
        """Answers several messages at once, each as `generate` would: each weight is read once per step for all of them.

        images: of each prompt, or none at all.
        """
        if images and len(images) != len(prompts):
            raise ValueError(f"images are of {len(images)} prompts, prompts are {len(prompts)}")
        token, count = cancel or Cancel(), len(prompts)
        options, owned = generate_options(settings, token), self._handle
        texts = (ctypes.c_char_p * count)(*(prompt.encode() for prompt in prompts))
        pictures = [_paths(of_one) for of_one in images] or [_paths(())] * count
        paths = (ctypes.POINTER(ctypes.c_char_p) * count)(
            *(ctypes.cast(of_one, ctypes.POINTER(ctypes.c_char_p)) for of_one in pictures))
        counts = (ctypes.c_size_t * count)(*(len(of_one) for of_one in pictures))
        room = [result_struct(len(of_one)) for of_one in pictures]
        results = (_abi.octavo_generate_result * count)(*room)

        def work(emit: Emit) -> list[Generation]:
            check(lib.octavo_generate_batch(owned, texts, paths, counts, count, ctypes.byref(options), results))
            return [generation(result, ()) for result in results]

        return run(work, token)

    def logits(self, prompt: str, images: Sequence[PathLike] = ()) -> Tensor:
        """Logits of every position of the same prompt, uncached: f32 [positions, vocab_size]."""
        out, owned, token = ctypes.c_void_p(), self._handle, Cancel()

        def work(emit: Emit) -> None:
            check(lib.octavo_model_logits(owned, prompt.encode(), _paths(images), len(images), ctypes.byref(out)))

        run(work, token)
        return Tensor._taken(out)
