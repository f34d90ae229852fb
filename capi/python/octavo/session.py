"""Sessions: several turns on one cache; and batches that sequences join and leave."""
from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, Literal, Optional, Sequence, Union, overload

from . import _abi
from ._handle import Handle, Owned, sized, taken_bytes
from ._job import Cancel, Emit, run
from ._library import lib
from .errors import Error, check, error_of
from .generation import Generation, Token, generation, result_struct
from .pictures import ImageLike
from .prompt import Prompt, PromptLike
from .settings import Callbacks, GenerateSettings, callbacks, generate_options, handler, set_callbacks
from .stream import Stream, answer
from .tensor import Tensor, dtype_number

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .model import Model


class Session(Handle):
    """A conversation's state: its tokens, and their keys and values, each read once. One thread at a time.

        session, messages = octavo.Session(model), []
        for question in questions:
            messages.append({"role": "user", "content": question})
            session.continue_with(messages)             # reads what is new
            messages.append({"role": "assistant", "content": session.generate().text})
    """

    def __init__(self, model: Model, *, capacity: int = 0, cache_dtype: str = "f32",
                 prefill_chunk: Optional[int] = None) -> None:
        """capacity: tokens that it can hold, as many as the model takes where it is 0. cache_dtype, prefill_chunk: as in
        GenerateSettings."""
        handle, options = ctypes.c_void_p(), sized(_abi.octavo_session_options)
        options.capacity, options.cache_dtype = capacity, dtype_number(cache_dtype)
        if prefill_chunk is not None:
            options.prefill_chunk = prefill_chunk or _abi.OCTAVO_PREFILL_WHOLE
        check(lib.octavo_session_create(model._handle, ctypes.byref(options), ctypes.byref(handle)))
        self._keep(model, handle)

    def _keep(self, model: Model, handle: ctypes.c_void_p) -> None:
        self._owned, self.model = Owned.of(handle, lib.octavo_session_release), model

    @classmethod
    def _of(cls, model: Model, handle: ctypes.c_void_p) -> Session:
        session = cls.__new__(cls)
        session._keep(model, handle)
        return session

    def feed(self, prompt: Union[PromptLike, Sequence[int]], images: Sequence[ImageLike] = (), *,
             cancel: Optional[Cancel] = None) -> None:
        """Reads a prompt, or token ids, behind what it holds. If that fails, or is cancelled, the session is as before."""
        if not isinstance(prompt, (str, Prompt)) and all(isinstance(id, int) for id in prompt):
            prompt = Prompt.from_ids([id for id in prompt if isinstance(id, int)])
        asked = Prompt.of(self.model, prompt, images)  # type: ignore[arg-type]  # ids have become a Prompt
        run(lambda emit: check(lib.octavo_session_feed(self._handle, asked._handle)), cancel or Cancel())

    def continue_with(self, messages: PromptLike, images: Sequence[ImageLike] = (), *,
                      cancel: Optional[Cancel] = None) -> int:
        """Makes a conversation, from its beginning, what the session holds, and reads as little as that takes. Returns how
        many tokens were not read again. If it fails, or is cancelled, the session is as before, or holds the beginning
        that the two have in common."""
        asked, reused = Prompt.of(self.model, messages, images), ctypes.c_int64()
        run(lambda emit: check(lib.octavo_session_continue(self._handle, asked._handle, ctypes.byref(reused))),
            cancel or Cancel())
        return reused.value

    @overload
    def generate(self, *, stream: Literal[False] = False, on_token: Optional[Callable[[Token], object]] = None,
                 cancel: Optional[Cancel] = None, **settings: Unpack[GenerateSettings]) -> Generation: ...

    @overload
    def generate(self, *, stream: Literal[True], on_token: None = None, cancel: Optional[Cancel] = None,
                 **settings: Unpack[GenerateSettings]) -> Stream: ...

    def generate(self, *, stream: bool = False, on_token: Optional[Callable[[Token], object]] = None,
                 cancel: Optional[Cancel] = None, **settings: Unpack[GenerateSettings]) -> Union[Generation, Stream]:
        """An answer from here on, whose tokens become part of the session; else as Model.generate. The cache is the
        session's. Ended early, the session holds the answer so far."""
        token = cancel or Cancel()
        options, owned = generate_options(settings, token), self._handle

        def work(answering: Callbacks) -> Generation:
            set_callbacks(options, answering)
            result = result_struct(len(self))  # as many pictures as tokens, at most
            check(lib.octavo_session_generate(owned, ctypes.byref(options), ctypes.byref(result)))
            return generation(result)

        return answer(work, stream, on_token, settings.get("on_logits"), token)

    def logits(self, *, cancel: Optional[Cancel] = None) -> Tensor:
        """f32 [vocab_size] of the last token, a copy."""
        values, count = ctypes.POINTER(ctypes.c_float)(), ctypes.c_size_t()
        run(lambda emit: check(lib.octavo_session_logits(self._handle, ctypes.byref(values), ctypes.byref(count))),
            cancel or Cancel())
        copy = Tensor.zeros((count.value,))
        ctypes.memmove(copy._memory()[0], values, 4 * count.value)
        return copy

    @property
    def tokens(self) -> list[int]:
        """What was fed and generated."""
        ids, count = ctypes.POINTER(ctypes.c_int32)(), ctypes.c_size_t()
        check(lib.octavo_session_tokens(self._handle, ctypes.byref(ids), ctypes.byref(count)))
        return ids[:count.value]

    def __len__(self) -> int:
        count = ctypes.c_size_t()
        check(lib.octavo_session_tokens(self._handle, None, ctypes.byref(count)))
        return count.value

    def truncate(self, past: int) -> None:
        """Forgets all but the first `past` tokens; not inside a picture."""
        check(lib.octavo_session_truncate(self._handle, past))

    def reset(self) -> None:
        """Holds nothing then; keeps its memory."""
        check(lib.octavo_session_reset(self._handle))

    def fork(self) -> Session:
        """An independent session that goes on from the same tokens."""
        handle = ctypes.c_void_p()
        check(lib.octavo_session_fork(self._handle, ctypes.byref(handle)))
        return self._of(self.model, handle)

    def save(self, path: Union[str, "os.PathLike[str]"]) -> None:
        """To a file, which is complete or as before."""
        run(lambda emit: check(lib.octavo_session_save(self._handle, os.fsencode(path))), Cancel())

    @classmethod
    def restore(cls, model: Model, path: Union[str, "os.PathLike[str]"], *, capacity: int = 0) -> Session:
        """A session that goes on bit for bit as the saved one would have; refused by another model. capacity 0: the one
        that it had."""
        handle = ctypes.c_void_p()
        run(lambda emit: check(lib.octavo_session_restore(model._handle, os.fsencode(path), capacity, ctypes.byref(handle))), Cancel())
        return cls._of(model, handle)

    def to_bytes(self) -> bytes:
        """What `save` writes."""
        out, size = ctypes.c_void_p(), ctypes.c_size_t()
        run(lambda emit: check(lib.octavo_session_to_bytes(self._handle, ctypes.byref(out), ctypes.byref(size))), Cancel())
        return taken_bytes(out.value, size.value)

    @classmethod
    def from_bytes(cls, model: Model, data: bytes, *, capacity: int = 0) -> Session:
        """The same as `restore`, of what `to_bytes` gave."""
        handle = ctypes.c_void_p()
        run(lambda emit: check(lib.octavo_session_from_bytes(model._handle, data, len(data), capacity, ctypes.byref(handle))), Cancel())
        return cls._of(model, handle)


