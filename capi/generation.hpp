// What octavo_generate and its like take and give, in C++.
#pragma once

#include <cstddef>
#include <memory>
#include <octavo/model.hpp>
#include <vector>

#include "octavo.h"

namespace octavo::capi {

/// NULL gives what the _INIT macro has; a struct as long as that of 0.1 means what it meant there: docs/abi.md.
octavo_generate_options read_generate_options(const octavo_generate_options* given);
/// `given` must outlive it: callbacks call the caller's. @throws Error  invalid_argument.
GenerateOptions generate_options(const octavo_generate_options& given);

/// A prepared prompt was read with options of its own. @throws Error  invalid_argument where `given` says how.
void refuse_reading_options(const octavo_generate_options& given);

/// Text, tokens and log-probabilities of a result: one block, whose beginning is the text.
using ResultMemory = std::unique_ptr<char, decltype(&octavo_string_release)>;
ResultMemory result_memory(const GenerateResult& generated);
/// Writes all of `generated`, whose block is `memory`, to the caller's result and pictures. Cannot fail.
void hand_over(octavo_generate_result* out, const GenerateResult& generated, ResultMemory memory);

/// @throws Error  invalid_argument where `out` is no initialised result.
void require_generate_result(const octavo_generate_result* out);
/// The results of a batch, as far apart as the first one's struct_size says: the caller's may be longer than ours.
/// @throws Error  invalid_argument where they do not state the same.
std::vector<octavo_generate_result*> results_of(octavo_generate_result* out, std::size_t count);

}  // namespace octavo::capi
