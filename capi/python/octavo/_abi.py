"""What capi/octavo.h declares, for ctypes. Written by make_abi.py; run it again when the header changes."""
from __future__ import annotations

from ctypes import CDLL, CFUNCTYPE, POINTER, Structure, c_char_p, c_double, c_float, c_int32, c_int64, c_size_t, c_uint64, c_uint8, c_void_p
from typing import Any

OCTAVO_VERSION_MAJOR = 0
OCTAVO_VERSION_MINOR = 1
OCTAVO_VERSION_PATCH = 0
OCTAVO_ABI_VERSION = 0
OCTAVO_OK = 0
OCTAVO_INVALID_ARGUMENT = 1
OCTAVO_SHAPE_MISMATCH = 2
OCTAVO_DTYPE_MISMATCH = 3
OCTAVO_NOT_FOUND = 4
OCTAVO_IO = 5
OCTAVO_FORMAT = 6
OCTAVO_UNSUPPORTED = 7
OCTAVO_OUT_OF_MEMORY = 8
OCTAVO_CANCELLED = 9
OCTAVO_EXISTS = 10
OCTAVO_NOT_FINITE = 11
OCTAVO_INTERNAL = 99
OCTAVO_THREADS_ANYWHERE = 0
OCTAVO_THREADS_PINNED = 1
OCTAVO_MATH_DEFAULT = 0
OCTAVO_MATH_F32 = 1
OCTAVO_MATH_BF16 = 2
OCTAVO_LM_HEAD_STORED = 0
OCTAVO_LM_HEAD_INT8 = 1
OCTAVO_TRANSPARENCY_WHITE = 0
OCTAVO_TRANSPARENCY_DROP = 1
OCTAVO_CACHE_ON = 0
OCTAVO_CACHE_OFF = 1
OCTAVO_SAMPLING_FROM_MODEL = 0
OCTAVO_SAMPLING_GREEDY = 1
OCTAVO_SAMPLING_ON = 2
OCTAVO_FINISH_STOP = 0
OCTAVO_FINISH_LENGTH = 1
OCTAVO_FINISH_CANCELLED = 2
OCTAVO_BOXES_MODEL = 0
OCTAVO_BOXES_ORIGINAL = 1
OCTAVO_PREFILL_WHOLE = -1
OCTAVO_FORM_ONE_SPACE = 0
OCTAVO_FORM_LINES = 1
OCTAVO_SUGGESTION_NOT_NEEDED = 0
OCTAVO_SUGGESTION_FOUND = 1
OCTAVO_SUGGESTION_OUT_OF_REACH = 2
OCTAVO_F32 = 0
OCTAVO_F16 = 1
OCTAVO_BF16 = 2
OCTAVO_S8 = 3
OCTAVO_U8 = 4
OCTAVO_S32 = 5
OCTAVO_I64 = 6
OCTAVO_POOLING_NONE = 0
OCTAVO_POOLING_MEAN = 1
OCTAVO_POOLING_LAST = 2
OCTAVO_METHOD_GPTQ = 0
OCTAVO_METHOD_RTN = 1
OCTAVO_TOWER_VISION = 0
OCTAVO_TOWER_LANGUAGE = 1
OCTAVO_SCHEME_W8A8 = 1
OCTAVO_SCHEME_W8A16 = 2


class octavo_shape_error(Structure):
    struct_size: int
    op: bytes | None
    module: bytes | None
    argument: bytes | None
    dim_name: bytes | None
    dim: int
    expected: int
    actual: int
    __slots__ = ("kept",)  # what a caller keeps alive with it; a name that is no field is an error
    _fields_ = [
        ("struct_size", c_size_t),
        ("op", c_char_p),
        ("module", c_char_p),
        ("argument", c_char_p),
        ("dim_name", c_char_p),
        ("dim", c_int64),
        ("expected", c_int64),
        ("actual", c_int64),
    ]


octavo_allocate_fn = CFUNCTYPE(c_void_p, c_size_t, c_size_t, c_void_p)


octavo_free_fn = CFUNCTYPE(None, c_void_p, c_size_t, c_void_p)


octavo_progress_fn = CFUNCTYPE(c_int32, c_char_p, c_int64, c_int64, c_void_p)


class octavo_model_options(Structure):
    struct_size: int
    vision_math: int
    language_math: int
    lm_head: int
    reserved0: int
    progress: Any
    user_data: int | None
    cancel: int | None
    __slots__ = ("kept",)  # what a caller keeps alive with it; a name that is no field is an error
    _fields_ = [
        ("struct_size", c_size_t),
        ("vision_math", c_int32),
        ("language_math", c_int32),
        ("lm_head", c_int32),
        ("reserved0", c_int32),
        ("progress", octavo_progress_fn),
        ("user_data", c_void_p),
        ("cancel", c_void_p),
    ]


class octavo_memory_file(Structure):
    name: bytes | None
    data: int | None
    size: int
    __slots__ = ("kept",)  # what a caller keeps alive with it; a name that is no field is an error
    _fields_ = [
        ("name", c_char_p),
        ("data", c_void_p),
        ("size", c_size_t),
    ]


