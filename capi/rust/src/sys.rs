//! The C interface as octavo.h has it; only what the safe layer uses. `tests/layout.rs` compares the structs with a C
//! compiler's.
#![allow(missing_docs)]
use std::os::raw::{c_char, c_void};

pub type Status = i32;
pub const OK: Status = 0;

/// An opaque handle. The marker keeps it from being Send or Sync by itself: each safe type says what it may do.
macro_rules! handles {
    ($($name:ident)*) => {$(
        #[repr(C)]
        pub struct $name {
            _data: [u8; 0],
            _marker: std::marker::PhantomData<(*mut u8, std::marker::PhantomPinned)>,
        }
    )*};
}
handles!(Model Cancel Image Messages Prompt Tensor Hessian Linear);

#[repr(C)]
pub struct ShapeError {
    pub struct_size: usize,
    pub op: *const c_char,
    pub module: *const c_char,
    pub argument: *const c_char,
    pub dim_name: *const c_char,
    pub dim: i64,
    pub expected: i64,
    pub actual: i64,
}

#[repr(C)]
pub struct ModelOptions {
    pub struct_size: usize,
    pub vision_math: i32,
    pub language_math: i32,
    pub lm_head: i32,
    pub reserved0: i32,
}

#[repr(C)]
pub struct TokenLogProb {
    pub id: i32,
    pub reserved0: i32,
    pub log_prob: f64,
}

#[repr(C)]
pub struct TokenEvent {
    pub struct_size: usize,
    pub sequence: usize,
    pub id: i32,
    pub top_count: i32,
    pub text: *const c_char,
    pub text_size: usize,
    pub log_prob: f64,
    pub top: *const TokenLogProb,
}
pub type EventFn = unsafe extern "C" fn(event: *const TokenEvent, user_data: *mut c_void) -> i32;
pub type ProgressFn = unsafe extern "C" fn(stage: *const c_char, done: i64, total: i64, user_data: *mut c_void) -> i32;

#[repr(C)]
pub struct GenerateOptions {
    pub struct_size: usize,
    pub max_new_tokens: i64,
    pub cache_mode: i32,
    pub sampling: i32,
    pub temperature: f64,
    pub top_p: f64,
    pub top_k: i64,
    pub repetition_penalty: f64,
    pub seed: u64,
    pub on_token: *const c_void,
    pub user_data: *mut c_void,
    pub cancel: *const Cancel,
    pub decode: *const c_void,
    pub control_tokens_as_text: i32,
    pub boxes: i32,
    pub prefill_chunk: i64,
    pub lookup_draft: i64,
    pub lookup_ngram: i64,
    pub prefix_cache: *mut c_void,
    pub cache_dtype: i32,
    pub reserved0: i32,
    pub min_p: f64,
    pub stop_strings: *const *const c_char,
    pub stop_string_count: usize,
    pub stop_ids: *const i32,
    pub stop_id_count: usize,
    pub logit_bias: *const c_void,
    pub logit_bias_count: usize,
    pub on_logits: *const c_void,
    pub on_event: Option<EventFn>,
    pub ignore_eos: i32,
    pub log_probs: i32,
    pub top_log_probs: i32,
    pub reserved1: i32,
}

#[repr(C)]
pub struct GenerateResult {
    pub struct_size: usize,
    pub prompt_tokens: i64,
    pub new_tokens: i64,
    pub finish_reason: i32,
    pub reserved0: i32,
    pub prefill_seconds: f64,
    pub decode_seconds: f64,
    pub text: *mut c_char,
    pub pictures: *mut c_void,
    pub picture_capacity: usize,
    pub picture_count: usize,
    pub reused_tokens: i64,
    pub drafted_tokens: i64,
    pub accepted_tokens: i64,
    pub text_size: usize,
    pub tokens: *const i32,
    pub log_probs: *const f64,
    pub top_log_probs: *const TokenLogProb,
    pub top_count: usize,
}

#[repr(C)]
pub struct QuantizeOptions {
    pub struct_size: usize,
    pub recipe: *const c_char,
    pub calibration: *const c_char,
    pub max_samples: i64,
    pub overwrite: i32,
    pub reserved0: i32,
    pub progress: Option<ProgressFn>,
    pub user_data: *mut c_void,
    pub cancel: *const Cancel,
    pub decode: *const c_void,
    pub pictures: *const c_char,
    pub picture_prompt: *const c_char,
    pub skip_bad_samples: i32,
    pub reserved1: i32,
}

/// As far as it is used: the library takes the struct of an older header, which ended here.
#[repr(C)]
pub struct VerifyOptions {
    pub struct_size: usize,
    pub samples: *const c_char,
    pub max_samples: i64,
    pub max_new_tokens: i64,
    pub progress: Option<ProgressFn>,
    pub user_data: *mut c_void,
    pub cancel: *const Cancel,
    pub profile: *const c_char,
    pub run_all: i32,
    pub reserved0: i32,
}

