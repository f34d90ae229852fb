#include "octavo/linear_block.hpp"

#include <algorithm>
#include <utility>

#include "octavo/model_operations.hpp"

namespace octavo {

namespace {

Linear make_linear(const std::string& path, const StoredLinear& of, const Shape& promised, FloatMath math) {
  const LinearKind kind = of.scheme == StoredScheme::w8a8_dynamic ? LinearKind::w8a8
                          : of.scheme == StoredScheme::w8a16      ? LinearKind::w8a16
                                                                  : LinearKind::floating;
  if (of.weight.is_meta()) return Linear::meta(path, kind, of.weight, of.weight_scale, of.bias, promised);
  switch (kind) {
    case LinearKind::w8a8:
      return Linear::w8a8(path, of.weight, of.weight_scale, of.bias);
    case LinearKind::w8a16:
      return Linear::w8a16(path, of.weight, of.weight_scale, of.bias, math);
    case LinearKind::floating:
      break;
  }
  return Linear::floating(path, of.weight, of.bias, math);
}

}  // namespace

LoadedLinear load_linear(WeightSource& weights, const std::string& path, const std::string& input_group,
                         const Extent& out, const Extent& in, bool bias, FloatMath math) {
  LoadedLinear loaded;
  loaded.info = {path, input_group, in.size, out.size, bias};
  loaded.stored = weights.linear(path, out, in, bias);
  loaded.linear = make_linear(path, loaded.stored, Shape{out.size, in.size}, math);
  return loaded;
}

Tensor RmsNorm::operator()(const Tensor& x) const { return rms_norm(x, weight, eps, module_path, stored); }

RmsNorm load_norm(WeightSource& weights, const std::string& path, const Extent& width, double eps) {
  const Tensor weight = weights.vector(path + ".weight", width);
  return {path, weight.to(DType::f32), weight.dtype(), eps};
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
    const int wrong = linear.out_features() != slot.info.out_features ? 0 : 1;
    throw Error(ErrorCode::shape_mismatch,
                slot.info.module_path + ": replaced by a linear of [" + std::to_string(linear.out_features()) + ", " +
                    std::to_string(linear.in_features()) + "], expected [" + std::to_string(slot.info.out_features) +
                    ", " + std::to_string(slot.info.in_features) + "]",
                ShapeDetail{"replace", slot.info.module_path, "linear", wrong, wrong == 0 ? "N" : "K",
                            wrong == 0 ? slot.info.out_features : slot.info.in_features,
                            wrong == 0 ? linear.out_features() : linear.in_features()});
  }
  slot.linear = linear;
  slot.stored.weight = Tensor();
}

std::size_t LinearBlock::weight_bytes() const noexcept {
  std::size_t total = other_bytes_;
  for (const LoadedLinear& slot : slots_) total += slot.linear.weight_bytes();
  return total;
}

void LinearBlock::apply_add(std::size_t slot, const Tensor& x, Tensor& hidden, const BlockCall& call) const {
  observe(slot, x, call);
  const Linear& linear = slots_[slot].linear;
  if (current_observer() == nullptr) return linear.forward_add(x, hidden);
  add_in_place(hidden, linear.forward(x), path_);
}

Tensor LinearBlock::apply_gated(std::size_t gate, std::size_t up, const Tensor& x, std::string_view module_path,
                                const BlockCall& call) const {
  observe(gate, x, call);
  observe(up, x, call);
  const Linear& by_gate = slots_[gate].linear;
  const Linear& by_up = slots_[up].linear;
  if (current_observer() == nullptr) return forward_gated(by_gate, by_up, x);
  auto [gated, other] = forward_all({&by_gate, &by_up}, x);
  silu_multiply(gated, other, module_path);
  return std::move(gated);
}

std::size_t LinearBlock::add(WeightSource& weights, const std::string& name, const std::string& group,
                             const Extent& out, const Extent& in, bool bias) {
  const std::string whole = path_ + "." + group;
  leads_.push_back(std::none_of(slots_.begin(), slots_.end(),
                                [&](const LoadedLinear& slot) { return slot.info.input_group == whole; }));
  slots_.push_back(load_linear(weights, path_ + "." + name, whole, out, in, bias, math_));
  return slots_.size() - 1;
}

RmsNorm LinearBlock::add_norm(WeightSource& weights, const std::string& name, const Extent& width, double eps) {
  RmsNorm norm = load_norm(weights, path_ + "." + name, width, eps);
  other_bytes_ += norm.weight.size_bytes();
  return norm;
}

Tensor LinearBlock::add_tensor(WeightSource& weights, const std::string& name, const Shape& shape,
                               const std::string& because) {
  Tensor tensor = weights.tensor(path_ + "." + name, shape, because);
  other_bytes_ += tensor.size_bytes();
  return tensor;
}

}  // namespace octavo