class octavo_descriptor_file(Structure):
    name: bytes | None
    descriptor: int
    reserved0: int
    __slots__ = ("kept",)  # what a caller keeps alive with it; a name that is no field is an error
    _fields_ = [
        ("name", c_char_p),
        ("descriptor", c_int32),
        ("reserved0", c_int32),
    ]


class octavo_model_info(Structure):
    struct_size: int
    vocab_size: int
    hidden_size: int
    num_layers: int
    num_heads: int
    num_kv_heads: int
    head_dim: int
    max_position_embeddings: int
    vision_num_blocks: int
    vision_hidden_size: int
    patch_size: int
    merge_size: int
    num_parameters: int
    stored_bytes: int
    resident_bytes: int
    num_w8a8: int
    num_w8a16: int
    num_float: int
    image_token_id: int
    is_quantized: int
    __slots__ = ("kept",)  # what a caller keeps alive with it; a name that is no field is an error
    _fields_ = [
        ("struct_size", c_size_t),
        ("vocab_size", c_int64),
        ("hidden_size", c_int64),
        ("num_layers", c_int64),
        ("num_heads", c_int64),
        ("num_kv_heads", c_int64),
        ("head_dim", c_int64),
        ("max_position_embeddings", c_int64),
        ("vision_num_blocks", c_int64),
        ("vision_hidden_size", c_int64),
        ("patch_size", c_int64),
        ("merge_size", c_int64),
        ("num_parameters", c_int64),
        ("stored_bytes", c_uint64),
        ("resident_bytes", c_uint64),
        ("num_w8a8", c_int64),
        ("num_w8a16", c_int64),
        ("num_float", c_int64),
        ("image_token_id", c_int32),
        ("is_quantized", c_int32),
    ]


class octavo_decode_options(Structure):
    struct_size: int
    ignore_orientation: int
    transparency: int
    max_pixels: int
    max_bytes: int
    __slots__ = ("kept",)  # what a caller keeps alive with it; a name that is no field is an error
    _fields_ = [
        ("struct_size", c_size_t),
        ("ignore_orientation", c_int32),
        ("transparency", c_int32),
        ("max_pixels", c_int64),
        ("max_bytes", c_int64),
    ]


class octavo_token_bias(Structure):
    id: int
    reserved0: int
    bias: float
    __slots__ = ("kept",)  # what a caller keeps alive with it; a name that is no field is an error
    _fields_ = [
        ("id", c_int32),
        ("reserved0", c_int32),
        ("bias", c_double),
    ]


class octavo_token_log_prob(Structure):
    id: int
    reserved0: int
    log_prob: float
    __slots__ = ("kept",)  # what a caller keeps alive with it; a name that is no field is an error
    _fields_ = [
        ("id", c_int32),
        ("reserved0", c_int32),
        ("log_prob", c_double),
    ]


class octavo_token_event(Structure):
    struct_size: int
    sequence: int
    id: int
    top_count: int
    text: bytes | None
    text_size: int
    log_prob: float
    top: Any
    __slots__ = ("kept",)  # what a caller keeps alive with it; a name that is no field is an error
    _fields_ = [
        ("struct_size", c_size_t),
        ("sequence", c_size_t),
        ("id", c_int32),
        ("top_count", c_int32),
        ("text", c_char_p),
        ("text_size", c_size_t),
        ("log_prob", c_double),
        ("top", POINTER(octavo_token_log_prob)),
    ]


octavo_event_fn = CFUNCTYPE(c_int32, POINTER(octavo_token_event), c_void_p)


octavo_logits_fn = CFUNCTYPE(c_int32, c_size_t, POINTER(c_int32), c_size_t, POINTER(c_float), c_size_t, c_void_p)


octavo_token_fn = CFUNCTYPE(c_int32, c_int32, c_char_p, c_void_p)


class octavo_form_options(Structure):
    struct_size: int
    spacing: int
    fence: int
    __slots__ = ("kept",)  # what a caller keeps alive with it; a name that is no field is an error
    _fields_ = [
        ("struct_size", c_size_t),
        ("spacing", c_int32),
        ("fence", c_int32),
    ]


class octavo_generate_options(Structure):
    struct_size: int
    max_new_tokens: int
    cache_mode: int
    sampling: int
    temperature: float
    top_p: float
    top_k: int
    repetition_penalty: float
    seed: int
    on_token: Any
    user_data: int | None
    cancel: int | None
    decode: Any
    control_tokens_as_text: int
    boxes: int
    prefill_chunk: int
    lookup_draft: int
    lookup_ngram: int
    prefix_cache: int | None
    cache_dtype: int
    reserved0: int
    min_p: float
    stop_strings: Any
    stop_string_count: int
    stop_ids: Any
    stop_id_count: int
    logit_bias: Any
    logit_bias_count: int
    on_logits: Any
    on_event: Any
    ignore_eos: int
    log_probs: int
    top_log_probs: int
    reserved1: int
    form: int | None
    __slots__ = ("kept",)  # what a caller keeps alive with it; a name that is no field is an error
    _fields_ = [
        ("struct_size", c_size_t),
        ("max_new_tokens", c_int64),
        ("cache_mode", c_int32),
        ("sampling", c_int32),
        ("temperature", c_double),
        ("top_p", c_double),
        ("top_k", c_int64),
        ("repetition_penalty", c_double),
        ("seed", c_uint64),
        ("on_token", octavo_token_fn),
        ("user_data", c_void_p),
        ("cancel", c_void_p),
        ("decode", POINTER(octavo_decode_options)),
        ("control_tokens_as_text", c_int32),
        ("boxes", c_int32),
        ("prefill_chunk", c_int64),
        ("lookup_draft", c_int64),
        ("lookup_ngram", c_int64),
        ("prefix_cache", c_void_p),
        ("cache_dtype", c_int32),
        ("reserved0", c_int32),
        ("min_p", c_double),
        ("stop_strings", POINTER(c_char_p)),
        ("stop_string_count", c_size_t),
        ("stop_ids", POINTER(c_int32)),
        ("stop_id_count", c_size_t),
        ("logit_bias", POINTER(octavo_token_bias)),
        ("logit_bias_count", c_size_t),
        ("on_logits", octavo_logits_fn),
        ("on_event", octavo_event_fn),
        ("ignore_eos", c_int32),
        ("log_probs", c_int32),
        ("top_log_probs", c_int32),
        ("reserved1", c_int32),
        ("form", c_void_p),
    ]


