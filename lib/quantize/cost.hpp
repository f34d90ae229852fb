/// What the steps of a job cost beside each other, estimated before it starts.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "octavo/float_math.hpp"
#include "plan.hpp"
#include "step_times.hpp"

namespace octavo::detail {

/// Time per multiply-add of each kind of work, and per value that a pass over memory reads or writes; relative to each
/// other, in units of a float linear's multiply-add.
struct Rates {
  double forward = 1;  ///< of linears in float, with the job's math
  double int8 = 1;     ///< of linears in W8A8
  double hessian = 1;  ///< of X^T X
  double factor = 1;   ///< of the Hessian's factor
  double sweep = 1;    ///< of GPTQ's sweep
  double value = 1;
};
/// What this machine's float backend has for `math`, from measurements (docs/quantize.md).
Rates rates_here(FloatMath math);

/// Kinds of steps: what is done, and to what of a block; blocks of one tower repeat.
std::string kind_of(const BlockPlan& block, const std::string& what);
std::string kind_of(const BlockPlan& block, const LinearPlan& linear, const std::string& what);
inline constexpr const char* kPreprocess = "preprocess";
inline constexpr const char* kEmbed = "embed";
inline constexpr const char* kQuantizeHead = "quantize lm_head";
inline constexpr const char* kCopy = "copy";
inline constexpr const char* kWrite = "write";

/// What a sample brings: rows of the vision tower and of the language model.
struct SampleSize {
  std::int64_t patches = 0, tokens = 0;
};

/// Costs in millions of float multiply-adds, at least 1 each. Attention is left out: where it counts, it does so in all
/// blocks of a tower.
class StepCosts {
 public:
  StepCosts() = default;
  StepCosts(const Rates& rates, std::vector<SampleSize> samples) : rates_(rates), samples_(std::move(samples)) {}

  /// A sample's pictures and text, made ready for the model.
  std::int64_t preprocess(std::size_t sample) const;
  /// Making room for the block's Hessians, before the first sample.
  std::int64_t begin(const BlockPlan& block) const;
  /// One sample through a block whose weights are float, and its share of the block's Hessians.
  std::int64_t collect(const BlockPlan& block, std::size_t sample) const;
  /// One sample through the block as it will be at inference.
  std::int64_t run(const BlockPlan& block, std::size_t sample) const;
  /// Preparing a Hessian, for the first linear that takes it.
  std::int64_t prepare(const LinearPlan& linear) const;
  std::int64_t quantize(const LinearPlan& linear) const;
  /// Behind the vision tower: a sample's pictures merged, its text embedded.
  std::int64_t embed(std::size_t sample) const;
  /// A tensor that is copied as it is, looked at for NaN.
  std::int64_t copy(std::uint64_t bytes) const;
  std::int64_t write(std::uint64_t bytes) const;

  /// Every step of the job but what is copied and written: every block that is quantized is collected on, every block
  /// but the last is run.
  void expect_steps(const Plan& plan, StepTimes& times) const;

 private:
  std::int64_t rows(const BlockPlan& block, std::size_t sample) const;

  Rates rates_;
  std::vector<SampleSize> samples_;
};

}  // namespace octavo::detail
