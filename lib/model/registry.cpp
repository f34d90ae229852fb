#include "registry.hpp"

#include <algorithm>
#include <cmath>
#include <exception>
#include <map>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <utility>

#include "check_input.hpp"
#include "language_ends.hpp"
#include "octavo/message.hpp"
#include "problems.hpp"
#include "qwen2_5_vl/qwen2_5_vl.hpp"
#include "weight_source.hpp"
#include "wrapped_names.hpp"

namespace octavo {
namespace model {
namespace {

/// By model_type. What comes with Octavo is there from the beginning: one line here and one folder beside.
struct Registry {
  std::shared_mutex mutex;
  std::map<std::string, ArchitectureEntry> entries{{"qwen2_5_vl", qwen2_5_vl_entry()}};
};

Registry& registry() {
  static Registry all;
  return all;
}

/// With the registry locked by the caller.
std::string known_types(const Registry& all) {
  std::string known;
  for (const auto& [type, entry] : all.entries) known += (known.empty() ? "" : ", ") + type;
  return known;
}

/// What the arithmetic relies on. Sizes are bounded, so that products of two or three of them cannot overflow.
class Requirements {
 public:
  explicit Requirements(const Json& config) : where_(config.where()) {}

  void extent(const char* field, std::int64_t value, std::int64_t least = 1) const {
    constexpr std::int64_t kMost = std::int64_t{1} << 24;
    if (value < least || value > kMost)
      refuse(field, value, "it must be " + std::to_string(least) + " to " + std::to_string(kMost));
  }
  void divides(const char* field, std::int64_t value, const char* into, std::int64_t whole) const {
    if (whole % value != 0) refuse(field, value, std::string("it must divide ") + into + " " + std::to_string(whole));
  }
  [[noreturn]] void refuse(const char* field, std::int64_t value, const std::string& wanted) const {
    refuse(std::string(field) + " is " + std::to_string(value) + ", " + wanted);
  }
  [[noreturn]] void refuse(const std::string& what) const {
    throw Error(ErrorCode::format, where_ + ": as the architecture reads it, " + what);
  }

