// The whole model: every block mapped or packed, ready for prefill and decode; or without data, ready to be planned.
#include <algorithm>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "finite.hpp"
#include "qwen2_5_vl.hpp"

namespace octavo::model {
namespace {

class Qwen25Vl final : public Architecture {
 public:
  Qwen25Vl(const WeightSource& source, const Qwen25VlConfig& config, const ModelOptions& options,
           OpenSteps steps = OpenSteps())
      : config_(config),
        vision_(source, config.vision, options.vision_math),
        language_((steps.begin("lm_head"), source), config, options) {
    for (std::int64_t i = 0; i < config.vision.depth; ++i) {
      steps.begin("visual.blocks." + std::to_string(i));
      blocks_.push_back(std::make_shared<VisionBlock>(source, config.vision, i, options.vision_math));
    }
    for (std::int64_t i = 0; i < config.text.num_hidden_layers; ++i) {
      steps.begin("model.layers." + std::to_string(i));
      layers_.push_back(std::make_shared<DecoderLayer>(source, config.text, i, options.language_math));
    }
    steps.begin("ready");
  }

  std::int64_t vocab_size() const noexcept override { return config_.text.vocab_size; }
  std::int64_t max_position_embeddings() const noexcept override { return config_.text.max_position_embeddings; }
  std::int64_t num_layers() const noexcept override { return static_cast<std::int64_t>(layers_.size()); }
  std::int32_t image_token_id() const noexcept override { return static_cast<std::int32_t>(config_.image_token_id); }
  std::int64_t tokens_of(const Grid& grid) const noexcept override {
    return grid.t * grid.h * grid.w / (config_.vision.spatial_merge_size * config_.vision.spatial_merge_size);
  }
  ImageLayout image_layout() const noexcept override {
    return {config_.vision.spatial_merge_size, config_.vision.patch_elements(), config_.vision.out_hidden_size, 2};
  }
  std::size_t weight_bytes() const noexcept override {
    std::size_t total = vision_.weight_bytes() + language_.weight_bytes();
    for (const auto& block : blocks_) total += block->weight_bytes();
    for (const auto& layer : layers_) total += layer->weight_bytes();
    return total;
  }
  CallPlan plan(const SequenceCall& sequence) const override { return language_.plan(sequence); }
  SequenceState new_state() const override { return language_.new_state(); }
  KvCache new_cache(std::int64_t capacity, DType dtype) const override {
    const TextConfig& text = config_.text;
    const auto layers = static_cast<std::int64_t>(layers_.size());
    return language_.has_data() ? KvCache(layers, text.num_key_value_heads, text.head_dim, capacity, dtype)
                                : KvCache::meta(layers, text.num_key_value_heads, text.head_dim, capacity, dtype);
  }
  void check_input(const ModelInput& input) const override { check_qwen2_5_vl_input(config_, input); }

  std::vector<LinearInfo> linears() const override {
    std::vector<LinearInfo> all;
    const auto append = [&](const LinearBlock& block) {
      const std::vector<LinearInfo> infos = block.linears();
      all.insert(all.end(), infos.begin(), infos.end());
    };
    for (const auto& block : blocks_) append(*block);
    for (const auto& layer : layers_) append(*layer);
    return all;
  }

  const Linear& linear(std::string_view module_path) const override {
    for (const auto& block : blocks_)
      if (block->holds(module_path)) return block->linear(module_path);
    for (const auto& layer : layers_)
      if (layer->holds(module_path)) return layer->linear(module_path);
    throw no_such_linear(module_path);
  }

  std::unique_ptr<Architecture> with_linears(std::span<const Linear> replacements) const override {
    auto changed = std::make_unique<Qwen25Vl>(*this);
    std::set<std::string_view> seen;
    for (const Linear& linear : replacements) {
      if (!linear.defined()) throw Error(ErrorCode::invalid_argument, "with_linears: one of the linears is undefined");
      if (!seen.insert(linear.module_path()).second)
        throw Error(ErrorCode::invalid_argument, "with_linears: " + linear.module_path() + " is given twice");
      if (!replace_in(changed->blocks_, linear) && !replace_in(changed->layers_, linear))
        throw no_such_linear(linear.module_path());
    }
    return changed;
  }

  std::unique_ptr<Architecture> with_distinct_blocks() const override {
    auto changed = std::make_unique<Qwen25Vl>(*this);
    keep_distinct(changed->blocks_);
    keep_distinct(changed->layers_);
    return changed;
  }

  Tensor encode_images(const ModelInput& input, const CancelToken& cancel) const override {
    return naming_not_finite([&] { return run_tower(input, cancel); });
  }

  Tensor run(const LanguageCall& call) const override {
    return naming_not_finite([&] { return run_language(call); });
  }

 private:
  Tensor run_tower(const ModelInput& input, const CancelToken& cancel) const {
    if (!input.images.empty()) announce_call("vision");
    BlockState state = vision_.begin(input);
    if (!state.hidden.defined()) return {};
    const auto& context = *static_cast<const VisionContext*>(state.context.get());
    for (const auto& block : blocks_) {
      cancel.check();
      block->run(state.hidden, context, nullptr);
    }
    Tensor rows = vision_.finish(state.hidden, context);
    require_finite(rows, "visual.merger", "a row");
    return rows;
  }

  Tensor run_language(const LanguageCall& call) const {
    announce_call(phase_of(call.sequences));
    try {
      return run_layers(call);
    } catch (...) {
      // Rows of layers that had appended are forgotten.
      for (const SequenceCall& sequence : call.sequences)
        if (sequence.cache != nullptr) sequence.cache->truncate(sequence.state->past());
      throw;
    }
  }

