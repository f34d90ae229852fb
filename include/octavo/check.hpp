/// @file
/// Check: everything wrong with a model directory, found without reading a weight; and what a directory holds.
///
///     CheckResult result = check("Qwen2.5-VL-3B-Instruct");
///     for (const CheckProblem& problem : result.problems) std::cerr << problem.what << "\n";
///     return result.ok() ? 0 : 1;
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "octavo/image.hpp"
#include "octavo/json.hpp"
#include "octavo/plan.hpp"
#include "octavo/settings.hpp"

namespace octavo {

struct CheckOptions {
  std::vector<ImageSize> images;   ///< pixels, before resizing; none: one picture of 448 x 448 is planned
  std::int64_t prompt_tokens = 0;  ///< as PlanOptions
  std::int64_t max_new_tokens = 256;
  std::int64_t tensor_parallel = 0;  ///< ranks of a serving engine; 0: not asked
  bool keep_plan = false;            ///< the result holds the plan, step by step
};
/// Everything wrong with a directory, found without reading a weight: config.json, headers, the files beside them, and
/// every contract of every call (see plan.hpp).
struct CheckResult {
  std::vector<CheckProblem> problems;
  std::int64_t tensors = 0;
  std::vector<ParallelDim> tensor_parallel;  ///< with CheckOptions::tensor_parallel
  std::optional<ModelPlan> plan;             ///< with CheckOptions::keep_plan, when config.json lets it be made
  double seconds = 0;
  bool ok() const;  ///< no fatal problem
  JsonBuilder to_json() const;
};
/// Never throws for what is wrong inside the directory: that is what the result says. A directory that is missing or
/// holds no checkpoint is a fatal problem like any other, and so are options that the model cannot meet.
CheckResult check(const std::string& model_dir, const CheckOptions& options = {});

/// What Octavo does with each key of each kind of file, as docs/settings.md prints it.
std::vector<SettingsTable> settings_tables();

/// What a directory holds, for `octavo inspect`: model type and sizes, tensors by module, dtypes, stored schemes.
JsonBuilder inspect(const std::string& model_dir);

}  // namespace octavo