 private:
  std::string where_;
};

void require_text(const TextConfig& text, const Requirements& require) {
  require.extent("vocab_size", text.vocab_size);
  require.extent("hidden_size", text.hidden_size);
  require.extent("num_hidden_layers", text.num_hidden_layers);
  require.extent("num_attention_heads", text.num_attention_heads);
  require.extent("num_key_value_heads", text.num_key_value_heads);
  require.divides("num_key_value_heads", text.num_key_value_heads, "num_attention_heads", text.num_attention_heads);
  require.extent("head_dim", text.head_dim);
  require.extent("max_position_embeddings", text.max_position_embeddings);
  if (!std::isfinite(text.rms_norm_eps) || text.rms_norm_eps < 0)
    require.refuse("rms_norm_eps is " + std::to_string(text.rms_norm_eps) + ", it must be finite and not negative");
}

void require_scales(const LanguageScales& scales, const Requirements& require) {
  const auto refuse = [&](const char* field, double value, const char* why) {
    require.refuse("the scale `" + std::string(field) + "` is " + std::to_string(value) + ", it must be finite and " +
                   why);
  };
  if (!std::isfinite(scales.embedding) || scales.embedding == 0) refuse("embedding", scales.embedding, "not 0");
  if (!std::isfinite(scales.logits) || !(scales.logits > 0)) refuse("logits", scales.logits, "above 0");
  if (!std::isfinite(scales.logit_cap) || !(scales.logit_cap >= 0))
    refuse("logit_cap", scales.logit_cap, "not negative");
}

void require_tower(const VisionTower& tower, const TextConfig& text, const Requirements& require) {
  const ImageLayout layout = tower.layout();
  require.extent("the number of vision blocks", tower.num_blocks());
  require.extent("merge_size", layout.merge_size);
  require.extent("patch_elements", layout.patch_elements);
  require.extent("delimiters", layout.delimiters, 0);
  require.extent("image_token_id", layout.image_token_id, 0);
  if (layout.image_token_id >= text.vocab_size)
    require.refuse("image_token_id", layout.image_token_id,
                   "outside the vocabulary of " + std::to_string(text.vocab_size));
  if (layout.row_width != text.hidden_size)
    require.refuse("row_width", layout.row_width, "it must be hidden_size " + std::to_string(text.hidden_size));
}

}  // namespace

ArchitectureEntry find_entry(const Json& config) {
  const std::string type = config.get_string("model_type", "");
  Registry& all = registry();
  const std::shared_lock lock(all.mutex);
  const auto found = all.entries.find(type);
  if (found != all.entries.end()) return found->second;
  throw Error(ErrorCode::unsupported,
              config.where() + ": model_type is " + in_quotes(type) + "; this build runs " + known_types(all));
}

FoundArchitecture find_architecture(const Checkpoint& checkpoint) {
  FoundArchitecture found;
  found.architecture = read_architecture(checkpoint.config());
  found.model_type = checkpoint.config().get_string("model_type", "");
  require_plain_names(checkpoint);
  found.is_tied = embedding_is_head(checkpoint, stated_tie(checkpoint.config()));
  return found;
}

std::string implausible_blocks(const Checkpoint& checkpoint, std::int64_t layers, std::int64_t vision_blocks) {
  const auto tensors = static_cast<std::int64_t>(checkpoint.names().size());
  if (layers + vision_blocks <= tensors) return "";
  return checkpoint.config().where() + ": num_hidden_layers " + std::to_string(layers) +
         (vision_blocks > 0 ? " and vision_config.depth " + std::to_string(vision_blocks) + " promise" : " promises") +
         " more blocks than there are tensors, " + std::to_string(tensors);
}

void require_plausible_blocks(const Checkpoint& checkpoint, const Architecture& architecture) {
  const VisionTower* tower = architecture.vision();
  const std::string problem =
      implausible_blocks(checkpoint, architecture.text().num_hidden_layers, tower != nullptr ? tower->num_blocks() : 0);
  if (!problem.empty()) throw Error(ErrorCode::format, problem);
}

void require_structure(const Checkpoint& checkpoint) {
  const std::vector<std::string> problems = structure_problems(checkpoint);
  if (problems.empty()) return;
  constexpr std::size_t kMostShown = 10;
  std::string all;
  for (std::size_t i = 0; i < std::min(problems.size(), kMostShown); ++i) all += (i == 0 ? "" : "; ") + problems[i];
  if (problems.size() > kMostShown) all += "; and " + std::to_string(problems.size() - kMostShown) + " more";
  throw Error(ErrorCode::format, checkpoint.directory() + ": " + std::to_string(problems.size()) +
                                     (problems.size() == 1 ? " tensor does" : " tensors do") +
                                     " not fit config.json: " + all);
}

}  // namespace model

// `entry` is moved, in a template that clang-tidy does not look into.
// NOLINTNEXTLINE(performance-unnecessary-value-param)
void register_architecture(const std::string& model_type, ArchitectureEntry entry) {
  if (model_type.empty() || !entry.read)
    throw Error(ErrorCode::invalid_argument,
                "register_architecture: " + (model_type.empty() ? std::string("the model_type is empty")
                                                                : in_quotes(model_type) + " has no function `read`"));
  model::Registry& all = model::registry();
  const std::unique_lock lock(all.mutex);
  const auto [known, added] = all.entries.try_emplace(model_type, std::move(entry));
  if (!added)
    throw Error(ErrorCode::exists, "register_architecture: " + in_quotes(model_type) +
                                       " is registered already; there are " + model::known_types(all));
}

std::vector<std::string> registered_architectures() {
  model::Registry& all = model::registry();
  const std::shared_lock lock(all.mutex);
  std::vector<std::string> types;
  for (const auto& [type, entry] : all.entries) types.push_back(type);
  return types;
}

std::shared_ptr<const Architecture> read_architecture(const Json& config) {
  const ArchitectureEntry entry = model::find_entry(config);  // a copy: `read` runs without the lock
  const std::string type = in_quotes(config.get_string("model_type", ""));
  std::shared_ptr<const Architecture> architecture;
  try {
    architecture = entry.read(config);
  } catch (const Error&) {
    throw;
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& error) {
    throw Error(ErrorCode::format, config.where() + ": the architecture " + type + " cannot read it: " + error.what());
  }
  if (architecture == nullptr)
    throw Error(ErrorCode::internal, config.where() + ": `read` of the architecture " + type + " gave null");
  const model::Requirements require(config);
  model::require_text(architecture->text(), require);
  model::require_scales(architecture->scales(), require);
  if (const VisionTower* tower = architecture->vision()) model::require_tower(*tower, architecture->text(), require);
  return architecture;
}

std::vector<ExpectedTensor> expected_tensors(const Checkpoint& checkpoint, const Architecture& architecture,
                                             std::vector<CheckProblem>* problems) {
  const bool tied = embedding_is_head(checkpoint, stated_tie(checkpoint.config()));
  const TextConfig& text = architecture.text();
  constexpr FloatMath kAny = FloatMath::f32;
  model::ListedWeights weights(checkpoint, problems);
  if (const VisionTower* tower = architecture.vision()) {
    tower->embedding(weights, kAny);
    for (std::int64_t i = 0; i < tower->num_blocks(); ++i) tower->block(weights, i, kAny);
    tower->merger(weights, kAny);
  }
  const model::TokenEmbedding tokens(weights, architecture, -1);
  for (std::int64_t i = 0; i < text.num_hidden_layers; ++i) architecture.layer(weights, i, kAny);
  const model::LanguageHead head(weights, architecture, tokens.table(), tied, {});
  if (tied) {
    // Fine-tunes of tied models sometimes keep a copy.
    const auto table = std::find_if(weights.tensors.begin(), weights.tensors.end(), [](const ExpectedTensor& tensor) {
      return tensor.name == "model.embed_tokens.weight";
    });
    weights.tensors.push_back({"lm_head.weight", table->shape, table->because, true});
  }
  return std::move(weights.tensors);
}

std::vector<ExpectedTensor> expected_tensors(const Checkpoint& checkpoint) {
  const std::shared_ptr<const Architecture> architecture = read_architecture(checkpoint.config());
  model::require_plain_names(checkpoint);
  return expected_tensors(checkpoint, *architecture);
}

std::vector<std::string> structure_problems(const Checkpoint& checkpoint) {
  std::vector<std::string> lines;
  const std::shared_ptr<const Architecture> architecture = model::find_architecture(checkpoint).architecture;
  model::require_plausible_blocks(checkpoint, *architecture);
  for (CheckProblem& problem : model::tensor_problems(checkpoint, expected_tensors(checkpoint, *architecture)))
    lines.push_back(std::move(problem.what));
  return lines;
}

DType running_dtype(const Checkpoint& checkpoint) {
  const std::optional<DType> stated = stated_dtype(checkpoint.config());
  const TensorInfo* embedding = checkpoint.find("model.embed_tokens.weight");
  return stated ? *stated : embedding != nullptr ? embedding->dtype.value_or(DType::bf16) : DType::bf16;
}

}  // namespace octavo
