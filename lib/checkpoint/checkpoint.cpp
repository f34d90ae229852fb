#include "octavo/checkpoint.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <deque>
#include <filesystem>
#include <map>
#include <optional>
#include <unordered_set>
#include <utility>

#include "adapter.hpp"
#include "compressed_tensors.hpp"
#include "naming.hpp"
#include "octavo/message.hpp"
#include "packed.hpp"

namespace octavo {
namespace {

namespace fs = std::filesystem;
using checkpoint_detail::kNamings;
using checkpoint_detail::lies_under;
using checkpoint_detail::ModuleNames;
using checkpoint_detail::packed_columns;
using checkpoint_detail::QuantizationConfig;
using checkpoint_detail::StoredForm;

constexpr const char* kSingleFile = "model.safetensors";
constexpr const char* kIndexFile = "model.safetensors.index.json";
constexpr const char* kEmbedding = "model.embed_tokens.weight";

struct Prefix {
  std::string_view stored;
  std::string_view published;
};

// In this order: the longer of two that begin alike goes first.
constexpr std::array<Prefix, 5> kPrefixes{{
    {"model.visual", "visual"},
    {"model.language_model", "model"},
    {"language_model.model", "model"},
    {"language_model.lm_head", "lm_head"},
    {"vision_tower", "visual"},
}};

/// Levenshtein distance, for suggestions.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, replaced}));
    }
  }
  return row[b.size()];
}

std::string join(const std::string& directory, const std::string& name) {
  return (fs::path(directory) / name).string();
}

/// weight_map's file names come from the file: they must stay in the directory.
void check_shard_name(const Json& entry, std::string_view tensor) {
  const std::string& name = entry.as_string();
  if (name.empty() || name == "." || name == ".." ||
      name.find_first_of(std::string_view("/\\\0", 3)) != std::string::npos) {
    throw Error(ErrorCode::format, entry.where() + ": shard " + in_quotes(name) + " of tensor " + in_quotes(tensor) +
                                       " must be a file name in the checkpoint's directory, without a path");
  }
}

}  // namespace

std::string normalise_name(std::string_view stored) {
  for (const Prefix& prefix : kPrefixes) {
    if (lies_under(stored, prefix.stored)) {
      return std::string(prefix.published) + std::string(stored.substr(prefix.stored.size()));
    }
  }
  return std::string(stored);
}

namespace {

/// A module's name in every layout, the published one first.
std::vector<std::string> spellings_of(const std::string& published, const std::string& stored) {
  std::vector<std::string> spellings{published};
  if (stored != published) spellings.push_back(stored);
  // Savers write published tensor names, while the ignore list may name modules as the program held them.
  for (const Prefix& prefix : kPrefixes) {
    if (!lies_under(published, prefix.published)) continue;
    const std::string other = std::string(prefix.stored) + published.substr(prefix.published.size());
    if (other != stored) spellings.push_back(other);
  }
  return spellings;
}

}  // namespace

struct Checkpoint::Impl {
  struct Entry {
    std::size_t file = 0;
    const TensorInfo* info = nullptr;
    bool packed = false;  ///< stored as `info->name`, four to an integer; `info` tells the weight that it holds
  };

  std::string directory;
  Json config;
  std::vector<SafetensorsFile> files;
  std::vector<std::string> paths;                           // of `files`
  std::map<std::string, Entry, std::less<>> tensors;        // by published name
  std::map<std::string, std::string, std::less<>> spelled;  // "visual", "model", "lm_head" -> prefix in this checkpoint
  std::deque<TensorInfo> unpacked;                          // of packed weights; Entry::info points here
  std::uint64_t total_bytes = 0;
  std::optional<QuantizationConfig> quantization;
  std::size_t naming = 0;  // of kNamings: the names that quantization's expressions are given

  void open_file(const std::string& path) {
    files.push_back(SafetensorsFile::open(path));
    paths.push_back(path);
  }

  void insert(std::size_t file, const TensorInfo& info) {
    const auto [place, is_new] = tensors.emplace(normalise_name(info.name), Entry{file, &info});
    if (!is_new) {
      throw Error(ErrorCode::format, info.file + ": tensors " + in_quotes(place->second.info->name) + " and " +
                                         in_quotes(info.name) + " are the same one in two key layouts");
    }
    total_bytes += info.end - info.begin;
    for (const std::string_view published : {"visual", "model", "lm_head"}) {
      if (!lies_under(place->first, published)) continue;
      const std::size_t tail = place->first.size() - published.size();
      spelled.emplace(published, info.name.substr(0, info.name.size() - tail));
    }
  }

  void open_single(const std::string& path) {
    open_file(path);
    for (const TensorInfo& info : files.front().tensors()) insert(0, info);
  }

