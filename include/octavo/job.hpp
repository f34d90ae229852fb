/// What every whole job shares: how it tells how far it is, and what it says of one layer.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace octavo {

/// How far a job is. `done` counts steps of about equal cost over the whole job, so that time left can be told.
struct Progress {
  std::string stage;  ///< what is being worked on: "model.layers.3: calibrate", "verify: quantized", ...
  std::int64_t done = 0, total = 0;
};
/// Called from the job's thread. Returning false cancels.
using ProgressCallback = std::function<bool(const Progress&)>;

/// What became of one linear layer (quantize), or how far one layer's output moved (verify).
struct LayerReport {
  std::string module_path, method;
  std::string scheme;   ///< quantize: the recipe's word, "w8a8" or "w8a16"; empty elsewhere
  double loss = 0;      ///< tr((W-Q) H (W-Q)^T), the objective of GPTQ; 0 without calibration
  double rtn_loss = 0;  ///< the same for round-to-nearest
  double damp_used = 0;
  /// quantize: ||Y - Yq|| / ||Y|| of the linear as it will run (int8 activations included, in W8A8), over up to 256
  /// calibration rows; negative without calibration. verify: the same for the hidden states that leave the block, over
  /// all rows.
  double relative_error = -1;
  std::int64_t rows = 0;  ///< calibration rows behind the Hessian
  std::int64_t dead_columns = 0;
  bool fell_back_to_rtn = false;
};

}  // namespace octavo
