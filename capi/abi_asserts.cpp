// Holds the layout of every public struct as released. A change here is a change of the ABI: structs only grow at
// their tail, and the old size stays in the comment of the release that had it.
#include <cstddef>

#include "octavo.h"

static_assert(sizeof(void*) != 8 || sizeof(octavo_shape_error) == 64, "0.1: octavo_shape_error is 64 bytes");
static_assert(sizeof(void*) != 8 || sizeof(octavo_quantize_options) == 72, "0.1: 64 bytes, then 72 with decode");
static_assert(sizeof(void*) != 8 || offsetof(octavo_quantize_options, progress) == 40, "0.1");
static_assert(sizeof(void*) != 8 || sizeof(octavo_verify_options) == 80,
              "0.1: 56 bytes, then 72 with profile and run_all, then 80 with decode");
static_assert(sizeof(void*) != 8 || offsetof(octavo_verify_options, profile) == 56, "0.1");
static_assert(sizeof(void*) != 8 || sizeof(octavo_compare_options) == 40, "0.1: octavo_compare_options is 40 bytes");
static_assert(sizeof(void*) != 8 || offsetof(octavo_compare_options, progress) == 16, "0.1");
static_assert(sizeof(void*) != 8 || sizeof(octavo_attribute_options) == 80, "0.1: 72 bytes, then 80 with decode");
static_assert(sizeof(void*) != 8 || offsetof(octavo_attribute_options, progress) == 48, "0.1");
static_assert(OCTAVO_SUGGESTION_FOUND == 1 && OCTAVO_SUGGESTION_OUT_OF_REACH == 2, "0.1");
static_assert(sizeof(void*) != 8 || sizeof(octavo_generate_options) == 96, "0.1: 88 bytes, then 96 with decode");
static_assert(sizeof(void*) != 8 || sizeof(octavo_decode_options) == 32, "0.1: octavo_decode_options is 32 bytes");
static_assert(sizeof(void*) != 8 || offsetof(octavo_generate_options, on_token) == 64, "0.1");
static_assert(sizeof(void*) != 8 || sizeof(octavo_generate_result) == 56, "0.1: octavo_generate_result is 56 bytes");
static_assert(sizeof(void*) != 8 || sizeof(octavo_gptq_options) == 32, "0.1: octavo_gptq_options is 32 bytes");
static_assert(sizeof(void*) != 8 || sizeof(octavo_gptq_result) == 40, "0.1: octavo_gptq_result is 40 bytes");
static_assert(sizeof(void*) != 8 || sizeof(octavo_plan_options) == 48, "0.1: octavo_plan_options is 48 bytes");
static_assert(sizeof(void*) != 8 || offsetof(octavo_plan_options, prompt_tokens) == 24, "0.1");
static_assert(sizeof(void*) != 8 || sizeof(octavo_trace_options) == 16, "0.1: octavo_trace_options is 16 bytes");
