#include "options.hpp"

#include <string>

#include "guard.hpp"
#include "handles.hpp"

namespace octavo::capi {

void require_zero(int32_t reserved) {
  if (reserved != 0) throw Error(ErrorCode::invalid_argument, "a reserved field of the options is not 0");
}

ProgressCallback progress_of(octavo_progress_fn progress, void* user_data) {
  if (progress == nullptr) return {};
  return [progress, user_data](const Progress& state) {
    return progress(state.stage.c_str(), state.done, state.total, user_data) == 0;
  };
}

SampleSource source_of(const char* file, const char* pictures, const char* prompt, int32_t skip_bad) {
  SampleSource source;
  if (file != nullptr) source.file = file;
  if (pictures != nullptr) source.pictures = pictures;
  if (prompt != nullptr) source.prompt = prompt;
  source.skip_bad = skip_bad != 0;
  return source;
}

BoxSpace box_space_of(int32_t boxes) {
  if (boxes != OCTAVO_BOXES_MODEL && boxes != OCTAVO_BOXES_ORIGINAL)
    throw Error(ErrorCode::invalid_argument,
                "options.boxes is " + std::to_string(boxes) + ", known are 0 (model) and 1 (original)");
  return boxes == OCTAVO_BOXES_ORIGINAL ? BoxSpace::original : BoxSpace::model;
}

FloatMath float_math_of(int32_t math, const char* name, FloatMath standard) {
  switch (math) {
    case OCTAVO_MATH_DEFAULT:
      return standard;
    case OCTAVO_MATH_F32:
      return FloatMath::f32;
    case OCTAVO_MATH_BF16:
      return FloatMath::bf16;
    default:
      throw Error(ErrorCode::invalid_argument, std::string("options.") + name + " is " + std::to_string(math) +
                                                   ", known are 0 (default), 1 (f32) and 2 (bf16)");
  }
}

ModelOptions model_options(const octavo_model_options* given, OpenWatch* watch) {
  const octavo_model_options read = read_options(given, "options");
  require_zero(read.reserved0);
  ModelOptions options;
  options.vision_math = float_math_of(read.vision_math, "vision_math", options.vision_math);
  options.language_math = float_math_of(read.language_math, "language_math", options.language_math);
  if (read.lm_head != OCTAVO_LM_HEAD_STORED && read.lm_head != OCTAVO_LM_HEAD_INT8)
    throw Error(ErrorCode::invalid_argument,
                "options.lm_head is " + std::to_string(read.lm_head) + ", known are 0 (stored) and 1 (int8)");
  if (read.lm_head == OCTAVO_LM_HEAD_INT8) options.lm_head = HeadWeights::int8;
  if (watch == nullptr) {
    if (read.progress != nullptr || read.cancel != nullptr)
      throw Error(ErrorCode::invalid_argument,
                  "options.progress and options.cancel watch a model being opened: leave them NULL here, and use those "
                  "of the job");
    return options;
  }
  if (read.progress != nullptr)
    watch->progress = [progress = read.progress, user_data = read.user_data](std::string_view stage, std::int64_t done,
                                                                             std::int64_t total) {
      return progress(std::string(stage).c_str(), done, total, user_data) == 0;
    };
  watch->cancel = flag_of(read.cancel);
  return options;
}

}  // namespace octavo::capi
