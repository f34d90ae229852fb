#include "run_options.hpp"

namespace cli {

octavo::ModelOptions RunOptions::model() const {
  octavo::ModelOptions options;
  if (math != "f32" && math != "bf16") throw UsageError("--math is \"" + math + "\", one of f32, bf16 is needed");
  if (lm_head != "stored" && lm_head != "int8")
    throw UsageError("--lm-head is \"" + lm_head + "\", one of stored, int8 is needed");
  options.vision_math = options.language_math = math == "bf16" ? octavo::FloatMath::bf16 : octavo::FloatMath::f32;
  options.lm_head = lm_head == "int8" ? octavo::HeadWeights::int8 : octavo::HeadWeights::as_stored;
  return options;
}

octavo::DType RunOptions::cache_dtype() const {
  if (kv_cache == "f32") return octavo::DType::f32;
  if (kv_cache == "bf16") return octavo::DType::bf16;
  if (kv_cache == "int8") return octavo::DType::s8;
  throw UsageError("--kv-cache is \"" + kv_cache + "\", one of f32, bf16, int8 is needed");
}

void add_model_options(Command& command, RunOptions& options) {
  command.text("--math", {"TYPE", ValueKind::choice, {"f32", "bf16"}}, options.math,
               "how layers that stay in float, and attention, multiply: bf16 is faster, answers may differ (f32)");
  command.text("--lm-head", {"WEIGHTS", ValueKind::choice, {"stored", "int8"}}, options.lm_head,
               "multiply by the lm_head as stored, or by an int8 copy: less to read per token, answers may differ "
               "(stored)");
}

void add_kv_cache(Command& command, RunOptions& options) {
  command.text("--kv-cache", {"TYPE", ValueKind::choice, {"f32", "bf16", "int8"}}, options.kv_cache,
               "keys and values in f32, bf16 or int8: less memory, answers may differ (f32)");
}

}  // namespace cli
