// What a call of a model cannot do without, counted while it runs.
#pragma once

#include <octavo/octavo.hpp>
#include <span>
#include <string>
#include <vector>

#include "bench.hpp"

namespace cli {

/// A step for each product and attention of the calls that its thread makes; what is done once per value (norms,
/// activations, quantizing) is small beside them, or can be done along with them. Bytes are weights and what attention
/// reads of the cache, once each: activations could stay in caches.
class WorkCounter : public octavo::OperationObserver {
 public:
  /// `grids`: of the pictures that the calls see, for the windows of the vision tower.
  WorkCounter(const octavo::Model& model, const octavo::ModelOptions& options, std::span<const octavo::Grid> grids);
  const std::vector<Work>& steps() const { return steps_; }
  /// While an observer listens, lm_head is read as it is stored: its steps count so many bytes instead.
  void read_of_head(double bytes);

  void on_call(std::string_view) override {}
  void on_operation(const octavo::ObservedOperation& operation) override;
  std::string recent() const override { return ""; }

 private:
  Work product(const octavo::ObservedOperation& operation) const;
  Work attention(const octavo::ObservedOperation& operation) const;
  octavo::FloatMath math_of(const octavo::ObservedOperation& operation) const;
  bool is_windowed(std::string_view module_path) const;

  octavo::ModelOptions options_;
  octavo::Json vision_config_;
  double pairs_in_windows_ = 0;  // of patches that see each other
  std::vector<Work> steps_;
  std::vector<std::size_t> head_steps_;  // of the lm_head
};

}  // namespace cli
