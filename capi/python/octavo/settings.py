"""How an answer is made, and who hears of it."""
from __future__ import annotations

import ctypes
from typing import Any, Callable, Mapping, Optional, Sequence, TypedDict, Union

from . import _abi
from ._handle import Handle, Owned, sized
from ._job import Cancel, Emit, Event
from ._library import lib
from ._options import boxes_number
from .errors import check
from .form import OutputForm
from .generation import Token, TokenLogProb
from .tensor import dtype_number


class PrefixCache(Handle):
    """Keys and values of past prompts and answers, and rows of past pictures, so that prompts that begin alike are read
    once. Answers are the same as without. Threads and models may share it."""

    def __init__(self, kv_bytes: int = 0, image_bytes: int = 0) -> None:
        """Holds at most so many bytes; 0 means 1 GiB and 256 MiB."""
        handle = ctypes.c_void_p()
        check(lib.octavo_prefix_cache_create(kv_bytes, image_bytes, ctypes.byref(handle)))
        self._owned = Owned.of(handle, lib.octavo_prefix_cache_release)


#: Called before each token is chosen, with the sequence's index in a batch, prompt and answer so far, and the model's logits,
#: floats of the vocabulary's size, which it may change: numpy.asarray(logits) is over them. Valid during the call. False ends
#: that sequence.
LogitsHook = Callable[[int, list[int], "memoryview[float]"], object]


#: The two functions that answer the C callbacks: 0 to go on.
Callbacks = tuple[Optional[Callable[[Token], int]], Optional[Callable[[int, list[int], "memoryview[float]"], int]]]


class GenerateSettings(TypedDict, total=False):
    """How an answer is made. What is left out is as the model's generation_config.json says, or Octavo's default."""

    max_new_tokens: int
    temperature: float  #: 0: the likeliest token each time; above: sampled. Left out: as the model's files say
    top_p: float  #: this and the next four need a temperature above 0; 1: off
    top_k: int  #: 50 unless said; 0: off
    min_p: float  #: keeps what has this part of the best token's probability
    seed: int
    repetition_penalty: float  #: needs a temperature
    stop: Union[str, Sequence[str]]  #: texts that end the answer, and are left out of it
    stop_ids: Sequence[int]  #: tokens that end the answer, besides generation_config.json's
    ignore_eos: bool  #: the end tokens of generation_config.json do not end the answer
    logit_bias: Mapping[int, float]  #: added to a token's logit; -inf forbids it
    on_logits: LogitsHook
    log_probs: bool  #: the answer has the log-probability of each token
    top_log_probs: int  #: and so many of the likeliest tokens
    form: Union[OutputForm, Mapping[str, Any]]  #: what the answer must look like: or a JSON Schema for it
    boxes: str  #: what boxes in the answer are in: "model", the pictures as the model saw them; or "original"
    use_cache: bool
    cache_dtype: str  #: of keys and values: "f32", "bf16" or "s8"; less memory, answers may differ
    prefix_cache: PrefixCache  #: what earlier calls read is taken from there
    prefill_chunk: int  #: tokens of a prompt that are read at a time; 0: all
    lookup_draft: int  #: speculation by prompt lookup, the same answer: tokens guessed at a time, 1 to 7
    lookup_ngram: int


_NEED_SAMPLING = ("top_p", "top_k", "min_p", "seed")


