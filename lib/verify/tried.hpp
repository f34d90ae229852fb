/// What was done already to make the quantized model good, so that a diagnosis advises what was not.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "octavo/verify.hpp"

namespace octavo::detail {

struct Tried {
  bool known = false;        ///< QUANTIZED/octavo_report.json says how it was made
  bool gptq = false;         ///< of some linear; else all were rounded to nearest
  bool w8a16 = false;        ///< some linears keep float activations
  bool int8_vision = false;  ///< the vision tower has quantized linears
  std::int64_t calibration_samples = 0;
  bool samples = false;   ///< the verification has samples of its own
  bool suggests = false;  ///< VerifyOptions::suggests
  std::string profile;    ///< VerifyOptions::profile
};

/// From QUANTIZED/octavo_report.json and the options; a file that cannot be read leaves `known` false.
Tried tried_before(const std::string& quantized_dir, const VerifyOptions& options);

/// What to do against a loss that quantization itself brings, in order; never empty. `module`, where not empty, is the
/// one that loses.
std::vector<std::string> advice(const Tried& tried, const std::string& module);

}  // namespace octavo::detail
