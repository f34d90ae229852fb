// Attention of one task with operands rounded to bf16, on AMX.
#pragma once

#include "blocked.hpp"
#include "kernels/bf16.hpp"

namespace octavo::attention_kernels {

// As attend, with q, k, weights and v rounded to bf16 before they are multiplied. The weights of a row are summed
// before they are rounded.
void attend_bf16(const Problem& problem, const Task& task, const Kernels& kernels, const Bf16Kernels& bf16,
                 const Sums& sums);

}  // namespace octavo::attention_kernels