class octavo_picture_size(Structure):
    width: int
    height: int
    original_width: int
    original_height: int
    __slots__ = ("kept",)  # what a caller keeps alive with it; a name that is no field is an error
    _fields_ = [
        ("width", c_int64),
        ("height", c_int64),
        ("original_width", c_int64),
        ("original_height", c_int64),
    ]


class octavo_generate_result(Structure):
    struct_size: int
    prompt_tokens: int
    new_tokens: int
    finish_reason: int
    reserved0: int
    prefill_seconds: float
    decode_seconds: float
    text: int | None
    pictures: Any
    picture_capacity: int
    picture_count: int
    reused_tokens: int
    drafted_tokens: int
    accepted_tokens: int
    text_size: int
    tokens: Any
    log_probs: Any
    top_log_probs: Any
    top_count: int
    __slots__ = ("kept",)  # what a caller keeps alive with it; a name that is no field is an error
    _fields_ = [
        ("struct_size", c_size_t),
        ("prompt_tokens", c_int64),
        ("new_tokens", c_int64),
        ("finish_reason", c_int32),
        ("reserved0", c_int32),
        ("prefill_seconds", c_double),
        ("decode_seconds", c_double),
        ("text", c_void_p),
        ("pictures", POINTER(octavo_picture_size)),
        ("picture_capacity", c_size_t),
        ("picture_count", c_size_t),
        ("reused_tokens", c_int64),
        ("drafted_tokens", c_int64),
        ("accepted_tokens", c_int64),
        ("text_size", c_size_t),
        ("tokens", POINTER(c_int32)),
        ("log_probs", POINTER(c_double)),
        ("top_log_probs", POINTER(octavo_token_log_prob)),
        ("top_count", c_size_t),
    ]


class octavo_pixel_layout(Structure):
    struct_size: int
    width: int
    height: int
    channels: int
    transparency: int
    row_stride: int
    __slots__ = ("kept",)  # what a caller keeps alive with it; a name that is no field is an error
    _fields_ = [
        ("struct_size", c_size_t),
        ("width", c_int64),
        ("height", c_int64),
        ("channels", c_int32),
        ("transparency", c_int32),
        ("row_stride", c_int64),
    ]


class octavo_chat_options(Structure):
    struct_size: int
    no_generation_prompt: int
    add_vision_id: int
    control_tokens_as_text: int
    reserved0: int
    __slots__ = ("kept",)  # what a caller keeps alive with it; a name that is no field is an error
    _fields_ = [
        ("struct_size", c_size_t),
        ("no_generation_prompt", c_int32),
        ("add_vision_id", c_int32),
        ("control_tokens_as_text", c_int32),
        ("reserved0", c_int32),
    ]


class octavo_session_options(Structure):
    struct_size: int
    capacity: int
    prefill_chunk: int
    cache_dtype: int
    reserved0: int
    __slots__ = ("kept",)  # what a caller keeps alive with it; a name that is no field is an error
    _fields_ = [
        ("struct_size", c_size_t),
        ("capacity", c_int64),
        ("prefill_chunk", c_int64),
        ("cache_dtype", c_int32),
        ("reserved0", c_int32),
    ]


class octavo_sampling_options(Structure):
    struct_size: int
    temperature: float
    top_p: float
    top_k: int
    min_p: float
    repetition_penalty: float
    seed: int
    __slots__ = ("kept",)  # what a caller keeps alive with it; a name that is no field is an error
    _fields_ = [
        ("struct_size", c_size_t),
        ("temperature", c_double),
        ("top_p", c_double),
        ("top_k", c_int64),
        ("min_p", c_double),
        ("repetition_penalty", c_double),
        ("seed", c_uint64),
    ]


class octavo_batch_options(Structure):
    struct_size: int
    max_sequences: int
    prompt_tokens: int
    __slots__ = ("kept",)  # what a caller keeps alive with it; a name that is no field is an error
    _fields_ = [
        ("struct_size", c_size_t),
        ("max_sequences", c_int64),
        ("prompt_tokens", c_int64),
    ]


