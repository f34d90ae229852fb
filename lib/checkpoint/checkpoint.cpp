#include "octavo/checkpoint.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <unordered_set>
#include <utility>

#include "checkpoint_impl.hpp"
#include "naming.hpp"
#include "octavo/message.hpp"
#include "packed.hpp"

namespace octavo {
namespace {

using checkpoint_detail::kNamings;
using checkpoint_detail::ModuleNames;
using checkpoint_detail::StoredForm;

}  // namespace

bool Checkpoint::Impl::is_linear(const std::string& published) const {
  const auto weight = tensors.find(published + ".weight");
  return weight != tensors.end() && weight->second.info->shape.rank() == 2 && !published.ends_with("embed_tokens");
}

void Checkpoint::Impl::require_form(const std::string& published, const StoredForm& form) const {
  const auto weight = tensors.find(published + ".weight");
  if (!form.packed || weight == tensors.end() || weight->second.info->dtype != DType::s8) return;
  if (weight->second.packed == *form.packed) return;
  throw Error(ErrorCode::format,
              config.where() + ": quantization_config: a group's format is " +
                  (*form.packed ? "\"pack-quantized\", but its linears are stored as int8 \"weight\""
                                : "\"int-quantized\", but its linears are stored as \"weight_packed\"") +
                  ": the format is wrong");
}

const std::string& Checkpoint::directory() const noexcept { return impl_->source.label(); }
const FileSource& Checkpoint::files() const noexcept { return impl_->source; }
const Json& Checkpoint::config() const noexcept { return impl_->config; }
std::uint64_t Checkpoint::total_bytes() const noexcept { return impl_->total_bytes; }
std::vector<std::string> Checkpoint::shard_files() const { return impl_->paths; }
bool Checkpoint::is_quantized() const noexcept { return impl_->quantization.has_value(); }

std::vector<std::string> Checkpoint::names() const {
  std::vector<std::string> names;
  names.reserve(impl_->tensors.size());
  for (const auto& [name, entry] : impl_->tensors) names.push_back(name);
  return names;
}

std::vector<TensorInfo> Checkpoint::stored_tensors() const {
  std::map<std::string, TensorInfo> stored;
  for (const auto& [name, entry] : impl_->tensors) {
    const SafetensorsFile& file = impl_->files[entry.file];
    stored.emplace(normalise_name(entry.info->name), *file.find(entry.info->name));
    if (!entry.packed) continue;
    const std::string& packed = entry.info->name;
    const std::string shape = packed.substr(0, packed.rfind('.')) + ".weight_shape";
    for (const SafetensorsFile& other : impl_->files)
      if (const TensorInfo* info = other.find(shape)) stored.emplace(normalise_name(shape), *info);
  }
  std::vector<TensorInfo> list;
  list.reserve(stored.size());
  for (auto& [name, info] : stored) list.push_back(std::move(info));
  return list;
}

const TensorInfo* Checkpoint::find(std::string_view name) const noexcept {
  const auto found = impl_->tensors.find(name);
  return found == impl_->tensors.end() ? nullptr : found->second.info;
}

const TensorInfo& Checkpoint::info(std::string_view name) const {
  if (const TensorInfo* found = find(name)) return *found;
  const std::vector<std::string> nearest = impl_->suggestions(name);
  throw Error(ErrorCode::not_found, impl_->source.label() + ": has no tensor " + in_quotes(name) +
                                        (nearest.empty() ? "" : "; the nearest are " + quoted_list(nearest)));
}

Tensor Checkpoint::tensor(std::string_view name) const {
  const TensorInfo& found = info(name);
  const Impl::Entry& entry = impl_->tensors.find(name)->second;
  const Tensor stored = impl_->files[entry.file].tensor(found.name);
  if (!entry.packed) return stored;
  Tensor weight = checkpoint_detail::unpack(stored, found.shape[1]);
  stored.drop_pages();  // the copy is what is read from now on
  return weight;
}

std::string Checkpoint::stored_name(std::string_view normalised) const { return impl_->stored_name(normalised); }

std::string Checkpoint::other_naming() const {
  return impl_->naming == 0 ? std::string() : std::string(kNamings[impl_->naming].program);
}

std::vector<Checkpoint::UnmatchedPattern> Checkpoint::unmatched_patterns(
    std::span<const std::string> module_paths) const {
  std::vector<UnmatchedPattern> unmatched;
  if (!impl_->quantization) return unmatched;
  std::vector<ModuleNames> modules;  // under every program's names: an entry may be meant for another one
  std::unordered_set<std::string> known;
  for (const std::string& path : module_paths) {
    for (std::size_t program = 0; program < kNamings.size(); ++program)
      modules.push_back(impl_->names_of(path, program));
    known.insert(modules.back().spellings.begin(), modules.back().spellings.end());
  }
  for (const checkpoint_detail::ModulePattern* pattern : impl_->quantization->patterns()) {
    const auto matches = [&](const ModuleNames& names) {
      return pattern->match(names, false) != checkpoint_detail::ModulePattern::Match::none;
    };
    const bool matched =
        pattern->is_class() ||
        (pattern->is_name() ? known.count(pattern->text()) != 0 : std::any_of(modules.begin(), modules.end(), matches));
    if (!matched) unmatched.push_back({pattern->where(), pattern->text()});
  }
  return unmatched;
}

StoredScheme Checkpoint::scheme_of(std::string_view module_path) const {
  if (!impl_->quantization) return StoredScheme::none;
  const std::string published = normalise_name(module_path);
  const StoredForm form =
      impl_->quantization->form_of(impl_->names_of(published, impl_->naming), impl_->is_linear(published));
  impl_->require_form(published, form);
  return form.scheme;
}

StoredLinear Checkpoint::linear(std::string_view module_path) const {
  const std::string path = normalise_name(module_path);
  StoredLinear linear;
  linear.scheme = scheme_of(path);
  linear.weight = tensor(path + ".weight");
  const auto complain = [&](const std::string& suffix, const std::string& problem) {
    const TensorInfo& found = info(path + suffix);
    throw Error(ErrorCode::format, found.file + ": tensor " + in_quotes(found.name) + " (" + found.stored_dtype + " " +
                                       found.shape.to_string() + ") " + problem);
  };
  if (linear.weight.rank() != 2) complain(".weight", "must be a matrix [N, K]");
  const std::int64_t channels = linear.weight.dim(0);
  if (find(path + ".bias") != nullptr) {
    linear.bias = tensor(path + ".bias");
    if (linear.bias.shape() != Shape{channels}) {
      complain(".bias", "must have one value for each of the weight's " + std::to_string(channels) + " rows");
    }
  }
  if (linear.scheme == StoredScheme::none) return linear;

  if (linear.weight.dtype() != DType::s8) complain(".weight", "must be I8: quantization_config says it is quantized");
  const Tensor scale = tensor(path + ".weight_scale");
  if (scale.shape() != Shape{channels, 1} && scale.shape() != Shape{channels}) {
    complain(".weight_scale", "must have one value for each of the weight's " + std::to_string(channels) + " rows");
  }
  if (scale.dtype() != DType::f32 && scale.dtype() != DType::bf16 && scale.dtype() != DType::f16) {
    complain(".weight_scale", "must be F32, BF16 or F16");
  }
  linear.weight_scale = scale.to(DType::f32).reshape(Shape{channels});
  const std::span<const float> scales = linear.weight_scale.values<float>();
  for (std::size_t i = 0; i < scales.size(); ++i) {
    if (!std::isfinite(scales[i]) || scales[i] < 0) {
      complain(".weight_scale", "has " + std::to_string(scales[i]) + " in row " + std::to_string(i) +
                                    ", a scale must be finite and not negative");
    }
  }
  if (find(path + ".weight_zero_point") != nullptr) {
    const Tensor zero_point = tensor(path + ".weight_zero_point");
    const auto* bytes = static_cast<const unsigned char*>(zero_point.raw());
    if (std::any_of(bytes, bytes + zero_point.size_bytes(), [](unsigned char byte) { return byte != 0; }))
      complain(".weight_zero_point", "is not 0 throughout: the weight is quantized symmetrically");
  }
  return linear;
}

std::string not_finite(const Checkpoint& checkpoint, std::string_view name) {
  const TensorInfo& found = checkpoint.info(name);
  const std::optional<std::int64_t> at = first_not_finite(checkpoint.tensor(name));
  if (!at) return {};
  return found.file + ": tensor \"" + found.name + "\" holds NaN or infinity, first at " + found.shape.indices(*at);
}

}  // namespace octavo