  static Error no_such_linear(std::string_view module_path) {
    return {ErrorCode::not_found,
            "the blocks hold no linear \"" + std::string(module_path) + "\"; Model::linears lists them"};
  }

  /// Puts `linear` into a copy of the block that holds it (a block is handles and small vectors).
  template <class Block>
  static bool replace_in(std::vector<std::shared_ptr<const Block>>& blocks, const Linear& linear) {
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      if (!blocks[i]->holds(linear.module_path())) continue;
      auto copy = std::make_shared<Block>(*blocks[i]);
      copy->replace(linear.module_path(), linear);
      blocks[i] = std::move(copy);
      return true;
    }
    return false;
  }

  template <class Block>
  static void keep_distinct(std::vector<std::shared_ptr<const Block>>& blocks) {
    std::set<std::string> seen;
    std::erase_if(blocks, [&](const auto& block) { return !seen.insert(block->stored_as()).second; });
  }

  static std::string_view phase_of(std::span<const SequenceCall> sequences) {
    const auto all = [&](auto&& holds) { return std::all_of(sequences.begin(), sequences.end(), holds); };
    if (all([](const SequenceCall& sequence) { return sequence.state->past() == 0; })) return "prefill";
    return all([](const SequenceCall& sequence) { return sequence.ids.dim(0) == 1; }) ? "decode" : "extend";
  }

  Tensor run_layers(const LanguageCall& call) const {
    const LanguageContext context = language_.context(call.sequences);
    Tensor hidden = language_.embed(call.sequences);
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      call.cancel.check();
      layers_[i]->run(hidden, context, static_cast<std::int64_t>(i), nullptr);
      if (call.hidden_states != nullptr && wants(call.hidden_layers, i)) call.hidden_states->push_back(hidden.clone());
    }
    if (call.last_hidden_state != nullptr) *call.last_hidden_state = language_.normed(hidden);
    Tensor logits;
    if (const Tensor wanted = logit_rows(hidden, context.parts); wanted.defined()) {
      logits = language_.logits(wanted);
      require_finite(logits, "lm_head", "a logit");
    }
    for (std::size_t i = 0; i < context.parts.size(); ++i) {
      const LanguagePart& part = context.parts[i];
      if (part.cache != nullptr) part.cache->commit(part.plan.q_len);
      call.sequences[i].state->commit(part.plan);
    }
    return logits;
  }

  static bool wants(std::span<const std::int64_t> layers, std::size_t layer) {
    return layers.empty() || std::binary_search(layers.begin(), layers.end(), static_cast<std::int64_t>(layer));
  }

  /// The last rows of each sequence whose logits are wanted: [rows, hidden]; undefined without any.
  static Tensor logit_rows(const Tensor& hidden, std::span<const LanguagePart> parts) {
    std::int64_t wanted = 0;
    for (const LanguagePart& part : parts) wanted += part.logit_rows;
    const std::int64_t rows = hidden.dim(0);
    if (wanted == 0) return {};
    if (parts.size() == 1) return hidden.slice(0, rows - wanted, rows);
    const std::int64_t width = hidden.dim(1);
    Tensor last = Tensor::empty_like(hidden, DType::f32, Shape{wanted, width});
    if (last.is_meta()) return last;
    float* out = last.mutable_data<float>();
    for (const LanguagePart& part : parts) {
      const float* first = hidden.data<float>() + (part.first + part.plan.q_len - part.logit_rows) * width;
      out = std::copy_n(first, part.logit_rows * width, out);
    }
    return last;
  }

  Qwen25VlConfig config_;
  VisionEnds vision_;
  LanguageEnds language_;
  std::vector<std::shared_ptr<const VisionBlock>> blocks_;  // models made by with_linears share them
  std::vector<std::shared_ptr<const DecoderLayer>> layers_;
};

}  // namespace

std::unique_ptr<Architecture> open_qwen2_5_vl(const Checkpoint& checkpoint, const ModelOptions& options,
                                              const OpenWatch& watch) {
  const Qwen25VlConfig config = qwen2_5_vl_config(checkpoint);
  const OpenSteps steps(watch, 1 + config.vision.depth + config.text.num_hidden_layers);
  return std::make_unique<Qwen25Vl>(CheckpointWeights(checkpoint), config, options, steps);
}

std::unique_ptr<Architecture> open_qwen2_5_vl_without_data(const Checkpoint& checkpoint) {
  const Qwen25VlConfig config = qwen2_5_vl_config(checkpoint);
  require_plausible_blocks(checkpoint, config);
  return std::make_unique<Qwen25Vl>(HeaderWeights(checkpoint, qwen2_5_vl_tensors(checkpoint)), config, ModelOptions{});
}

ArchitectureEntry qwen2_5_vl_entry() {
  ArchitectureEntry entry{};
  entry.model_type = "qwen2_5_vl";
  entry.open = &open_qwen2_5_vl;
  entry.open_without_data = &open_qwen2_5_vl_without_data;
  entry.open_blockwise = &open_qwen2_5_vl_blockwise;
  entry.expected_tensors = &qwen2_5_vl_tensors;
  entry.config_problems = &qwen2_5_vl_config_problems;
  entry.known_tensors = &known_qwen2_5_vl_tensors;
  entry.tensor_parallel_dims = &qwen2_5_vl_parallel_dims;
  return entry;
}

}  // namespace octavo::model
