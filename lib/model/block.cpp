#include "block.hpp"

#include <algorithm>
#include <utility>

#include "ops.hpp"

namespace octavo::model {

namespace {

Linear make_linear(StoredScheme scheme, const std::string& path, const LoadedLinear& of, const Shape& promised,
                   FloatMath math) {
  const LinearKind kind = scheme == StoredScheme::w8a8_dynamic ? LinearKind::w8a8
                          : scheme == StoredScheme::w8a16      ? LinearKind::w8a16
                                                               : LinearKind::floating;
  if (of.weight.is_meta()) return Linear::meta(path, kind, of.weight, of.scale, of.bias, promised);
  switch (kind) {
    case LinearKind::w8a8:
      return Linear::w8a8(path, of.weight, of.scale, of.bias);
    case LinearKind::w8a16:
      return Linear::w8a16(path, of.weight, of.scale, of.bias, math);
    case LinearKind::floating:
      break;
  }
  return Linear::floating(path, of.weight, of.bias, math);
}

}  // namespace

LoadedLinear load_linear(const WeightSource& source, const std::string& path, const std::string& input_group,
                         FloatMath math) {
  LoadedLinear loaded;
  const StoredScheme scheme = source.scheme_of(path);
  const Shape promised = source.promised(path + ".weight");
  loaded.weight = source.tensor(path + ".weight");
  if (scheme != StoredScheme::none) loaded.scale = source.tensor(path + ".weight_scale");
  if (source.has(path + ".bias")) loaded.bias = source.tensor(path + ".bias");
  loaded.linear = make_linear(scheme, path, loaded, promised, math);
  loaded.info = {path, input_group, promised[1], promised[0], loaded.bias.defined()};
  return loaded;
}

Tensor RmsNorm::operator()(const Tensor& x) const { return rms_norm(x, weight, eps, module_path, stored); }

RmsNorm load_norm(const WeightSource& source, const std::string& path, double eps) {
  const Tensor weight = source.tensor(path + ".weight");
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
  slot.weight = Tensor();
}

std::size_t LinearBlock::weight_bytes() const noexcept {
  std::size_t total = 0;
  for (const LoadedLinear& slot : slots_) total += slot.linear.weight_bytes();
  return total;
}

std::string LinearBlock::stored_as() const {
  std::string text;
  for (const LoadedLinear& slot : slots_)
    for (const Tensor& tensor : {slot.weight, slot.scale, slot.bias})
      text += tensor.defined() ? dtype_name(tensor.dtype()) + tensor.shape().to_string() + " " : "none ";
  return text;
}

void LinearBlock::apply_add(std::size_t slot, Tensor x, Tensor& hidden) const {
  if (current_observer() == nullptr) return at(slot).forward_add(x, hidden);
  const Tensor y = apply(slot, x);
  x = {};  // a ledger sees it go
  add_in_place(hidden, y, path_);
}

Tensor LinearBlock::apply_gated(std::size_t gate, std::size_t up, const Tensor& x, std::string_view module_path) const {
  if (current_observer() == nullptr) return forward_gated(at(gate), at(up), x);
  auto [gated, by] = forward_all({&at(gate), &at(up)}, x);
  silu_multiply(gated, by, module_path);
  return std::move(gated);
}

std::size_t LinearBlock::add(const WeightSource& source, const std::string& name, const std::string& group) {
  slots_.push_back(load_linear(source, path_ + "." + name, path_ + "." + group, math_));
  return slots_.size() - 1;
}

}  // namespace octavo::model
