// Options that several functions of octavo.h take, in C++.
#pragma once

#include <cstdint>
#include <octavo/boxes.hpp>
#include <octavo/float_math.hpp>
#include <octavo/job.hpp>
#include <octavo/model.hpp>
#include <octavo/samples.hpp>

#include "octavo.h"

namespace octavo::capi {

/// @throws Error  invalid_argument.
void require_zero(int32_t reserved);
ProgressCallback progress_of(octavo_progress_fn progress, void* user_data);
SampleSource source_of(const char* file, const char* pictures, const char* prompt, int32_t skip_bad);
/// Of OCTAVO_BOXES_*. @throws Error  invalid_argument.
BoxSpace box_space_of(int32_t boxes);
/// Of OCTAVO_MATH_*; `standard` is the default's, `name` the field's. @throws Error  invalid_argument.
FloatMath float_math_of(int32_t math, const char* name, FloatMath standard);
/// NULL gives the defaults. Progress and cancel go to `watch`; without one they are refused.
/// @throws Error  invalid_argument.
ModelOptions model_options(const octavo_model_options* given, OpenWatch* watch = nullptr);

}  // namespace octavo::capi
