/// The calibration set on its way through the model, and what is gathered from it for one block.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "octavo/job.hpp"
#include "octavo/quant.hpp"
#include "octavo/samples.hpp"
#include "plan.hpp"

namespace octavo::detail {

/// Gathers, for each distinct input of a block's linears, the Hessian and a few rows to measure errors on.
class InputCollector : public LinearObserver {
 public:
  /// `math`: of the Hessians.
  InputCollector(const BlockPlan& block, std::int64_t samples, FloatMath math);
  void on_input(const LinearInfo& linear, const Tensor& x) override;

  /// Damping and order are part of a prepared Hessian, so linears share one only when they agree on both.
  static std::string hessian_key(const LinearPlan& linear);
  /// What linears that share a prepared Hessian have in common: its input and its key.
  static std::string shared_key(const LinearPlan& linear);
  PreparedHessian take_hessian(const LinearPlan& linear);
  std::int64_t rows(const LinearPlan& linear) const;
  Tensor kept_rows(const LinearPlan& linear) const;  ///< f32 [rows, K]; undefined when none were seen

 private:
  struct Input {
    std::map<std::string, HessianAccumulator> hessians;  ///< by hessian_key
    std::vector<float> kept;
    std::int64_t in_features = 0, seen = 0;
  };
  std::map<std::string, Input> inputs_;  ///< by input group
  std::int64_t kept_per_sample_;
};

/// Hidden rows of every calibration sample, between two blocks.
class CalibrationStates {
 public:
  std::vector<BlockState> states;
  std::size_t first = 0;  ///< the number of the first state's sample
  std::int64_t tokens = 0;

  /// Runs every sample through the block. With `collector` the states stay as they were (the float pass that only
  /// collects); without, they move on behind the block. after(number) is called for each sample.
  void run(const ModelBlock& block, InputCollector* collector, const std::function<void(std::size_t)>& after);
};

/// A sample as calibration sees it: prompt, then the expected answer and the end-of-turn token.
ModelInput prepare_sample(const Model& model, const Sample& sample);

}  // namespace octavo::detail
