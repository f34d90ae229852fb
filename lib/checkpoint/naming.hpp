/// How the programs that load a checkpoint name its modules.
#pragma once

#include <array>
#include <string>
#include <string_view>

namespace octavo::checkpoint_detail {

/// `name` is `prefix` or lies below it.
inline bool lies_under(std::string_view name, std::string_view prefix) {
  return name.starts_with(prefix) && (name.size() == prefix.size() || name[prefix.size()] == '.');
}

/// Where one program keeps the model's three parts.
struct Naming {
  std::string_view program;
  std::string_view visual, model, lm_head;

  /// The program's name of a module of the published layout.
  std::string of(std::string_view published) const {
    for (const auto& [part, place] : std::array<std::pair<std::string_view, std::string_view>, 3>{
             {{"visual", visual}, {"model", model}, {"lm_head", lm_head}}})
      if (lies_under(published, part)) return std::string(place) + std::string(published.substr(part.size()));
    return std::string(published);
  }
};

/// The likeliest first. Sources: Qwen2_5_VLForConditionalGeneration of transformers 4.49 and of 4.52 to 5.17;
/// hf_to_vllm_mapper in vllm/model_executor/models/qwen2_5_vl.py.
inline constexpr std::array<Naming, 3> kNamings{
    {{"transformers from 4.52 on", "model.visual", "model.language_model", "lm_head"},
     {"transformers before 4.52", "visual", "model", "lm_head"},
     {"vLLM", "visual", "language_model.model", "language_model.lm_head"}}};

}  // namespace octavo::checkpoint_detail