class octavo_plan_options(Structure):
    struct_size: int
    image_sizes: Any
    image_count: int
    prompt_tokens: int
    max_new_tokens: int
    tensor_parallel: int
    __slots__ = ("kept",)  # what a caller keeps alive with it; a name that is no field is an error
    _fields_ = [
        ("struct_size", c_size_t),
        ("image_sizes", POINTER(c_int64)),
        ("image_count", c_size_t),
        ("prompt_tokens", c_int64),
        ("max_new_tokens", c_int64),
        ("tensor_parallel", c_int64),
    ]


class octavo_quantize_options(Structure):
    struct_size: int
    recipe: bytes | None
    calibration: bytes | None
    max_samples: int
    overwrite: int
    reserved0: int
    progress: Any
    user_data: int | None
    cancel: int | None
    decode: Any
    pictures: bytes | None
    picture_prompt: bytes | None
    skip_bad_samples: int
    reserved1: int
    math: int
    reserved2: int
    __slots__ = ("kept",)  # what a caller keeps alive with it; a name that is no field is an error
    _fields_ = [
        ("struct_size", c_size_t),
        ("recipe", c_char_p),
        ("calibration", c_char_p),
        ("max_samples", c_int64),
        ("overwrite", c_int32),
        ("reserved0", c_int32),
        ("progress", octavo_progress_fn),
        ("user_data", c_void_p),
        ("cancel", c_void_p),
        ("decode", POINTER(octavo_decode_options)),
        ("pictures", c_char_p),
        ("picture_prompt", c_char_p),
        ("skip_bad_samples", c_int32),
        ("reserved1", c_int32),
        ("math", c_int32),
        ("reserved2", c_int32),
    ]


class octavo_verify_options(Structure):
    struct_size: int
    samples: bytes | None
    max_samples: int
    max_new_tokens: int
    progress: Any
    user_data: int | None
    cancel: int | None
    profile: bytes | None
    run_all: int
    reserved0: int
    decode: Any
    pictures: bytes | None
    picture_prompt: bytes | None
    skip_bad_samples: int
    boxes: int
    model: Any
    cache_dtype: int
    reserved1: int
    __slots__ = ("kept",)  # what a caller keeps alive with it; a name that is no field is an error
    _fields_ = [
        ("struct_size", c_size_t),
        ("samples", c_char_p),
        ("max_samples", c_int64),
        ("max_new_tokens", c_int64),
        ("progress", octavo_progress_fn),
        ("user_data", c_void_p),
        ("cancel", c_void_p),
        ("profile", c_char_p),
        ("run_all", c_int32),
        ("reserved0", c_int32),
        ("decode", POINTER(octavo_decode_options)),
        ("pictures", c_char_p),
        ("picture_prompt", c_char_p),
        ("skip_bad_samples", c_int32),
        ("boxes", c_int32),
        ("model", POINTER(octavo_model_options)),
        ("cache_dtype", c_int32),
        ("reserved1", c_int32),
    ]


class octavo_compare_options(Structure):
    struct_size: int
    skip_values: int
    reserved0: int
    progress: Any
    user_data: int | None
    cancel: int | None
    __slots__ = ("kept",)  # what a caller keeps alive with it; a name that is no field is an error
    _fields_ = [
        ("struct_size", c_size_t),
        ("skip_values", c_int32),
        ("reserved0", c_int32),
        ("progress", octavo_progress_fn),
        ("user_data", c_void_p),
        ("cancel", c_void_p),
    ]


class octavo_attribute_options(Structure):
    struct_size: int
    samples: bytes | None
    max_samples: int
    max_new_tokens: int
    profile: bytes | None
    exact: int
    no_suggestion: int
    progress: Any
    user_data: int | None
    cancel: int | None
    decode: Any
    pictures: bytes | None
    picture_prompt: bytes | None
    skip_bad_samples: int
    boxes: int
    __slots__ = ("kept",)  # what a caller keeps alive with it; a name that is no field is an error
    _fields_ = [
        ("struct_size", c_size_t),
        ("samples", c_char_p),
        ("max_samples", c_int64),
        ("max_new_tokens", c_int64),
        ("profile", c_char_p),
        ("exact", c_int32),
        ("no_suggestion", c_int32),
        ("progress", octavo_progress_fn),
        ("user_data", c_void_p),
        ("cancel", c_void_p),
        ("decode", POINTER(octavo_decode_options)),
        ("pictures", c_char_p),
        ("picture_prompt", c_char_p),
        ("skip_bad_samples", c_int32),
        ("boxes", c_int32),
    ]


octavo_line_fn = CFUNCTYPE(None, c_char_p, c_void_p)


class octavo_trace_options(Structure):
    struct_size: int
    values: int
    reserved0: int
    on_record: Any
    user_data: int | None
    __slots__ = ("kept",)  # what a caller keeps alive with it; a name that is no field is an error
    _fields_ = [
        ("struct_size", c_size_t),
        ("values", c_int32),
        ("reserved0", c_int32),
        ("on_record", octavo_line_fn),
        ("user_data", c_void_p),
    ]


