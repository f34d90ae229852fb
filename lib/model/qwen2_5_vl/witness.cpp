// What the tensors' own shapes say of config.json: a field that is left out, stale or wrong is one problem, not one for
// each tensor that it shapes.
#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "qwen2_5_vl.hpp"

namespace octavo::model {
namespace {

class Witness {
 public:
  Witness(const Checkpoint& checkpoint, std::vector<Contradiction>& found)
      : checkpoint_(checkpoint), names_(checkpoint.names()), found_(found) {}

  void settle(const std::string& field, std::int64_t& value, std::int64_t shown, const std::string& tensors) {
    if (shown <= 0 || shown == value) return;
    found_.push_back({field, value, shown, tensors});
    value = shown;
  }
  /// 0 when there is no such tensor or dimension.
  std::int64_t dim(const std::string& name, int index) const {
    const TensorInfo* info = checkpoint_.find(name);
    return info == nullptr || info->shape.rank() <= index ? 0 : info->shape[index];
  }
  /// 1 + the largest index of "prefix.INDEX."; 0 when there is none.
  std::int64_t blocks(std::string_view prefix) const {
    std::int64_t most = 0;
    for (const std::string& name : names_) {
      if (!name.starts_with(prefix)) continue;
      std::int64_t index = 0;
      std::size_t at = prefix.size();
      for (; at < name.size() && name[at] >= '0' && name[at] <= '9' && index < (1 << 16); ++at)
        index = 10 * index + (name[at] - '0');
      if (at > prefix.size() && at < name.size() && name[at] == '.') most = std::max(most, index + 1);
    }
    return most;
  }
  /// What most tensors of this ending have: one of them may be the wrong one.
  std::int64_t usual_dim(std::string_view prefix, std::string_view ending, int index) const {
    std::map<std::int64_t, std::int64_t> counts;
    for (const std::string& name : names_)
      if (name.starts_with(prefix) && name.ends_with(ending)) ++counts[dim(name, index)];
    const auto usual = std::max_element(counts.begin(), counts.end(),
                                        [](const auto& a, const auto& b) { return a.second < b.second; });
    return usual == counts.end() ? 0 : usual->first;
  }

 private:
  const Checkpoint& checkpoint_;
  std::vector<std::string> names_;
  std::vector<Contradiction>& found_;
};

}  // namespace

std::vector<Contradiction> follow_tensors(const Checkpoint& checkpoint, Qwen25VlConfig& config) {
  std::vector<Contradiction> found;
  Witness witness(checkpoint, found);
  TextConfig& text = config.text;
  const std::string layers = "model.layers.";
  const std::string table = "model.embed_tokens.weight";
  witness.settle("vocab_size", text.vocab_size, witness.dim(table, 0), table);
  witness.settle("hidden_size", text.hidden_size, witness.dim(table, 1), table);
  witness.settle("num_hidden_layers", text.num_hidden_layers, witness.blocks(layers), layers + "*");
  const auto of_layers = [&](const char* ending) { return witness.usual_dim(layers, ending, 0); };
  witness.settle("intermediate_size", text.intermediate_size, of_layers(".mlp.gate_proj.weight"),
                 layers + "*.mlp.gate_proj.weight");
  // A head's width, where it is not stated, is made of the other two: it says nothing when one of them is another.
  const bool same_width =
      std::none_of(found.begin(), found.end(), [](const Contradiction& one) { return one.field == "hidden_size"; });
  if (text.head_dim > 0 && same_width) {
    witness.settle("num_attention_heads", text.num_attention_heads,
                   of_layers(".self_attn.q_proj.weight") / text.head_dim, layers + "*.self_attn.q_proj.weight");
    witness.settle("num_key_value_heads", text.num_key_value_heads,
                   of_layers(".self_attn.k_proj.weight") / text.head_dim, layers + "*.self_attn.k_proj.weight");
  }
  VisionConfig& vision = config.vision;
  const std::string blocks = "visual.blocks.";
  const std::string kernel = "visual.patch_embed.proj.weight";
  witness.settle("vision_config.depth", vision.depth, witness.blocks(blocks), blocks + "*");
  witness.settle("vision_config.hidden_size", vision.hidden_size, witness.dim(kernel, 0), kernel);
  witness.settle("vision_config.in_channels", vision.in_channels, witness.dim(kernel, 1), kernel);
  witness.settle("vision_config.temporal_patch_size", vision.temporal_patch_size, witness.dim(kernel, 2), kernel);
  witness.settle("vision_config.patch_size", vision.patch_size, witness.dim(kernel, 3), kernel);
  witness.settle("vision_config.intermediate_size", vision.intermediate_size,
                 witness.usual_dim(blocks, ".mlp.gate_proj.weight", 0), blocks + "*.mlp.gate_proj.weight");
  if (vision.hidden_size > 0) {
    const std::string merger = "visual.merger.mlp.0.weight";
    const double side =
        std::sqrt(static_cast<double>(witness.dim(merger, 1)) / static_cast<double>(vision.hidden_size));
    if (side == std::floor(side))
      witness.settle("vision_config.spatial_merge_size", vision.spatial_merge_size, static_cast<std::int64_t>(side),
                     merger);
  }
  witness.settle("vision_config.out_hidden_size", vision.out_hidden_size, witness.dim("visual.merger.mlp.2.weight", 0),
                 "visual.merger.mlp.2.weight");
  return found;
}

}  // namespace octavo::model
