#include "wrapped_names.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <string_view>

namespace octavo::model {
namespace {

/// Put in by wrappers, in front of names or within.
constexpr std::array<std::string_view, 6> kSegments{
    "_orig_mod", "module", "_fsdp_wrapped_module", "_checkpoint_wrapped_module", "_forward_module", "base_layer"};
constexpr std::string_view kPeft = "base_model.model.";
constexpr std::string_view kAdapter = "lora_";  // lora_A, lora_B, lora_embedding_A, lora_magnitude_vector

struct Unwrapped {
  std::string wrapper, name;
};

/// Without the segments that wrappers are known to add; the first one names the wrapper.
Unwrapped without_known(std::string_view stored) {
  Unwrapped result;
  if (stored.starts_with(kPeft)) {
    result.wrapper = kPeft;
    stored.remove_prefix(kPeft.size());
  }
  while (!stored.empty()) {
    const std::size_t dot = std::min(stored.find('.'), stored.size());
    const std::string_view segment = stored.substr(0, dot);
    stored.remove_prefix(std::min(dot + 1, stored.size()));
    if (std::find(kSegments.begin(), kSegments.end(), segment) == kSegments.end()) {
      result.name += (result.name.empty() ? "" : ".") + std::string(segment);
    } else if (result.wrapper.empty()) {
      result.wrapper = std::string(segment) + ".";
    }
  }
  return result;
}

std::optional<Unwrapped> unwrap(const std::string& stored, const std::set<std::string>& promised) {
  Unwrapped known = without_known(stored);
  known.name = normalise_name(known.name);
  if (!known.wrapper.empty() && promised.contains(known.name)) return known;
  constexpr int kMostSegments = 4;
  std::size_t begin = 0;
  for (int i = 0; i < kMostSegments; ++i) {
    begin = stored.find('.', begin);
    if (begin == std::string::npos) break;
    ++begin;
    const std::string name = normalise_name(std::string_view(stored).substr(begin));
    if (promised.contains(name)) return Unwrapped{stored.substr(0, begin), name};
  }
  if (stored.find("." + std::string(kAdapter)) != std::string::npos)
    return Unwrapped{std::string(kAdapter), ""};  // stands for no tensor of the model
  return std::nullopt;
}

std::string remedy_for(const std::string& wrapper) {
  if (wrapper == kPeft || wrapper == kAdapter || wrapper == "base_layer.")
    return "merge the adapter first: model = model.merge_and_unload() in peft, then model.save_pretrained(OUT)";
  if (wrapper == "_orig_mod.") return "torch.compile put it there: save model._orig_mod with save_pretrained";
  if (wrapper == "module.") return "DataParallel put it there: save model.module with save_pretrained";
  return "save the model itself, not the object that wraps it, or take the prefix off every name";
}

}  // namespace

CheckProblem WrappedNames::problem(const Checkpoint& checkpoint) const {
  const std::string count = std::to_string(stored.size()) + " of " + std::to_string(checkpoint.names().size());
  return {count + line(), checkpoint.directory(), remedy_for(wrapper)};
}

std::string WrappedNames::line() const {
  return (wrapper == kAdapter ? " tensors are of an adapter that was not merged, \""
                              : " tensors have \"" + wrapper + "\" in their names, as \"") +
         stored.front() + "\": transformers would not load them either";
}

std::vector<WrappedNames> find_wrapped_names(const Checkpoint& checkpoint, const std::set<std::string>& promised) {
  std::map<std::string, WrappedNames> found;
  for (const std::string& name : checkpoint.names()) {
    if (promised.contains(name)) continue;
    const std::string& stored = checkpoint.info(name).name;
    const std::optional<Unwrapped> plain = unwrap(stored, promised);
    if (!plain) continue;
    WrappedNames& names = found[plain->wrapper];
    names.wrapper = plain->wrapper;
    names.stored.push_back(stored);
    if (!plain->name.empty()) names.promised.insert(plain->name);
  }
  std::vector<WrappedNames> list;
  for (auto& [wrapper, names] : found) list.push_back(std::move(names));
  return list;
}

void require_plain_names(const Checkpoint& checkpoint) {
  std::set<std::string> missing;
  for (const char* anchor : {"model.embed_tokens.weight", "model.norm.weight", "visual.patch_embed.proj.weight",
                             "model.layers.0.input_layernorm.weight", "model.layers.0.self_attn.q_proj.weight"})
    if (checkpoint.find(anchor) == nullptr) missing.insert(anchor);
  for (const WrappedNames& names : find_wrapped_names(checkpoint, missing)) {
    throw Error(ErrorCode::format, checkpoint.directory() + ":" + names.line() + "; " + remedy_for(names.wrapper));
  }
}

}  // namespace octavo::model