  void open_index(const std::string& path) {
    const Json index = Json::read_file(path);
    const Json weight_map = index.at("weight_map");
    if (!weight_map.is_object()) throw Error(ErrorCode::format, weight_map.where() + " must be an object");
    std::map<std::string, std::vector<std::string>> names_of;  // shard -> tensors
    weight_map.for_each_member([&](std::string_view tensor, const Json& shard) {
      check_shard_name(shard, tensor);
      names_of[shard.as_string()].emplace_back(tensor);
    });
    std::vector<std::string> missing;
    for (const auto& [shard, names] : names_of) {
      std::error_code failed;
      if (!fs::exists(join(directory, shard), failed)) missing.push_back(shard);
    }
    if (!missing.empty()) {
      throw Error(ErrorCode::not_found, path + ": " + std::to_string(missing.size()) + " of " +
                                            std::to_string(names_of.size()) + " shards are missing in " + directory +
                                            ": " + quoted_list(missing));
    }
    for (const auto& [shard, names] : names_of) {
      open_file(join(directory, shard));
      insert_indexed(path, names);
    }
  }

  /// The index's names in the shard opened last; each must be in its header.
  void insert_indexed(const std::string& index_path, const std::vector<std::string>& names) {
    const SafetensorsFile& file = files.back();
    std::vector<std::string> absent;
    for (const std::string& name : names) {
      const TensorInfo* info = file.find(name);
      if (info == nullptr) {
        absent.push_back(name);
      } else {
        insert(files.size() - 1, *info);
      }
    }
    if (!absent.empty()) {
      throw Error(ErrorCode::format, index_path + ": " + paths.back() + " does not hold " +
                                         std::to_string(absent.size()) + " of the " + std::to_string(names.size()) +
                                         " tensors that weight_map places there: " + quoted_list(absent));
    }
  }

  std::string stored_name(std::string_view published) const {
    if (const auto exact = tensors.find(published); exact != tensors.end()) return exact->second.info->name;
    for (const std::string_view part : {"visual", "model", "lm_head"}) {
      if (!lies_under(published, part)) continue;
      if (const auto known = spelled.find(part); known != spelled.end())
        return known->second + std::string(published.substr(part.size()));
      // A tied checkpoint shows no lm_head; converters that nest the language model nest the head with it.
      const auto text = spelled.find("model");
      if (part == "lm_head" && text != spelled.end() && text->second == "language_model.model")
        return "language_model." + std::string(published);
    }
    return std::string(published);
  }

  ModuleNames names_of(const std::string& published, std::size_t program) const {
    return {spellings_of(published, stored_name(published)), kNamings[program].of(published)};
  }

  /// "Linear", as far as tensors tell.
  bool is_linear(const std::string& published) const {
    const auto weight = tensors.find(published + ".weight");
    return weight != tensors.end() && weight->second.info->shape.rank() == 2 && !published.ends_with("embed_tokens");
  }

  /// Of an integer tensor that one of the shards holds; nothing when it is no [2] of i64.
  std::optional<Shape> stored_shape(const Entry& entry) const {
    if (entry.info->dtype != DType::i64 || entry.info->shape != Shape{2}) return std::nullopt;
    const Tensor tensor = files[entry.file].tensor(entry.info->name);
    const std::span<const std::int64_t> extents = tensor.values<std::int64_t>();
    return extents[0] > 0 && extents[1] > 0 ? std::optional(Shape{extents[0], extents[1]}) : std::nullopt;
  }

  /// A packed weight is shown as the int8 weight that it holds. Tensors that are no 8-bit packing stay as they are.
  void show_packed_weights() {
    if (!quantization) return;
    constexpr std::string_view kPacked = ".weight_packed";
    for (auto place = tensors.begin(); place != tensors.end();) {
      const auto [name, entry] = *place++;
      if (!name.ends_with(kPacked) || entry.info->dtype != DType::s32 || entry.info->shape.rank() != 2) continue;
      const std::string module = name.substr(0, name.size() - kPacked.size());
      const auto shape_at = tensors.find(module + ".weight_shape");
      if (shape_at == tensors.end() || tensors.contains(module + ".weight")) continue;
      const std::optional<Shape> shape = stored_shape(shape_at->second);
      const Shape& packed = entry.info->shape;
      if (!shape || (*shape)[0] != packed[0] || packed_columns((*shape)[1]) != packed[1]) continue;
      TensorInfo& info = unpacked.emplace_back(*entry.info);
      info.dtype = DType::s8;
      info.stored_dtype = "I8";
      info.shape = *shape;
      tensors.erase(name);
      tensors.erase(shape_at);
      tensors.emplace(module + ".weight", Entry{entry.file, &info, true});
      place = tensors.lower_bound(name);
    }
  }

  /// Loaders look for the tensors that a group's format names.
  void require_form(const std::string& published, const StoredForm& form) const {
    const auto weight = tensors.find(published + ".weight");
    if (!form.packed || weight == tensors.end() || weight->second.info->dtype != DType::s8) return;
    if (weight->second.packed == *form.packed) return;
    throw Error(ErrorCode::format,
                config.where() + ": quantization_config: a group's format is " +
                    (*form.packed ? "\"pack-quantized\", but its linears are stored as int8 \"weight\""
                                  : "\"int-quantized\", but its linears are stored as \"weight_packed\"") +
                    ": the format is wrong");
  }

