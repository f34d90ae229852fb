/// @file
/// What a checkpoint must hold, from config.json alone: its tensors, and its linears.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "octavo/checkpoint.hpp"
#include "octavo/tensor.hpp"

namespace octavo {

/// One linear layer of a model, by name and size.
struct LinearInfo {
  std::string module_path;  ///< published layout: "model.layers.0.self_attn.q_proj"
  std::string input_group;  ///< linears with the same group see the same input: "model.layers.0.self_attn.qkv_input"
  std::int64_t in_features = 0, out_features = 0;
  bool has_bias = false;
};

/// A tensor that config.json promises.
struct ExpectedTensor {
  std::string name;  ///< published layout: "model.layers.0.self_attn.q_proj.weight"
  Shape shape;
  std::string because;    ///< "num_attention_heads * head_dim = 2048, hidden_size = 2048"
  bool optional = false;  ///< may be absent: lm_head.weight of a tied model
  /// Of a linear's weight: stored I8 unless `none`. Every other tensor is F32, BF16 or F16.
  StoredScheme scheme = StoredScheme::none;
  /// False for a linear's weight where quantization_config does not tell how it is stored, so that any tensor of the
  /// module may be there or not.
  bool storage_known = true;
};
/// In the order of the forward pass. Reads no weight.
std::vector<ExpectedTensor> expected_tensors(const Checkpoint& checkpoint);
/// The type that programs run the model in unless told otherwise, and so the type of its scales: config.json's
/// torch_dtype or dtype, else the embedding's; bf16 when neither is known.
DType running_dtype(const Checkpoint& checkpoint);
/// One line per missing, misshapen, mistyped or unexpected tensor; empty when the model would open.
std::vector<std::string> structure_problems(const Checkpoint& checkpoint);

}  // namespace octavo
