// Where an architecture's weights come from: a checkpoint's data, or its headers alone.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "octavo/model.hpp"

namespace octavo::model {

/// Tensors by their published name.
class WeightSource {
 public:
  virtual ~WeightSource() = default;
  virtual bool has(const std::string& name) const = 0;
  /// As stored. @throws Error  not_found
  virtual Tensor tensor(const std::string& name) const = 0;
  /// The shape that config.json implies; the stored one where nothing but that is let in.
  virtual Shape promised(const std::string& name) const = 0;
  virtual StoredScheme scheme_of(const std::string& module_path) const = 0;  ///< of a linear
};

/// Mapped data. The checkpoint must outlive it.
class CheckpointWeights final : public WeightSource {
 public:
  explicit CheckpointWeights(const Checkpoint& checkpoint) : checkpoint_(checkpoint) {}
  bool has(const std::string& name) const override { return checkpoint_.find(name) != nullptr; }
  Tensor tensor(const std::string& name) const override { return checkpoint_.tensor(name); }
  Shape promised(const std::string& name) const override { return checkpoint_.info(name).shape; }
  StoredScheme scheme_of(const std::string& module_path) const override { return checkpoint_.scheme_of(module_path); }

 private:
  const Checkpoint& checkpoint_;
};

/// Tensors without data: of what config.json promises, what the headers say; the promise where one is missing.
class HeaderWeights final : public WeightSource {
 public:
  HeaderWeights(const Checkpoint& checkpoint, const std::vector<ExpectedTensor>& expected);
  bool has(const std::string& name) const override { return weights_.contains(name); }
  Tensor tensor(const std::string& name) const override;
  Shape promised(const std::string& name) const override { return at(name).promised; }
  StoredScheme scheme_of(const std::string& module_path) const override { return at(module_path + ".weight").scheme; }

 private:
  struct Weight {
    DType dtype = DType::f32;
    Shape shape, promised;
    StoredScheme scheme = StoredScheme::none;
  };
  const Weight& at(const std::string& name) const;

  std::unordered_map<std::string, Weight> weights_;
};

}  // namespace octavo::model
