// The three places that an architecture's weights come from: a checkpoint's data, its headers, or nowhere.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "octavo/linear_block.hpp"
#include "octavo/plan.hpp"

namespace octavo::model {

/// Mapped data of a checkpoint that fits. It must outlive this.
class CheckpointWeights final : public WeightSource {
 public:
  explicit CheckpointWeights(const Checkpoint& checkpoint) : checkpoint_(checkpoint) {}
  Tensor tensor(const std::string& name, const Shape& shape, const std::string& because) override;
  StoredLinear linear(const std::string& path, const Extent& out, const Extent& in, bool bias) override;

 private:
  const Checkpoint& checkpoint_;
};

/// Tensors without data: what the headers say of what is asked for; the promise where one is missing.
class HeaderWeights final : public WeightSource {
 public:
  explicit HeaderWeights(const Checkpoint& checkpoint) : checkpoint_(checkpoint) {}
  Tensor tensor(const std::string& name, const Shape& shape, const std::string& because) override;
  StoredLinear linear(const std::string& path, const Extent& out, const Extent& in, bool bias) override;
  /// Types and shapes of what was asked for since the last time, spelled out.
  std::string take_stored();

 private:
  Tensor stored(const std::string& name, DType promised_dtype, const Shape& promised);

  const Checkpoint& checkpoint_;
  std::string stored_;
};

/// No tensor at all: a list of what is asked for.
class ListedWeights final : public WeightSource {
 public:
  /// With `problems`, a scheme that cannot be run is reported, once each, and how the linear is stored left open.
  explicit ListedWeights(const Checkpoint& checkpoint, std::vector<CheckProblem>* problems = nullptr)
      : checkpoint_(checkpoint), problems_(problems) {}
  Tensor tensor(const std::string& name, const Shape& shape, const std::string& because) override;
  StoredLinear linear(const std::string& path, const Extent& out, const Extent& in, bool bias) override;

  std::vector<ExpectedTensor> tensors;

 private:
  std::optional<StoredScheme> scheme_of(const std::string& path);

  const Checkpoint& checkpoint_;
  std::vector<CheckProblem>* problems_;
  std::set<std::string> told_;
};

}  // namespace octavo::model