  /// The same expression means other modules under other names, and config.json does not say whose it was written for:
  /// which weights are stored as integers does.
  void choose_naming() {
    if (!quantization || !quantization->has_expressions()) return;
    std::size_t fewest = SIZE_MAX;
    for (std::size_t program = 0; program < kNamings.size(); ++program) {
      std::size_t contradictions = 0;
      for (const auto& [name, entry] : tensors) {
        constexpr std::string_view kWeight = ".weight";
        if (!name.ends_with(kWeight)) continue;
        const std::string module = name.substr(0, name.size() - kWeight.size());
        if (!is_linear(module)) continue;
        const bool stored = entry.info->dtype == DType::s8;
        contradictions += quantization->claims(names_of(module, program), true) != stored ? 1U : 0U;
      }
      if (contradictions >= fewest) continue;
      fewest = contradictions;
      naming = program;
    }
  }

  /// A tied model may store its one matrix under the head's name, as transformers 5 accepts (modeling_utils.py,
  /// tie_weights): it is the embedding then, with the spelling that the file has.
  void take_head_for_embedding() {
    const auto head = tensors.find("lm_head.weight");
    if (head == tensors.end() || tensors.contains(kEmbedding)) return;
    const auto states_tied = [](const Json& level) {
      const std::optional<Json> tied = level.find("tie_word_embeddings");
      return tied && tied->is_bool() && tied->as_bool();
    };
    const std::optional<Json> text = config.find("text_config");
    if (!states_tied(config) && !(text && states_tied(*text))) return;
    const Entry entry = head->second;
    tensors.erase(head);
    tensors.emplace(kEmbedding, entry);
  }

  [[noreturn]] void refuse_without_weights() const {
    checkpoint_detail::refuse_adapter(directory);
    std::string remedy;
    std::error_code failed;
    for (fs::directory_iterator it(directory, failed), end; !failed && it != end; it.increment(failed)) {
      const std::string name = it->path().filename().string();
      if (name.ends_with(".bin") || name.ends_with(".pt") || name.ends_with(".pth")) {
        remedy = "; \"" + name + "\" is not read: save the checkpoint as safetensors";
      }
      if (name.ends_with(".safetensors")) remedy = "; \"" + name + "\" is there, but no index names it";
    }
    throw Error(ErrorCode::not_found, directory + ": has neither " + kSingleFile + " nor " + kIndexFile + remedy);
  }

  /// The nearest names, for a name that is not there: at most half of it may differ.
  std::vector<std::string> suggestions(std::string_view name) const {
    std::vector<std::pair<std::size_t, std::string>> ranked;
    constexpr std::size_t kMaxLength = 256;
    constexpr std::size_t kMaxCandidates = 4096;
    if (name.size() > kMaxLength) return {};
    std::size_t compared = 0;
    for (const auto& [candidate, entry] : tensors) {
      if (candidate.size() > kMaxLength) continue;
      if (++compared > kMaxCandidates) break;
      const std::size_t distance = edit_distance(name, candidate);
      if (2 * distance <= name.size()) ranked.emplace_back(distance, candidate);
    }
    std::sort(ranked.begin(), ranked.end());
    std::vector<std::string> nearest;
    for (std::size_t i = 0; i < std::min<std::size_t>(ranked.size(), 3); ++i) nearest.push_back(ranked[i].second);
    return nearest;
  }
};

Checkpoint Checkpoint::open(const std::string& directory) {
  std::error_code failed;
  if (!fs::exists(directory, failed)) {
    throw Error(ErrorCode::not_found, "\"" + directory + "\": no such directory");
  }
  if (!fs::is_directory(directory, failed)) {
    throw Error(ErrorCode::invalid_argument,
                directory + ": is a file; a checkpoint is the directory that holds config.json and the weights");
  }
  const std::string config_path = join(directory, "config.json");
  if (!fs::exists(config_path, failed)) {
    checkpoint_detail::refuse_adapter(directory);
    throw Error(ErrorCode::not_found, directory + ": has no config.json, so it is not a Hugging Face checkpoint");
  }
  const auto impl = std::make_shared<Impl>();
  impl->directory = directory;
  impl->config = Json::read_file(config_path);
  if (!impl->config.is_object()) throw Error(ErrorCode::format, config_path + ": must be a JSON object");
  impl->quantization = QuantizationConfig::parse(impl->config);
  if (fs::exists(join(directory, kSingleFile), failed)) {
    impl->open_single(join(directory, kSingleFile));
  } else if (fs::exists(join(directory, kIndexFile), failed)) {
    impl->open_index(join(directory, kIndexFile));
  } else {
    impl->refuse_without_weights();
  }
  impl->take_head_for_embedding();
  impl->show_packed_weights();
  impl->choose_naming();
  Checkpoint checkpoint;
  checkpoint.impl_ = impl;
  return checkpoint;
}

const std::string& Checkpoint::directory() const noexcept { return impl_->directory; }
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
  throw Error(ErrorCode::not_found, impl_->directory + ": has no tensor " + in_quotes(name) +
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