#[repr(C)]
pub struct GptqOptions {
    pub struct_size: usize,
    pub method: i32,
    pub no_act_order: i32,
    pub damp_percent: f64,
    pub block_size: i64,
}

#[repr(C)]
pub struct GptqResult {
    pub struct_size: usize,
    pub loss: f64,
    pub rtn_loss: f64,
    pub damp_used: f64,
    pub dead_columns: i64,
}

extern "C" {
    pub fn octavo_version() -> *const c_char;
    pub fn octavo_last_error() -> *const c_char;
    pub fn octavo_last_shape_error(out: *mut ShapeError) -> Status;
    pub fn octavo_string_release(string: *mut c_char);

    pub fn octavo_cancel_create(out: *mut *mut Cancel) -> Status;
    pub fn octavo_cancel_request(cancel: *mut Cancel);
    pub fn octavo_cancel_reset(cancel: *mut Cancel);
    pub fn octavo_cancel_release(cancel: *mut Cancel);

    pub fn octavo_model_open_with(
        model_dir: *const c_char,
        options: *const ModelOptions,
        out: *mut *mut Model,
    ) -> Status;
    pub fn octavo_model_release(model: *mut Model);
    pub fn octavo_model_notes(model: *const Model, out: *mut *mut c_char) -> Status;

    pub fn octavo_image_open(path: *const c_char, options: *const c_void, out: *mut *mut Image) -> Status;
    pub fn octavo_image_decode(
        bytes: *const c_void,
        size: usize,
        options: *const c_void,
        out: *mut *mut Image,
    ) -> Status;
    pub fn octavo_image_size(image: *const Image, width: *mut i64, height: *mut i64) -> Status;
    pub fn octavo_image_release(image: *mut Image);

    pub fn octavo_messages_create(out: *mut *mut Messages) -> Status;
    pub fn octavo_messages_add(messages: *mut Messages, role: *const c_char, text: *const c_char) -> Status;
    pub fn octavo_messages_add_text(messages: *mut Messages, text: *const c_char) -> Status;
    pub fn octavo_messages_add_image(messages: *mut Messages, image: *const Image) -> Status;
    pub fn octavo_messages_release(messages: *mut Messages);

    pub fn octavo_prompt_create(
        model: *const Model,
        messages: *const Messages,
        options: *const c_void,
        out: *mut *mut Prompt,
    ) -> Status;
    pub fn octavo_prompt_release(prompt: *mut Prompt);

    pub fn octavo_generate_options_init(options: *mut GenerateOptions) -> Status;
    pub fn octavo_generate_prompt(
        model: *const Model,
        prompt: *const Prompt,
        options: *const GenerateOptions,
        out: *mut GenerateResult,
    ) -> Status;
    pub fn octavo_generate_result_release(result: *mut GenerateResult);

    pub fn octavo_quantize(
        model_dir: *const c_char,
        out_dir: *const c_char,
        options: *const QuantizeOptions,
        out_json: *mut *mut c_char,
    ) -> Status;
    pub fn octavo_verify(
        original_dir: *const c_char,
        quantized_dir: *const c_char,
        options: *const VerifyOptions,
        out_passed: *mut i32,
        out_json: *mut *mut c_char,
    ) -> Status;

    pub fn octavo_tensor_create(dtype: i32, dims: *const i64, rank: usize, out: *mut *mut Tensor) -> Status;
    pub fn octavo_tensor_release(tensor: *mut Tensor);
    pub fn octavo_tensor_dtype(tensor: *const Tensor, out: *mut i32) -> Status;
    pub fn octavo_tensor_rank(tensor: *const Tensor, out: *mut usize) -> Status;
    pub fn octavo_tensor_dim(tensor: *const Tensor, index: usize, out: *mut i64) -> Status;
    pub fn octavo_tensor_data(tensor: *mut Tensor, data: *mut *mut c_void, size_bytes: *mut usize) -> Status;

    pub fn octavo_hessian_create(in_features: i64, out: *mut *mut Hessian) -> Status;
    pub fn octavo_hessian_add(hessian: *mut Hessian, x: *const Tensor) -> Status;
    pub fn octavo_hessian_release(hessian: *mut Hessian);
    pub fn octavo_gptq_quantize_layer(
        weight: *const Tensor,
        hessian: *mut Hessian,
        options: *const GptqOptions,
        out_weight: *mut *mut Tensor,
        out_scales: *mut *mut Tensor,
        result: *mut GptqResult,
    ) -> Status;

    pub fn octavo_linear_w8a8_create(
        weight: *const Tensor,
        weight_scale: *const Tensor,
        bias: *const Tensor,
        out: *mut *mut Linear,
    ) -> Status;
    pub fn octavo_linear_forward(linear: *const Linear, x: *const Tensor, out: *mut *mut Tensor) -> Status;
    pub fn octavo_linear_release(linear: *mut Linear);
}
