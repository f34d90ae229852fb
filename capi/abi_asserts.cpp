// Holds the layout of every public struct as released. A change here is a change of the ABI: structs only grow at
// their tail, and the old size stays in the comment of the release that had it.
#include <cstddef>

#include "octavo.h"

static_assert(sizeof(void*) != 8 || sizeof(octavo_shape_error) == 64, "0.1: octavo_shape_error is 64 bytes");
static_assert(
    sizeof(void*) != 8 || sizeof(octavo_quantize_options) == 104,
    "0.1: 64 bytes, then 72 with decode, then 96 with pictures, picture_prompt and skip_bad_samples, then 104 "
    "with math");
static_assert(sizeof(void*) != 8 || offsetof(octavo_quantize_options, math) == 96, "0.1 ends there");
static_assert(sizeof(void*) != 8 || offsetof(octavo_quantize_options, progress) == 40, "0.1");
static_assert(sizeof(void*) != 8 || sizeof(octavo_verify_options) == 120,
              "0.1: 56 bytes, then 72 with profile and run_all, then 80 with decode, then 104 with pictures to boxes, "
              "then 120 with model and cache_dtype");
static_assert(sizeof(void*) != 8 || offsetof(octavo_verify_options, profile) == 56, "0.1");
static_assert(sizeof(void*) != 8 || sizeof(octavo_compare_options) == 40, "0.1: octavo_compare_options is 40 bytes");
static_assert(sizeof(void*) != 8 || offsetof(octavo_compare_options, progress) == 16, "0.1");
static_assert(sizeof(void*) != 8 || sizeof(octavo_attribute_options) == 104,
              "0.1: 72 bytes, then 80 with decode, then 104 with pictures to boxes");
static_assert(sizeof(void*) != 8 || offsetof(octavo_attribute_options, progress) == 48, "0.1");
static_assert(OCTAVO_SUGGESTION_FOUND == 1 && OCTAVO_SUGGESTION_OUT_OF_REACH == 2, "0.1");
static_assert(sizeof(void*) != 8 || sizeof(octavo_generate_options) == 240,
              "0.1: 88 bytes, then 104 with decode, control_tokens_as_text and boxes, then 136 with prefill_chunk to "
              "prefix_cache, then 144 with cache_dtype, then 232 with min_p to top_log_probs, "
              "then 240 with form");
static_assert(sizeof(void*) != 8 || offsetof(octavo_generate_options, min_p) == 144,
              "structs that end here mean 0.1's");
static_assert(sizeof(void*) != 8 || offsetof(octavo_generate_options, prefill_chunk) == 104, "0.1");
static_assert(sizeof(void*) != 8 || offsetof(octavo_generate_options, control_tokens_as_text) == 96, "0.1");
static_assert(sizeof(void*) != 8 || offsetof(octavo_generate_options, cache_dtype) == 136, "0.1");
static_assert(sizeof(void*) != 8 || offsetof(octavo_verify_options, model) == 104, "0.1");
static_assert(sizeof(void*) != 8 || sizeof(octavo_model_options) == 48,
              "0.1: 24 bytes; then 48 with progress to cancel");
static_assert(sizeof(void*) != 8 || offsetof(octavo_model_options, progress) == 24, "0.1 ends there");
static_assert(sizeof(void*) != 8 || sizeof(octavo_model_info) == 152, "octavo_model_info is 152 bytes");
static_assert(sizeof(void*) != 8 || sizeof(octavo_memory_file) == 24, "never grows: callers hold arrays of it");
static_assert(sizeof(void*) != 8 || sizeof(octavo_descriptor_file) == 16, "never grows: callers hold arrays of it");
static_assert(sizeof(void*) != 8 || sizeof(octavo_linear_info) == 48, "octavo_linear_info is 48 bytes");
static_assert(sizeof(void*) != 8 || sizeof(octavo_writer_options) == 24, "octavo_writer_options is 24 bytes");
static_assert(OCTAVO_MATH_DEFAULT == 0 && OCTAVO_MATH_F32 == 1 && OCTAVO_MATH_BF16 == 2, "0.1");
static_assert(OCTAVO_LM_HEAD_STORED == 0 && OCTAVO_LM_HEAD_INT8 == 1, "0.1");
static_assert(OCTAVO_BOXES_MODEL == 0 && OCTAVO_BOXES_ORIGINAL == 1, "since octavo_generate_options.boxes");
static_assert(sizeof(void*) != 8 || sizeof(octavo_decode_options) == 32, "0.1: octavo_decode_options is 32 bytes");
static_assert(sizeof(void*) != 8 || offsetof(octavo_generate_options, on_token) == 64, "0.1");
static_assert(sizeof(void*) != 8 || sizeof(octavo_generate_result) == 144,
              "0.1: 56 bytes; then 80 with pictures; then 104 with reused_tokens to accepted_tokens; then 144 with "
              "text_size to top_count");
static_assert(sizeof(void*) != 8 || offsetof(octavo_generate_result, pictures) == 56, "0.1 ends there");
static_assert(sizeof(octavo_token_bias) == 16 && sizeof(octavo_token_log_prob) == 16, "never grow: arrays of them");
static_assert(sizeof(void*) != 8 || sizeof(octavo_token_event) == 56, "octavo_token_event is 56 bytes");
static_assert(sizeof(void*) != 8 || sizeof(octavo_pixel_layout) == 40, "octavo_pixel_layout is 40 bytes");
static_assert(sizeof(void*) != 8 || sizeof(octavo_chat_options) == 24, "octavo_chat_options is 24 bytes");
static_assert(sizeof(void*) != 8 || sizeof(octavo_picture_size) == 32, "never grows: callers hold arrays of it");
static_assert(sizeof(void*) != 8 || sizeof(octavo_gptq_options) == 40, "0.1: 32 bytes; then 40 with scale_dtype");
static_assert(sizeof(void*) != 8 || sizeof(octavo_session_options) == 32, "0.1: octavo_session_options is 32 bytes");
static_assert(sizeof(void*) != 8 || sizeof(octavo_sampling_options) == 56, "0.1: octavo_sampling_options is 56 bytes");
static_assert(sizeof(void*) != 8 || sizeof(octavo_batch_options) == 24, "0.1: octavo_batch_options is 24 bytes");
static_assert(sizeof(void*) != 8 || sizeof(octavo_gptq_result) == 40, "0.1: octavo_gptq_result is 40 bytes");
static_assert(sizeof(void*) != 8 || sizeof(octavo_plan_options) == 48, "0.1: octavo_plan_options is 48 bytes");
static_assert(sizeof(void*) != 8 || offsetof(octavo_plan_options, prompt_tokens) == 24, "0.1");
static_assert(sizeof(void*) != 8 || sizeof(octavo_form_options) == 16, "0.1: octavo_form_options is 16 bytes");
static_assert(OCTAVO_FORM_ONE_SPACE == 0 && OCTAVO_FORM_LINES == 1, "0.1");
static_assert(sizeof(void*) != 8 || sizeof(octavo_trace_options) == 32, "0.1: 16 bytes; then 32 with on_record");
static_assert(sizeof(octavo_box) == 32, "never grows: callers hold arrays of it");
