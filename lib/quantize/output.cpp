#include "output.hpp"

#include <algorithm>
#include <filesystem>

#include "copied_files.hpp"
#include "octavo/config.hpp"

namespace octavo::detail {
namespace fs = std::filesystem;
namespace {

/// The writer keeps a shard's tensors until the shard ends. int8 blocks are owned memory, so shards of them end here,
/// long before max_shard_bytes, to keep the promise of one block at a time.
constexpr std::uint64_t kMaxHeldBytes = std::uint64_t{256} << 20;

/// Loaders match names against their own module tree, which for the same checkpoint is "visual.*" and "model.layers.*"
/// in one, "model.visual.*" and "model.language_model.layers.*" in another: each module is named in both ways, as
/// stored first.
std::vector<std::string> loader_names(const Checkpoint& source, const std::vector<std::string>& module_paths) {
  constexpr std::string_view kLanguage = "model.";
  std::vector<std::string> names;
  for (const std::string& path : module_paths) {
    names.push_back(source.stored_name(path));
    std::string newer = path;
    if (path.starts_with("visual.")) newer = "model." + path;
    if (path.starts_with(kLanguage)) newer = "model.language_model." + path.substr(kLanguage.size());
    if (names.back() == newer) newer = path;
    if (names.back() != newer) names.push_back(std::move(newer));
  }
  return names;
}

/// The quantized lm_head's: vLLM's mapping of names spares it, and looks for its own.
std::vector<std::string> with_vllm_head(std::vector<std::string> names) {
  if (std::find(names.begin(), names.end(), "lm_head") != names.end()) names.emplace_back("language_model.lm_head");
  return names;
}

/// The source's config.json. A tied model that stores a head of its own is written as what it is, untied: transformers
/// 4 would use the embedding in its place, where transformers 5 uses the head. So is one that gets a head in int8.
Json config_of(const Checkpoint& source, bool own_head) {
  const Json& config = source.config();
  const std::optional<bool> tied = stated_tie(config);
  const bool by_embedding = embedding_is_head(source, tied);
  if (own_head ? !by_embedding && !tied.value_or(false) : !tied.value_or(false) || by_embedding) return config;
  JsonBuilder untied(config);
  untied.set("tie_word_embeddings", false);
  if (const std::optional<Json> text = config.find("text_config"); text && text->is_object()) {
    JsonBuilder nested(*text);
    nested.set("tie_word_embeddings", false);
    untied.set("text_config", std::move(nested));
  }
  return untied.build(config.where());
}

const std::string& checked_target(const std::string& source, const std::string& target,
                                  std::span<const std::string> read) {
  if (target.empty()) {
    throw Error(ErrorCode::invalid_argument,
                "quantize: the output directory is empty; name one that does not exist yet");
  }
  std::error_code ignored;
  if (fs::equivalent(source, target, ignored)) {
    throw Error(ErrorCode::invalid_argument,
                "quantize: the output directory " + target + " is the model itself; choose another");
  }
  in_context("quantize", [&] { check_output_directory(target, read); });
  return target;
}

}  // namespace

QuantizedOutput::QuantizedOutput(const std::string& source, const std::string& target, bool overwrite,
                                 std::uint64_t max_shard_bytes, std::span<const std::string> read)
    : source_(source),
      directory_(checked_target(source, target, read), overwrite),
      writer_(directory_, max_shard_bytes) {}

void QuantizedOutput::add(const std::string& stored_name, const Tensor& tensor, bool held) {
  writer_.add(stored_name, tensor);
  bytes_ += tensor.size_bytes();
  if (held) {
    held_bytes_ += tensor.size_bytes();
    if (held_bytes_ >= kMaxHeldBytes) {
      writer_.flush();
      held_bytes_ = 0;
    }
  }
}

void QuantizedOutput::add_quantized(const Checkpoint& source, const std::string& module_path,
                                    const QuantizedLayer& layer, const Rule& rule) {
  const Tensor scales = layer.scales.to(rule.options.scale_dtype.value()).reshape({layer.scales.dim(0), 1});
  const StoredScheme scheme = rule.scheme == Scheme::w8a16 ? StoredScheme::w8a16 : StoredScheme::w8a8_dynamic;
  for (const auto& [leaf, tensor] : stored_tensors(scheme, layer.weight, scales))
    add(source.stored_name(module_path) + "." + leaf, tensor, true);
  written_.insert(module_path + ".weight");
}

void QuantizedOutput::copy_tensors(const std::string& prefix, const std::function<void(std::uint64_t)>& copied) {
  // A fresh mapping, dropped with the shard: pages that were copied do not stay resident.
  const Checkpoint source = Checkpoint::open(source_);
  std::uint64_t mapped = 0;
  for (const std::string& name : source.names()) {
    if (!name.starts_with(prefix) || !written_.insert(name).second) {
      continue;
    }
    if (const std::string problem = not_finite(source, name); !problem.empty())
      throw Error(ErrorCode::not_finite, problem);
    const Tensor tensor = source.tensor(name);
    add(source.info(name).name, tensor, false);
    mapped += tensor.size_bytes();
    copied(tensor.size_bytes());
  }
  held_bytes_ += mapped;
  if (held_bytes_ >= kMaxHeldBytes) {
    writer_.flush();
    held_bytes_ = 0;
  }
}

void QuantizedOutput::copy_files(const Checkpoint& source, const QuantizedModules& modules, bool own_head) {
  const QuantizedModules named{modules.rest, with_vllm_head(loader_names(source, modules.w8a16)),
                               loader_names(source, modules.ignored),
                               with_vllm_head(loader_names(source, modules.by_name))};
  directory_.write_file("config.json", with_quantization_config(config_of(source, own_head), named));
  for (const fs::directory_entry& entry : fs::directory_iterator(source_)) {
    const std::string name = entry.path().filename().string();
    if (entry.is_regular_file() && is_copied(name)) {
      directory_.copy_file(entry.path().string(), name);
    }
  }
}

}  // namespace octavo::detail