class octavo_gptq_options(Structure):
    struct_size: int
    method: int
    no_act_order: int
    damp_percent: float
    block_size: int
    scale_dtype: int
    reserved0: int
    __slots__ = ("kept",)  # what a caller keeps alive with it; a name that is no field is an error
    _fields_ = [
        ("struct_size", c_size_t),
        ("method", c_int32),
        ("no_act_order", c_int32),
        ("damp_percent", c_double),
        ("block_size", c_int64),
        ("scale_dtype", c_int32),
        ("reserved0", c_int32),
    ]


class octavo_gptq_result(Structure):
    struct_size: int
    loss: float
    rtn_loss: float
    damp_used: float
    dead_columns: int
    __slots__ = ("kept",)  # what a caller keeps alive with it; a name that is no field is an error
    _fields_ = [
        ("struct_size", c_size_t),
        ("loss", c_double),
        ("rtn_loss", c_double),
        ("damp_used", c_double),
        ("dead_columns", c_int64),
    ]


class octavo_linear_info(Structure):
    struct_size: int
    module_path: bytes | None
    input_group: bytes | None
    in_features: int
    out_features: int
    has_bias: int
    reserved0: int
    __slots__ = ("kept",)  # what a caller keeps alive with it; a name that is no field is an error
    _fields_ = [
        ("struct_size", c_size_t),
        ("module_path", c_char_p),
        ("input_group", c_char_p),
        ("in_features", c_int64),
        ("out_features", c_int64),
        ("has_bias", c_int32),
        ("reserved0", c_int32),
    ]


octavo_block_input_fn = CFUNCTYPE(c_int32, c_char_p, c_char_p, c_void_p, c_void_p)


class octavo_writer_options(Structure):
    struct_size: int
    overwrite: int
    reserved0: int
    max_shard_bytes: int
    __slots__ = ("kept",)  # what a caller keeps alive with it; a name that is no field is an error
    _fields_ = [
        ("struct_size", c_size_t),
        ("overwrite", c_int32),
        ("reserved0", c_int32),
        ("max_shard_bytes", c_uint64),
    ]


class octavo_box(Structure):
    x1: float
    y1: float
    x2: float
    y2: float
    __slots__ = ("kept",)  # what a caller keeps alive with it; a name that is no field is an error
    _fields_ = [
        ("x1", c_double),
        ("y1", c_double),
        ("x2", c_double),
        ("y2", c_double),
    ]