@dataclass(frozen=True)
class Finished:
    """A sequence of a batch that has ended."""

    sequence: int
    result: Generation  #: with what there was until then
    error: Optional[Error]  #: what ended it, where something went wrong


class Batch(Handle):
    """Sequences that are generated together, each from when it joins to when it finishes or leaves: what a server needs.
    Each gets the tokens that Model.generate gives it alone. One thread at a time.

        batch = octavo.Batch(model)
        names = {batch.join(question): question for question in questions}
        while len(batch):
            for done in batch.step():
                print(names[done.sequence], done.error or done.result.text)
    """

    def __init__(self, model: Model, *, max_sequences: int = 0, prompt_tokens: int = 0) -> None:
        """max_sequences: that run at once, the others wait; 0 means 8. prompt_tokens: of prompts that one step reads at
        most, while others go on; 0 means 256."""
        handle, options = ctypes.c_void_p(), sized(_abi.octavo_batch_options)
        options.max_sequences, options.prompt_tokens = max_sequences, prompt_tokens
        check(lib.octavo_batch_create(model._handle, ctypes.byref(options), ctypes.byref(handle)))
        self._owned, self.model = Owned.of(handle, lib.octavo_batch_release), model
        self._running: dict[int, tuple[Any, int]] = {}  # the options, for their callbacks; pictures
        self._emit: Emit = lambda event: 0

    def join(self, prompt: PromptLike, images: Sequence[ImageLike] = (), *,
             on_token: Optional[Callable[[Token], object]] = None, cancel: Optional[Cancel] = None,
             **settings: Unpack[GenerateSettings]) -> int:
        """Joins from the next step on. Returns the sequence's number, which its tokens bear. on_token: called by `step`;
        False ends the sequence."""
        asked, number = Prompt.of(self.model, prompt, images), ctypes.c_uint64()
        options = generate_options(settings, cancel or Cancel())
        set_callbacks(options, callbacks(lambda event: self._emit(event), on_token, settings.get("on_logits")))
        check(lib.octavo_batch_join(self._handle, asked._handle, ctypes.byref(options), ctypes.byref(number)))
        self._running[number.value] = options, asked.picture_count
        return number.value

    def leave(self, sequence: int) -> None:
        """Ends a sequence without a result; NotFoundError when it has finished or left."""
        check(lib.octavo_batch_leave(self._handle, sequence))
        del self._running[sequence]

    def step(self) -> list[Finished]:
        """A token for each that runs, or more of its prompt. Returns those that have finished with it."""
        owned = self._handle

        def work(emit: Emit) -> None:
            self._emit = emit
            check(lib.octavo_batch_step(owned, None))

        run(work, Cancel(), handler)
        finished = []
        while (done := self._take(owned)) is not None:
            finished.append(done)
        return finished

    def _take(self, owned: Owned) -> Optional[Finished]:
        number, status, message = ctypes.c_uint64(), ctypes.c_int32(), ctypes.c_char_p()
        result = result_struct(max((pictures for _, pictures in self._running.values()), default=0))
        code = lib.octavo_batch_take(owned, ctypes.byref(number), ctypes.byref(status), ctypes.byref(message),
                                     ctypes.byref(result))
        if code == _abi.OCTAVO_NOT_FOUND:
            return None
        check(code)
        del self._running[number.value]
        failed = status.value != _abi.OCTAVO_OK
        return Finished(number.value, generation(result),
                        error_of(status.value, (message.value or b"").decode(errors="replace")) if failed else None)

    def __len__(self) -> int:
        """Sequences that have joined, and neither finished nor left."""
        size = ctypes.c_size_t()
        check(lib.octavo_batch_size(self._handle, ctypes.byref(size), None))
        return size.value