def generate_options(settings: GenerateSettings, cancel: Cancel) -> Any:
    """octavo_generate_options without on_event and on_logits. It keeps what it points to alive."""
    for name in settings.keys() - GenerateSettings.__annotations__.keys():
        raise TypeError(f"{name} is no setting, known are {', '.join(GenerateSettings.__annotations__)}")
    options = sized(_abi.octavo_generate_options)
    check(lib.octavo_generate_options_init(ctypes.byref(options)))
    kept = options.kept = [cancel._handle]
    options.cancel = cancel._handle.address
    if "max_new_tokens" in settings:
        if settings["max_new_tokens"] < 1:
            raise ValueError(f"max_new_tokens is {settings['max_new_tokens']}, need at least 1")
        options.max_new_tokens = settings["max_new_tokens"]
    _set_sampling(options, settings)
    _set_stops(options, settings)
    options.cache_mode = _abi.OCTAVO_CACHE_ON if settings.get("use_cache", True) else _abi.OCTAVO_CACHE_OFF
    options.boxes = boxes_number(settings.get("boxes", "model"))
    options.cache_dtype = dtype_number(settings.get("cache_dtype", "f32"))
    if "prefill_chunk" in settings:
        options.prefill_chunk = settings["prefill_chunk"] or _abi.OCTAVO_PREFILL_WHOLE
    options.lookup_draft, options.lookup_ngram = settings.get("lookup_draft", 0), settings.get("lookup_ngram", 0)
    if "prefix_cache" in settings:
        kept.append(settings["prefix_cache"]._handle)
        options.prefix_cache = kept[-1].address
    if "form" in settings:
        form = settings["form"]
        kept.append((form if isinstance(form, OutputForm) else OutputForm.json_schema(form))._handle)
        options.form = kept[-1].address
    options.top_log_probs = settings.get("top_log_probs", 0)
    options.log_probs = settings.get("log_probs", False) or options.top_log_probs > 0
    return options


def _set_sampling(options: Any, settings: GenerateSettings) -> None:
    temperature = settings.get("temperature")
    for name in _NEED_SAMPLING if not temperature else ():
        if name in settings:
            raise ValueError(f"{name} needs a temperature above 0")
    if temperature is None:
        if "repetition_penalty" in settings:
            raise ValueError("repetition_penalty needs a temperature; 0 is greedy")
        return
    options.sampling = _abi.OCTAVO_SAMPLING_ON if temperature else _abi.OCTAVO_SAMPLING_GREEDY
    if temperature:
        options.temperature = temperature
    for name in (*_NEED_SAMPLING, "repetition_penalty"):
        if name in settings:
            setattr(options, name, settings[name])  # type: ignore[literal-required]


def _set_stops(options: Any, settings: GenerateSettings) -> None:
    given = settings.get("stop", ())
    texts = [given] if isinstance(given, str) else list(given)
    options.stop_strings = (ctypes.c_char_p * len(texts))(*(text.encode() for text in texts))
    options.stop_string_count = len(texts)
    ids = list(settings.get("stop_ids", ()))
    options.stop_ids, options.stop_id_count = (ctypes.c_int32 * len(ids))(*ids), len(ids)
    biases = settings.get("logit_bias", {})
    options.logit_bias = (_abi.octavo_token_bias * len(biases))(
        *(_abi.octavo_token_bias(id=id, bias=bias) for id, bias in biases.items()))
    options.logit_bias_count = len(biases)
    options.ignore_eos = settings.get("ignore_eos", False)


def set_callbacks(options: Any, answering: Callbacks) -> None:
    """The C callbacks over functions that answer 0 to go on. The options keep them."""
    answer_token, answer_logits = answering
    if answer_token is not None:
        with_log_probs = bool(options.log_probs)  # not from the options in the callback: they hold it

        def on_event(pointer: Any, user_data: object) -> int:
            event = pointer.contents
            top = tuple(TokenLogProb(best.id, best.log_prob) for best in event.top[:event.top_count]) if event.top else ()
            text = event.text[:event.text_size] if event.text else b""
            return answer_token(Token(event.id, text.decode(errors="replace"), event.sequence,
                                      event.log_prob if with_log_probs else None, top))

        options.on_event = _abi.octavo_event_fn(on_event)
    if answer_logits is not None:

        def on_values(sequence: int, history: Any, history_size: int, logits: Any, vocab_size: int,
                      user_data: object) -> int:
            values = (ctypes.c_float * vocab_size).from_address(ctypes.addressof(logits.contents))
            return answer_logits(sequence, history[:history_size], memoryview(values).cast("B").cast("f"))

        options.on_logits = _abi.octavo_logits_fn(on_values)


def callbacks(emit: Emit, on_token: Optional[Callable[[Token], object]], on_logits: Optional[LogitsHook]) -> Callbacks:
    """Those that hand a job's events to its caller's thread, where somebody wants them."""
    return (None if on_token is None else lambda token: emit((on_token, token)),
            None if on_logits is None else lambda *values: emit((on_logits, *values)))


def handler(event: Event) -> object:
    """Calls the caller's function that an event of `callbacks` is for."""
    function, *values = event
    return function(*values)