# Every exported function: what it returns, what it takes.
FUNCTIONS: dict[str, tuple[Any, list[Any]]] = {
    "octavo_version": (c_char_p, []),
    "octavo_abi_version": (c_int32, []),
    "octavo_status_name": (c_char_p, [c_int32]),
    "octavo_last_error": (c_char_p, []),
    "octavo_last_shape_error": (c_int32, [POINTER(octavo_shape_error)]),
    "octavo_string_release": (None, [c_void_p]),
    "octavo_build_info": (c_int32, [POINTER(c_void_p)]),
    "octavo_set_num_threads": (c_int32, [c_int32]),
    "octavo_set_allocator": (c_int32, [octavo_allocate_fn, octavo_free_fn, c_void_p]),
    "octavo_thread_pool_create": (c_int32, [c_int32, c_int32, POINTER(c_void_p)]),
    "octavo_thread_pool_use": (c_int32, [c_void_p]),
    "octavo_thread_pool_release": (None, [c_void_p]),
    "octavo_cancel_create": (c_int32, [POINTER(c_void_p)]),
    "octavo_cancel_request": (None, [c_void_p]),
    "octavo_cancel_reset": (None, [c_void_p]),
    "octavo_cancel_release": (None, [c_void_p]),
    "octavo_model_open": (c_int32, [c_char_p, POINTER(c_void_p)]),
    "octavo_model_open_with": (c_int32, [c_char_p, POINTER(octavo_model_options), POINTER(c_void_p)]),
    "octavo_model_open_memory": (c_int32, [c_char_p, POINTER(octavo_memory_file), c_size_t, POINTER(octavo_model_options), POINTER(c_void_p)]),
    "octavo_model_open_descriptors": (c_int32, [c_char_p, POINTER(octavo_descriptor_file), c_size_t, POINTER(octavo_model_options), POINTER(c_void_p)]),
    "octavo_model_release": (None, [c_void_p]),
    "octavo_model_notes": (c_int32, [c_void_p, POINTER(c_void_p)]),
    "octavo_model_get_info": (c_int32, [c_void_p, POINTER(octavo_model_info)]),
    "octavo_model_describe": (c_int32, [c_void_p, POINTER(c_void_p)]),
    "octavo_model_config": (c_int32, [c_void_p, POINTER(c_void_p)]),
    "octavo_prefix_cache_create": (c_int32, [c_size_t, c_size_t, POINTER(c_void_p)]),
    "octavo_prefix_cache_release": (None, [c_void_p]),
    "octavo_output_form_json_schema": (c_int32, [c_char_p, POINTER(octavo_form_options), POINTER(c_void_p)]),
    "octavo_output_form_example": (c_int32, [c_char_p, POINTER(octavo_form_options), POINTER(c_void_p)]),
    "octavo_output_form_pattern": (c_int32, [c_char_p, POINTER(c_void_p)]),
    "octavo_output_form_choices": (c_int32, [POINTER(c_char_p), c_size_t, POINTER(c_void_p)]),
    "octavo_output_form_matches": (c_int32, [c_void_p, c_char_p, POINTER(c_int32)]),
    "octavo_output_form_release": (None, [c_void_p]),
    "octavo_form_state_create": (c_int32, [c_void_p, c_void_p, POINTER(c_int32), c_size_t, POINTER(c_void_p)]),
    "octavo_form_state_mask": (c_int32, [c_void_p, POINTER(c_float), c_size_t]),
    "octavo_form_state_take": (c_int32, [c_void_p, c_int32]),
    "octavo_form_state_complete": (c_int32, [c_void_p, POINTER(c_int32), POINTER(c_int32)]),
    "octavo_form_state_release": (None, [c_void_p]),
    "octavo_generate_options_init": (c_int32, [POINTER(octavo_generate_options)]),
    "octavo_generate_result_release": (None, [POINTER(octavo_generate_result)]),
    "octavo_generate": (c_int32, [c_void_p, c_char_p, POINTER(c_char_p), c_size_t, POINTER(octavo_generate_options), POINTER(octavo_generate_result)]),
    "octavo_generate_batch": (c_int32, [c_void_p, POINTER(c_char_p), POINTER(POINTER(c_char_p)), POINTER(c_size_t), c_size_t, POINTER(octavo_generate_options), POINTER(octavo_generate_result)]),
    "octavo_image_open": (c_int32, [c_char_p, POINTER(octavo_decode_options), POINTER(c_void_p)]),
    "octavo_image_decode": (c_int32, [c_void_p, c_size_t, POINTER(octavo_decode_options), POINTER(c_void_p)]),
    "octavo_image_from_pixels": (c_int32, [c_void_p, c_size_t, POINTER(octavo_pixel_layout), POINTER(c_void_p)]),
    "octavo_image_size": (c_int32, [c_void_p, POINTER(c_int64), POINTER(c_int64)]),
    "octavo_image_pixels": (c_int32, [c_void_p, POINTER(POINTER(c_uint8))]),
    "octavo_image_release": (None, [c_void_p]),
    "octavo_messages_create": (c_int32, [POINTER(c_void_p)]),
    "octavo_messages_add": (c_int32, [c_void_p, c_char_p, c_char_p]),
    "octavo_messages_add_text": (c_int32, [c_void_p, c_char_p]),
    "octavo_messages_add_image": (c_int32, [c_void_p, c_void_p]),
    "octavo_messages_from_json": (c_int32, [c_char_p, c_char_p, POINTER(octavo_decode_options), POINTER(c_void_p)]),
    "octavo_messages_release": (None, [c_void_p]),
    "octavo_chat_render": (c_int32, [c_void_p, c_void_p, POINTER(octavo_chat_options), POINTER(c_void_p)]),
    "octavo_prompt_create": (c_int32, [c_void_p, c_void_p, POINTER(octavo_chat_options), POINTER(c_void_p)]),
    "octavo_prompt_from_ids": (c_int32, [POINTER(c_int32), c_size_t, POINTER(c_void_p)]),
    "octavo_prompt_ids": (c_int32, [c_void_p, POINTER(POINTER(c_int32)), POINTER(c_size_t)]),
    "octavo_prompt_pictures": (c_int32, [c_void_p, POINTER(octavo_picture_size), c_size_t, POINTER(c_size_t)]),
    "octavo_prompt_release": (None, [c_void_p]),
    "octavo_generate_prompt": (c_int32, [c_void_p, c_void_p, POINTER(octavo_generate_options), POINTER(octavo_generate_result)]),
    "octavo_generate_prompts": (c_int32, [c_void_p, POINTER(c_void_p), c_size_t, POINTER(octavo_generate_options), POINTER(octavo_generate_result)]),
    "octavo_model_vocab_size": (c_int32, [c_void_p, POINTER(c_int64)]),
    "octavo_tokenize": (c_int32, [c_void_p, c_char_p, c_int32, POINTER(c_int32), c_size_t, POINTER(c_size_t)]),
    "octavo_detokenize": (c_int32, [c_void_p, POINTER(c_int32), c_size_t, c_int32, POINTER(c_void_p), POINTER(c_size_t)]),
    "octavo_token_id": (c_int32, [c_void_p, c_char_p, POINTER(c_int32)]),
    "octavo_token_bytes": (c_int32, [c_void_p, c_int32, POINTER(c_void_p), POINTER(c_size_t)]),
    "octavo_token_is_special": (c_int32, [c_void_p, c_int32, POINTER(c_int32)]),
    "octavo_text_stream_create": (c_int32, [c_void_p, c_int32, POINTER(c_void_p)]),
    "octavo_text_stream_push": (c_int32, [c_void_p, c_int32, POINTER(c_char_p)]),
    "octavo_text_stream_finish": (c_int32, [c_void_p, POINTER(c_char_p)]),
    "octavo_text_stream_release": (None, [c_void_p]),
    "octavo_session_create": (c_int32, [c_void_p, POINTER(octavo_session_options), POINTER(c_void_p)]),
    "octavo_session_feed": (c_int32, [c_void_p, c_void_p]),
    "octavo_session_feed_ids": (c_int32, [c_void_p, POINTER(c_int32), c_size_t]),
    "octavo_session_continue": (c_int32, [c_void_p, c_void_p, POINTER(c_int64)]),
    "octavo_sessions_feed": (c_int32, [POINTER(c_void_p), POINTER(c_void_p), c_size_t]),
    "octavo_session_generate": (c_int32, [c_void_p, POINTER(octavo_generate_options), POINTER(octavo_generate_result)]),
    "octavo_session_logits": (c_int32, [c_void_p, POINTER(POINTER(c_float)), POINTER(c_size_t)]),
    "octavo_session_tokens": (c_int32, [c_void_p, POINTER(POINTER(c_int32)), POINTER(c_size_t)]),
    "octavo_session_truncate": (c_int32, [c_void_p, c_int64]),
    "octavo_session_reset": (c_int32, [c_void_p]),
    "octavo_session_fork": (c_int32, [c_void_p, POINTER(c_void_p)]),
    "octavo_session_save": (c_int32, [c_void_p, c_char_p]),
    "octavo_session_restore": (c_int32, [c_void_p, c_char_p, c_int64, POINTER(c_void_p)]),
    "octavo_session_to_bytes": (c_int32, [c_void_p, POINTER(c_void_p), POINTER(c_size_t)]),
    "octavo_session_from_bytes": (c_int32, [c_void_p, c_void_p, c_size_t, c_int64, POINTER(c_void_p)]),
    "octavo_session_release": (None, [c_void_p]),
    "octavo_sampler_create": (c_int32, [POINTER(octavo_sampling_options), POINTER(c_void_p)]),
    "octavo_sampler_next": (c_int32, [c_void_p, c_void_p, POINTER(c_int32)]),
    "octavo_sampler_release": (None, [c_void_p]),
    "octavo_batch_create": (c_int32, [c_void_p, POINTER(octavo_batch_options), POINTER(c_void_p)]),
    "octavo_batch_join": (c_int32, [c_void_p, c_void_p, POINTER(octavo_generate_options), POINTER(c_uint64)]),
    "octavo_batch_leave": (c_int32, [c_void_p, c_uint64]),
    "octavo_batch_step": (c_int32, [c_void_p, POINTER(c_size_t)]),
    "octavo_batch_take": (c_int32, [c_void_p, POINTER(c_uint64), POINTER(c_int32), POINTER(c_char_p), POINTER(octavo_generate_result)]),
    "octavo_batch_size": (c_int32, [c_void_p, POINTER(c_size_t), POINTER(c_size_t)]),
    "octavo_batch_release": (None, [c_void_p]),
    "octavo_check": (c_int32, [c_char_p, POINTER(c_int64), POINTER(c_void_p)]),
    "octavo_plan": (c_int32, [c_char_p, POINTER(octavo_plan_options), POINTER(c_void_p)]),
    "octavo_quantize": (c_int32, [c_char_p, c_char_p, POINTER(octavo_quantize_options), POINTER(c_void_p)]),
    "octavo_verify": (c_int32, [c_char_p, c_char_p, POINTER(octavo_verify_options), POINTER(c_int32), POINTER(c_void_p)]),
    "octavo_report": (c_int32, [c_char_p, c_char_p, POINTER(octavo_verify_options), c_char_p, POINTER(c_int32)]),
    "octavo_compare": (c_int32, [c_char_p, c_char_p, POINTER(octavo_compare_options), POINTER(c_int32), POINTER(c_void_p)]),
    "octavo_attribute": (c_int32, [c_char_p, c_char_p, POINTER(octavo_attribute_options), POINTER(c_int32), POINTER(c_void_p), POINTER(c_void_p)]),
    "octavo_trace_begin": (c_int32, [c_char_p, POINTER(octavo_trace_options)]),
    "octavo_trace_end": (c_int32, []),
    "octavo_tensor_create": (c_int32, [c_int32, POINTER(c_int64), c_size_t, POINTER(c_void_p)]),
    "octavo_tensor_borrow": (c_int32, [c_void_p, c_int32, POINTER(c_int64), c_size_t, POINTER(c_void_p)]),
    "octavo_tensor_release": (None, [c_void_p]),
    "octavo_tensor_dtype": (c_int32, [c_void_p, POINTER(c_int32)]),
    "octavo_tensor_rank": (c_int32, [c_void_p, POINTER(c_size_t)]),
    "octavo_tensor_dim": (c_int32, [c_void_p, c_size_t, POINTER(c_int64)]),
    "octavo_tensor_stride": (c_int32, [c_void_p, c_size_t, POINTER(c_int64)]),
    "octavo_tensor_contiguous": (c_int32, [c_void_p, POINTER(c_void_p)]),
    "octavo_tensor_data": (c_int32, [c_void_p, POINTER(c_void_p), POINTER(c_size_t)]),
    "octavo_tensor_read": (c_int32, [c_void_p, POINTER(c_void_p), POINTER(c_size_t)]),
    "octavo_tensor_to_dlpack": (c_int32, [c_void_p, POINTER(c_void_p)]),
    "octavo_tensor_to_dlpack_unversioned": (c_int32, [c_void_p, POINTER(c_void_p)]),
    "octavo_tensor_from_dlpack": (c_int32, [c_void_p, POINTER(c_void_p)]),
    "octavo_tensor_from_dlpack_unversioned": (c_int32, [c_void_p, POINTER(c_void_p)]),
    "octavo_image_load": (c_int32, [c_char_p, POINTER(octavo_decode_options), POINTER(c_void_p)]),
    "octavo_model_encode_images": (c_int32, [c_void_p, c_void_p, POINTER(c_void_p)]),
    "octavo_model_hidden_states": (c_int32, [c_void_p, c_void_p, POINTER(c_int64), c_size_t, POINTER(c_void_p)]),
    "octavo_model_last_hidden_state": (c_int32, [c_void_p, c_void_p, c_int32, POINTER(c_void_p)]),
    "octavo_model_logits": (c_int32, [c_void_p, c_char_p, POINTER(c_char_p), c_size_t, POINTER(c_void_p)]),
    "octavo_model_logits_prompt": (c_int32, [c_void_p, c_void_p, POINTER(c_void_p)]),
    "octavo_contract_check": (c_int32, [c_char_p, c_char_p, POINTER(c_char_p), POINTER(c_void_p), c_size_t, POINTER(c_char_p), POINTER(c_int64), c_size_t]),
    "octavo_hessian_create": (c_int32, [c_int64, POINTER(c_void_p)]),
    "octavo_hessian_add": (c_int32, [c_void_p, c_void_p]),
    "octavo_hessian_release": (None, [c_void_p]),
    "octavo_gptq_quantize_layer": (c_int32, [c_void_p, c_void_p, POINTER(octavo_gptq_options), POINTER(c_void_p), POINTER(c_void_p), POINTER(octavo_gptq_result)]),
    "octavo_linear_w8a8_create": (c_int32, [c_void_p, c_void_p, c_void_p, POINTER(c_void_p)]),
    "octavo_linear_forward": (c_int32, [c_void_p, c_void_p, POINTER(c_void_p)]),
    "octavo_linear_release": (None, [c_void_p]),
    "octavo_linear_w8a16_create": (c_int32, [c_void_p, c_void_p, c_void_p, POINTER(c_void_p)]),
    "octavo_blocks_create": (c_int32, [c_void_p, POINTER(c_void_p)]),
    "octavo_blocks_count": (c_int32, [c_void_p, c_int32, POINTER(c_int64)]),
    "octavo_blocks_begin_vision": (c_int32, [c_void_p, c_void_p, POINTER(c_void_p)]),
    "octavo_blocks_finish_vision": (c_int32, [c_void_p, c_void_p, POINTER(c_void_p)]),
    "octavo_blocks_begin_language": (c_int32, [c_void_p, c_void_p, c_void_p, POINTER(c_void_p)]),
    "octavo_blocks_release": (None, [c_void_p]),
    "octavo_block_state_clone": (c_int32, [c_void_p, POINTER(c_void_p)]),
    "octavo_block_state_hidden": (c_int32, [c_void_p, POINTER(c_void_p)]),
    "octavo_block_state_release": (None, [c_void_p]),
    "octavo_block_load": (c_int32, [c_void_p, c_int32, c_int64, POINTER(c_void_p)]),
    "octavo_block_linear_count": (c_int32, [c_void_p, POINTER(c_size_t)]),
    "octavo_block_linear": (c_int32, [c_void_p, c_size_t, POINTER(octavo_linear_info)]),
    "octavo_block_weight": (c_int32, [c_void_p, c_char_p, POINTER(c_void_p)]),
    "octavo_block_bias": (c_int32, [c_void_p, c_char_p, POINTER(c_void_p)]),
    "octavo_block_forward": (c_int32, [c_void_p, c_void_p, octavo_block_input_fn, c_void_p]),
    "octavo_block_replace": (c_int32, [c_void_p, c_char_p, c_void_p]),
    "octavo_block_release": (None, [c_void_p]),
    "octavo_writer_create": (c_int32, [c_char_p, c_char_p, POINTER(octavo_writer_options), POINTER(c_void_p)]),
    "octavo_writer_add": (c_int32, [c_void_p, c_char_p, c_int32, c_void_p, c_void_p]),
    "octavo_writer_finish": (c_int32, [c_void_p]),
    "octavo_writer_release": (None, [c_void_p]),
    "octavo_kv_cache_create": (c_int32, [c_int64, c_int64, c_int64, c_int64, POINTER(c_void_p)]),
    "octavo_kv_cache_create_typed": (c_int32, [c_int64, c_int64, c_int64, c_int64, c_int32, POINTER(c_void_p)]),
    "octavo_kv_cache_length": (c_int32, [c_void_p, POINTER(c_int64)]),
    "octavo_kv_cache_commit": (c_int32, [c_void_p, c_int64]),
    "octavo_kv_cache_truncate": (c_int32, [c_void_p, c_int64]),
    "octavo_kv_cache_release": (None, [c_void_p]),
    "octavo_attention": (c_int32, [c_void_p, c_void_p, c_void_p, c_void_p, c_int32, c_void_p, c_int64, POINTER(c_void_p)]),
    "octavo_boxes_in": (c_int32, [c_char_p, POINTER(octavo_box), c_size_t, POINTER(c_size_t)]),
}


def declare(library: CDLL) -> None:
    """Gives every function of the library its types; AttributeError names one that it lacks."""
    for name, (result, taken) in FUNCTIONS.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, taken
