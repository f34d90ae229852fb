#include "block.hpp"

#include <algorithm>
#include <utility>

#include "ops.hpp"

namespace octavo::model {

LoadedLinear load_linear(const Checkpoint& checkpoint, const std::string& path, const std::string& input_group) {
  LoadedLinear loaded;
  loaded.weight = checkpoint.tensor(path + ".weight");
  if (checkpoint.find(path + ".bias") != nullptr) loaded.bias = checkpoint.tensor(path + ".bias");
  const auto scale = [&] { return checkpoint.tensor(path + ".weight_scale"); };
  switch (checkpoint.scheme_of(path)) {
    case StoredScheme::none:
      loaded.linear = Linear::floating(path, loaded.weight, loaded.bias);
      break;
    case StoredScheme::w8a8_dynamic:
      loaded.linear = Linear::w8a8(path, loaded.weight, scale(), loaded.bias);
      break;
    case StoredScheme::w8a16:
      loaded.linear = Linear::w8a16(path, loaded.weight, scale(), loaded.bias);
      break;
  }
  loaded.info = {path, input_group, loaded.weight.dim(1), loaded.weight.dim(0), loaded.bias.defined()};
  return loaded;
}

Tensor RmsNorm::operator()(const Tensor& x) const { return rms_norm(x, weight, eps, module_path); }

RmsNorm load_norm(const Checkpoint& checkpoint, const std::string& path, double eps) {
  return {path, checkpoint.tensor(path + ".weight").to(DType::f32), eps};
}

std::vector<LinearInfo> LinearBlock::linears() const {
  std::vector<LinearInfo> infos;
  for (const LoadedLinear& slot : slots_) infos.push_back(slot.info);
  return infos;
}

std::size_t LinearBlock::index_of(std::string_view module_path) const {
  std::string known;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    const std::string& path = slots_[i].info.module_path;
    if (path == module_path) return i;
    known += (known.empty() ? "" : ", ") + path;
  }
  throw Error(ErrorCode::not_found, path_ + ": no linear named \"" + std::string(module_path) + "\"; it has " + known);
}

bool LinearBlock::holds(std::string_view module_path) const noexcept {
  return std::any_of(slots_.begin(), slots_.end(),
                     [&](const LoadedLinear& slot) { return slot.info.module_path == module_path; });
}

void LinearBlock::replace(std::string_view module_path, const Linear& linear) {
  LoadedLinear& slot = slots_[index_of(module_path)];
  if (!linear.defined())
    throw Error(ErrorCode::invalid_argument, slot.info.module_path + ": replaced by an undefined linear");
  if (linear.in_features() != slot.info.in_features || linear.out_features() != slot.info.out_features) {
    throw Error(ErrorCode::shape_mismatch,
                slot.info.module_path + ": replaced by a linear of [" + std::to_string(linear.out_features()) + ", " +
                    std::to_string(linear.in_features()) + "], expected [" + std::to_string(slot.info.out_features) +
                    ", " + std::to_string(slot.info.in_features) + "]");
  }
  slot.linear = linear;
  slot.weight = Tensor();
}

std::size_t LinearBlock::weight_bytes() const noexcept {
  std::size_t total = 0;
  for (const LoadedLinear& slot : slots_) total += slot.linear.weight_bytes();
  return total;
}

std::size_t LinearBlock::add(const Checkpoint& checkpoint, const std::string& name, const std::string& group) {
  slots_.push_back(load_linear(checkpoint, path_ + "." + name, path_ + "." + group));
  return slots_.size() - 1;
}

}  // namespace octavo::model
