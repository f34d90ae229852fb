// Attention of one task on the bf16 units of AMX.
#pragma once

#include "blocked.hpp"
#include "kernels/amx.hpp"

namespace octavo::attention_kernels {

// As attend, with q, k, weights and v as `amx` holds them: rounded to bf16, or exactly. The weights of a row are summed
// as they are multiplied: what all of them have in common falls out. Blocks of keys or values that are not all finite
// are multiplied in float32 by `kernels`.
void attend_amx(const Problem& problem, const Task& task, const Kernels& kernels, const AmxKernels& amx,
                const Sums& sums);

}  // namespace octavo::attention_kernels
