// What a call of a model cannot do without, counted while it runs.
#pragma once

#include <octavo/octavo.hpp>
#include <span>
#include <string>

#include "bench.hpp"

namespace cli {

/// Adds up products and attention of the calls that its thread makes; what is done once per value (norms, activations,
/// quantizing) is small beside them. Bytes are weights and what attention reads of the cache, once each: activations
/// could stay in caches.
class WorkCounter : public octavo::OperationObserver {
 public:
  /// `grids`: of the pictures that the calls see, for the windows of the vision tower.
  WorkCounter(const octavo::Model& model, const octavo::ModelOptions& options, std::span<const octavo::Grid> grids);
  const Work& work() const { return work_; }

  void on_call(std::string_view) override {}
  void on_operation(const octavo::ObservedOperation& operation) override;
  std::string recent() const override { return ""; }

 private:
  void product(const octavo::ObservedOperation& operation);
  void attention(const octavo::ObservedOperation& operation);
  bool is_windowed(std::string_view module_path) const;

  octavo::ModelOptions options_;
  octavo::Json vision_config_;
  double pairs_in_windows_ = 0;  // of patches that see each other
  Work work_;
};

}  // namespace cli
