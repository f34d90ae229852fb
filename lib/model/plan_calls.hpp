// Which calls a plan has, and a recorded run of each over tensors without data.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime_model.hpp"

namespace octavo::model {

class PlanCalls {
 public:
  /// @param runtime  Opened without data; its blocks are those that the plan binds.
  /// Resolves the plan's prompt_tokens and max_new_tokens. @throws Error  invalid_argument for options out of their
  /// domain.
  PlanCalls(const RuntimeModel& runtime, const PlanOptions& options, ModelPlan& plan, std::vector<Error>& problems);
  /// Appends every call to the plan, and one problem per broken operation.
  void run();

 private:
  void check_options();
  std::int64_t needed() const;  ///< tokens that the images take, delimiters included
  PlannedCall& add(CallKind kind, std::int64_t batch, std::int64_t past, std::int64_t q_len, std::int64_t capacity,
                   std::string note);
  /// Encodes the images, then runs the language model, as sessions do; uncached, the image rows are there from before.
  void forward(PlannedCall& call, const std::vector<Grid>& grids, bool all_logits = false);
  void chunks(std::int64_t prompt, std::int64_t capacity);
  void batched(std::int64_t prompt, std::int64_t capacity);

  const RuntimeModel& runtime_;
  const PlanOptions& options_;
  const ImageLayout layout_;
  ModelPlan& plan_;
  std::vector<Error>& problems_;
  std::int64_t image_tokens_ = 0;
};

}  // namespace octavo::model
