// A checkpoint opened: its shards' headers, by published name.
#include <algorithm>
#include <filesystem>
#include <map>
#include <utility>

#include "adapter.hpp"
#include "checkpoint_impl.hpp"
#include "naming.hpp"
#include "octavo/message.hpp"
#include "packed.hpp"

namespace octavo {
namespace {

using checkpoint_detail::kNamings;
using checkpoint_detail::lies_under;
using checkpoint_detail::packed_columns;
using checkpoint_detail::QuantizationConfig;

constexpr const char* kConfigFile = "config.json";
constexpr const char* kSingleFile = "model.safetensors";
constexpr const char* kIndexFile = "model.safetensors.index.json";
constexpr const char* kEmbedding = "model.embed_tokens.weight";

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

void Checkpoint::Impl::open_shard(const std::string& name) {
  files.push_back(SafetensorsFile::open(source, name));
  paths.push_back(source.path_of(name));
}

void Checkpoint::Impl::insert(std::size_t file, const TensorInfo& info) {
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

void Checkpoint::Impl::open_single() {
  open_shard(kSingleFile);
  for (const TensorInfo& info : files.front().tensors()) insert(0, info);
}

void Checkpoint::Impl::open_index() {
  const Json index = source.json(kIndexFile);
  const Json weight_map = index.at("weight_map");
  if (!weight_map.is_object()) throw Error(ErrorCode::format, weight_map.where() + " must be an object");
  std::map<std::string, std::vector<std::string>> names_of;  // shard -> tensors
  weight_map.for_each_member([&](std::string_view tensor, const Json& shard) {
    check_shard_name(shard, tensor);
    names_of[shard.as_string()].emplace_back(tensor);
  });
  std::vector<std::string> missing;
  for (const auto& [shard, names] : names_of) {
    if (!source.has(shard)) missing.push_back(shard);
  }
  if (!missing.empty()) {
    throw Error(ErrorCode::not_found, source.path_of(kIndexFile) + ": " + std::to_string(missing.size()) + " of " +
                                          std::to_string(names_of.size()) + " shards are missing in " + source.label() +
                                          ": " + quoted_list(missing));
  }
  for (const auto& [shard, names] : names_of) {
    open_shard(shard);
    insert_indexed(names);
  }
}

void Checkpoint::Impl::insert_indexed(const std::vector<std::string>& names) {
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
    throw Error(ErrorCode::format, source.path_of(kIndexFile) + ": " + paths.back() + " does not hold " +
                                       std::to_string(absent.size()) + " of the " + std::to_string(names.size()) +
                                       " tensors that weight_map places there: " + quoted_list(absent));
  }
}

std::optional<Shape> Checkpoint::Impl::stored_shape(const Entry& entry) const {
  if (entry.info->dtype != DType::i64 || entry.info->shape != Shape{2}) return std::nullopt;
  const Tensor tensor = files[entry.file].tensor(entry.info->name);
  const std::span<const std::int64_t> extents = tensor.values<std::int64_t>();
  return extents[0] > 0 && extents[1] > 0 ? std::optional(Shape{extents[0], extents[1]}) : std::nullopt;
}

void Checkpoint::Impl::show_packed_weights() {
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

void Checkpoint::Impl::choose_naming() {
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

void Checkpoint::Impl::take_head_for_embedding() {
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

void Checkpoint::Impl::refuse_without_weights() const {
  checkpoint_detail::refuse_adapter(source);
  std::string remedy;
  for (const std::string& name : source.names()) {
    if (name.ends_with(".bin") || name.ends_with(".pt") || name.ends_with(".pth")) {
      remedy = "; \"" + name + "\" is not read: save the checkpoint as safetensors";
    }
    if (name.ends_with(".safetensors")) remedy = "; \"" + name + "\" is there, but no index names it";
  }
  throw Error(ErrorCode::not_found, source.label() + ": has neither " + kSingleFile + " nor " + kIndexFile + remedy);
}

namespace {

void require_directory(const std::string& directory) {
  std::error_code failed;
  if (!std::filesystem::exists(directory, failed))
    throw Error(ErrorCode::not_found, "\"" + directory + "\": no such directory");
  if (!std::filesystem::is_directory(directory, failed))
    throw Error(ErrorCode::invalid_argument,
                directory + ": is a file; a checkpoint is the directory that holds config.json and the weights");
}

}  // namespace

Checkpoint Checkpoint::open(const FileSource& files) {
  if (files.is_directory()) require_directory(files.label());
  if (!files.has(kConfigFile)) {
    checkpoint_detail::refuse_adapter(files);
    throw Error(ErrorCode::not_found, files.label() + ": has no config.json, so it is not a Hugging Face checkpoint");
  }
  const auto impl = std::make_shared<Impl>(files);
  impl->config = files.json(kConfigFile);
  if (!impl->config.is_object()) throw Error(ErrorCode::format, files.path_of(kConfigFile) + ": must be a JSON object");
  impl->quantization = QuantizationConfig::parse(impl->config);
  if (files.has(kSingleFile)) {
    impl->open_single();
  } else if (files.has(kIndexFile)) {
    impl->open_index();
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

}  // namespace octavo
