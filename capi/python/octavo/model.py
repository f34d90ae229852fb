"""A model and its answers."""
from __future__ import annotations

import ctypes
import os
from typing import TYPE_CHECKING, Any, Callable, Literal, Mapping, Optional, Sequence, Union, overload

from . import _abi
from ._handle import Handle, Owned, taken_bytes, taken_document, taken_string
from ._job import Cancel, Emit, run
from ._library import lib
from ._options import choice, model_options
from ._progress import ProgressLike, run_job
from .errors import check
from .generation import Generation, Token, generation, result_struct
from .pictures import ImageLike
from .prompt import Message, Prompt, PromptLike, rendered
from .settings import Callbacks, GenerateSettings, callbacks, generate_options, handler, set_callbacks
from .stream import Stream, answer
from .tensor import Tensor

if TYPE_CHECKING:
    from typing_extensions import Unpack

PathLike = Union[str, "os.PathLike[str]"]
_POOLING = {"none": _abi.OCTAVO_POOLING_NONE, "mean": _abi.OCTAVO_POOLING_MEAN, "last": _abi.OCTAVO_POOLING_LAST}


class Model(Handle):
    """An opened model: a directory in the form of Hugging Face, as it was or quantized. Threads may share it."""

    def __init__(self, directory: PathLike, *, math: Optional[str] = None, vision_math: Optional[str] = None,
                 language_math: Optional[str] = None, lm_head: str = "stored", progress: ProgressLike = "auto",
                 cancel: Optional[Cancel] = None) -> None:
        """Opens a directory.

        math: what products of floats round their factors to, "f32" (the default) or "bf16", which is faster where the
        processor multiplies bf16 (docs/model.md); vision_math and language_math: the same of one tower. lm_head: "stored",
        or "int8" for a copy in int8 that is made now.
        """
        handle, path = ctypes.c_void_p(), os.fsencode(directory)
        run_job(model_options(math, vision_math, language_math, lm_head),
                lambda options: int(lib.octavo_model_open_with(path, options, ctypes.byref(handle))), "open", progress, cancel)
        self._owned = Owned.of(handle, lib.octavo_model_release)
        self.directory = os.fspath(directory)

    @classmethod
    def from_files(cls, files: Mapping[str, bytes], *, label: str = "memory", math: Optional[str] = None,
                   vision_math: Optional[str] = None, language_math: Optional[str] = None, lm_head: str = "stored") -> Model:
        """Of files in memory, by the names that they have in a directory. The bytes are not copied. label: stands in
        messages where a directory's path would."""
        given = (_abi.octavo_memory_file * len(files))(*(
            _abi.octavo_memory_file(name=name.encode(), data=ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p),
                                    size=len(data)) for name, data in files.items()))
        handle, options = ctypes.c_void_p(), model_options(math, vision_math, language_math, lm_head)
        check(lib.octavo_model_open_memory(label.encode(), given, len(files), ctypes.byref(options), ctypes.byref(handle)))
        model = cls.__new__(cls)
        model._owned, model.directory = Owned.of(handle, lib.octavo_model_release, keep=list(files.values())), label
        return model

    def describe(self) -> dict[str, Any]:
        """What the model is: sizes, special tokens, how its linears are stored, with their shape contracts."""
        out = ctypes.c_void_p()
        check(lib.octavo_model_describe(self._handle, ctypes.byref(out)))
        return taken_document(out)

    @property
    def config(self) -> dict[str, Any]:
        """config.json, as the model has it."""
        out = ctypes.c_void_p()
        check(lib.octavo_model_config(self._handle, ctypes.byref(out)))
        return taken_document(out)

    def __repr__(self) -> str:
        return f"octavo.Model({self.directory!r})"

    @property
    def notes(self) -> list[str]:
        """What the model's files ask for and Octavo does not do."""
        out = ctypes.c_void_p()
        check(lib.octavo_model_notes(self._handle, ctypes.byref(out)))
        return taken_string(out.value).splitlines()

    def prompt(self, prompt: PromptLike, images: Sequence[ImageLike] = (), *, control_tokens_as_text: bool = False,
               generation_prompt: bool = True, add_vision_id: bool = False) -> Prompt:
        """The token ids and pictures of messages, to ask more than once or to look at: see Prompt.of."""
        return Prompt.of(self, prompt, images, control_tokens_as_text=control_tokens_as_text,
                         generation_prompt=generation_prompt, add_vision_id=add_vision_id)

    @overload
    def generate(self, prompt: PromptLike, images: Sequence[ImageLike] = (), *, stream: Literal[False] = False,
                 on_token: Optional[Callable[[Token], object]] = None, cancel: Optional[Cancel] = None,
                 **settings: Unpack[GenerateSettings]) -> Generation: ...

    @overload
    def generate(self, prompt: PromptLike, images: Sequence[ImageLike] = (), *, stream: Literal[True],
                 on_token: None = None, cancel: Optional[Cancel] = None,
                 **settings: Unpack[GenerateSettings]) -> Stream: ...

    def generate(self, prompt: PromptLike, images: Sequence[ImageLike] = (), *, stream: bool = False,
                 on_token: Optional[Callable[[Token], object]] = None, cancel: Optional[Cancel] = None,
                 **settings: Unpack[GenerateSettings]) -> Union[Generation, Stream]:
        """Answers a text, messages, or a Prompt.

        images: what {"type": "image"} parts of the messages stand for, in order; without such parts, before the last
        user's text. stream: returns a Stream at once, whose pieces come as they are made. on_token: called per token, on
        this thread; False ends the answer. cancel: ends it from elsewhere, finish_reason is then "cancelled". Ctrl-C ends
        it, too, and raises KeyboardInterrupt. settings: GenerateSettings.

        The GIL is released while the model runs.
        """
        token = cancel or Cancel()
        options = generate_options(settings, token)

        def work(answering: Callbacks) -> Generation:
            asked = Prompt.of(self, prompt, images)
            set_callbacks(options, answering)
            result = result_struct(asked.picture_count)
            check(lib.octavo_generate_prompt(self._handle, asked._handle, ctypes.byref(options), ctypes.byref(result)))
            return generation(result)

        return answer(work, stream, on_token, settings.get("on_logits"), token)

    def generate_batch(self, prompts: Sequence[PromptLike], images: Sequence[Sequence[ImageLike]] = (), *,
                       on_token: Optional[Callable[[Token], object]] = None, cancel: Optional[Cancel] = None,
                       **settings: Unpack[GenerateSettings]) -> list[Generation]:
        """Answers several prompts at once, each as `generate` would: each weight is read once per step for all of them.

        images: of each prompt, or none at all. on_token: its token says which sequence it is of; False ends that one.
        """
        if images and len(images) != len(prompts):
            raise ValueError(f"images are of {len(images)} prompts, prompts are {len(prompts)}")
        token, hook, count = cancel or Cancel(), settings.get("on_logits"), len(prompts)
        options = generate_options(settings, token)

        def work(emit: Emit) -> list[Generation]:
            asked = [Prompt.of(self, prompt, of_one) for prompt, of_one in zip(prompts, images or [()] * count)]
            set_callbacks(options, callbacks(emit, on_token, hook))
            handles = (ctypes.c_void_p * count)(*(prompt._handle.address for prompt in asked))
            results = (_abi.octavo_generate_result * count)(*(result_struct(prompt.picture_count) for prompt in asked))
            check(lib.octavo_generate_prompts(self._handle, handles, count, ctypes.byref(options), results))
            return [generation(result) for result in results]

        return run(work, token, handler)

    def chat_text(self, messages: Union[str, Sequence[Message]], images: Sequence[ImageLike] = (), *,
                  generation_prompt: bool = True) -> str:
        """The text that the model's chat template makes of messages, each picture a single pad."""
        return rendered(self, messages, images, generation_prompt)

    def tokenize(self, text: str, *, control_tokens_as_text: bool = False) -> list[int]:
        """The ids of a text, without a chat template."""
        data, count = text.encode(), ctypes.c_size_t()
        check(lib.octavo_tokenize(self._handle, data, control_tokens_as_text, None, 0, ctypes.byref(count)))
        ids = (ctypes.c_int32 * count.value)()
        check(lib.octavo_tokenize(self._handle, data, control_tokens_as_text, ids, count.value, ctypes.byref(count)))
        return list(ids)

    def detokenize(self, ids: Sequence[int], *, skip_special: bool = True) -> str:
        """The text of ids; bytes that are no UTF-8 become U+FFFD."""
        out, size = ctypes.c_void_p(), ctypes.c_size_t()
        check(lib.octavo_detokenize(self._handle, (ctypes.c_int32 * len(ids))(*ids), len(ids), skip_special,
                                    ctypes.byref(out), ctypes.byref(size)))
        return taken_bytes(out.value, size.value).decode(errors="replace")

    def token_id(self, token: str) -> int:
        """The id of a token as the vocabulary spells it, "<|im_end|>" or "cat"; NotFoundError where there is none."""
        number = ctypes.c_int32()
        check(lib.octavo_token_id(self._handle, token.encode(), ctypes.byref(number)))
        return number.value

    def token_bytes(self, id: int) -> bytes:
        """The bytes that a token stands for, which may be a part of a character."""
        out, size = ctypes.c_void_p(), ctypes.c_size_t()
        check(lib.octavo_token_bytes(self._handle, id, ctypes.byref(out), ctypes.byref(size)))
        return taken_bytes(out.value, size.value)

    @property
    def vocab_size(self) -> int:
        """How many ids the model gives logits of."""
        size = ctypes.c_int64()
        check(lib.octavo_model_vocab_size(self._handle, ctypes.byref(size)))
        return size.value

    def logits(self, prompt: PromptLike, images: Sequence[ImageLike] = ()) -> Tensor:
        """Logits of every position, uncached: f32 [positions, vocab_size]."""
        asked, out = Prompt.of(self, prompt, images), ctypes.c_void_p()
        run(lambda emit: check(lib.octavo_model_logits_prompt(self._handle, asked._handle, ctypes.byref(out))), Cancel())
        return Tensor._taken(out)

    def encode_images(self, images: Sequence[ImageLike]) -> Tensor:
        """The rows of pictures as the language model reads them: f32 [image tokens, hidden_size]."""
        asked, out = Prompt.of(self, "", images), ctypes.c_void_p()
        run(lambda emit: check(lib.octavo_model_encode_images(self._handle, asked._handle, ctypes.byref(out))), Cancel())
        return Tensor._taken(out)

    def hidden_states(self, prompt: PromptLike, images: Sequence[ImageLike] = (), *,
                      layers: Sequence[int] = (-1,)) -> list[Tensor]:
        """What layers of the language model give, before the final norm: f32 [positions, hidden_size] each. layers count
        from 0, or from the end with -1 and below."""
        asked, count = Prompt.of(self, prompt, images), len(layers)
        out = (ctypes.c_void_p * count)()
        chosen = (ctypes.c_int64 * count)(*layers)
        run(lambda emit: check(lib.octavo_model_hidden_states(self._handle, asked._handle, chosen, count, out)), Cancel())
        return [Tensor._taken(ctypes.c_void_p(handle)) for handle in out]

    def embed(self, prompt: PromptLike, images: Sequence[ImageLike] = (), *, pooling: str = "mean") -> Tensor:
        """The last hidden state, after the final norm: pooling "mean" or "last", f32 [hidden_size]; "none", f32
        [positions, hidden_size]."""
        asked, out = Prompt.of(self, prompt, images), ctypes.c_void_p()
        number = choice("pooling", pooling, _POOLING)
        run(lambda emit: check(lib.octavo_model_last_hidden_state(self._handle, asked._handle, number, ctypes.byref(out))),
            Cancel())
        return Tensor._taken(out)
