/// The parts of a comparison; each looks at one kind of thing and adds what it finds to the result.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "octavo/checkpoint.hpp"
#include "octavo/compare.hpp"
#include "octavo/job.hpp"

namespace octavo::detail {

/// Both checkpoints, opened. Part one of a comparison reads headers alone.
struct ComparedPair {
  Checkpoint original, quantized;
};

/// Names, shapes and element types: fills CompareResult::tensors and reports what quantization_config does not explain.
void compare_structure(const ComparedPair& pair, CompareResult& result);
/// Every tensor whose structure is as it should be: equal, or resembling its original.
void compare_values(JobProgress& steps, CompareResult& result);
/// config.json, as parsed and as written.
void compare_config(const ComparedPair& pair, CompareResult& result);
/// Tokenizer, processor, generation defaults, chat template, and whatever else lies beside the weights.
void compare_files(const ComparedPair& pair, JobProgress& steps, CompareResult& result);

/// The weight of a linear that is stored as int8 where the original has a float one.
bool is_int8_weight(const TensorComparison& tensor);
/// Whether the head shares the embedding's matrix, stated or not.
bool has_tied_head(const Checkpoint& checkpoint);
/// Which tensor of the original one of the quantized model was made from: that of the same name, but for the int8
/// lm_head of a model whose original uses its embedding for one.
std::string origin_of(const std::string& name, const Checkpoint& original);

/// A number in percent for people: "0.93 %".
std::string percent_text(double share);

}  // namespace octavo::detail
