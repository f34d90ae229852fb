#include "runtime_model.hpp"

#include <algorithm>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "finite.hpp"
#include "octavo/detail/pooled.hpp"
#include "weight_source.hpp"

namespace octavo::model {
namespace {

Error no_such_linear(std::string_view module_path) {
  return {ErrorCode::not_found,
          "the blocks hold no linear \"" + std::string(module_path) + "\"; Model::linears lists them"};
}

/// Puts `linear` into a copy of the block that holds it (a block is handles and small vectors).
template <class Block>
bool replace_in(std::vector<std::shared_ptr<const Block>>& blocks, const Linear& linear) {
  for (std::shared_ptr<const Block>& block : blocks) {
    if (!block->holds(linear.module_path())) continue;
    std::unique_ptr<Block> copy = block->clone();
    copy->replace(linear.module_path(), linear);
    block = std::move(copy);
    return true;
  }
  return false;
}

template <class Block>
void keep_distinct(std::vector<std::shared_ptr<const Block>>& blocks, std::vector<std::string>& stored) {
  std::set<std::string> seen;
  std::size_t kept = 0;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    if (!seen.insert(stored[i]).second) continue;
    blocks[kept] = blocks[i];
    stored[kept++] = stored[i];
  }
  blocks.resize(kept);
  stored.resize(kept);
}

std::string_view phase_of(std::span<const SequenceCall> sequences) {
  const auto all = [&](auto&& holds) { return std::all_of(sequences.begin(), sequences.end(), holds); };
  if (all([](const SequenceCall& sequence) { return sequence.state->past() == 0; })) return "prefill";
  return all([](const SequenceCall& sequence) { return sequence.ids.dim(0) == 1; }) ? "decode" : "extend";
}

bool wants(std::span<const std::int64_t> layers, std::size_t layer) {
  return layers.empty() || std::binary_search(layers.begin(), layers.end(), static_cast<std::int64_t>(layer));
}

/// The last rows of each sequence whose logits are wanted: [rows, hidden]; undefined without any.
Tensor logit_rows(const Tensor& hidden, std::span<const LanguagePart> parts) {
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

}  // namespace

std::unique_ptr<RuntimeModel> RuntimeModel::open(const Checkpoint& checkpoint, const FoundArchitecture& found,
                                                 const ModelOptions& options, const OpenWatch& watch) {
  const VisionTower* tower = found.architecture->vision();
  const std::int64_t blocks = tower != nullptr ? tower->num_blocks() : 0;
  OpenSteps steps(watch, 1 + blocks + found.architecture->text().num_hidden_layers);
  steps.begin("lm_head");
  CheckpointWeights weights(checkpoint);
  std::unique_ptr<RuntimeModel> model(new RuntimeModel(weights, found, options));
  model->load_blocks(weights, options, steps);
  return model;
}

std::unique_ptr<RuntimeModel> RuntimeModel::open_without_data(const Checkpoint& checkpoint,
                                                              const FoundArchitecture& found) {
  require_plausible_blocks(checkpoint, *found.architecture);
  HeaderWeights weights(checkpoint);
  OpenSteps steps;
  std::unique_ptr<RuntimeModel> model(new RuntimeModel(weights, found, ModelOptions{}));
  model->load_blocks(weights, ModelOptions{}, steps, [&] { return weights.take_stored(); });
  return model;
}

RuntimeModel::RuntimeModel(WeightSource& weights, FoundArchitecture found, const ModelOptions& options)
    : found_(std::move(found)),
      layout_(layout_of(*found_.architecture)),
      embedding_(vision() != nullptr ? vision()->embedding(weights, options.vision_math) : nullptr),
      merger_(vision() != nullptr ? vision()->merger(weights, options.vision_math) : nullptr),
      tokens_(weights, *found_.architecture, layout_.image_token_id),
      head_(weights, *found_.architecture, tokens_.table(), found_.is_tied, options) {}

void RuntimeModel::load_blocks(WeightSource& weights, const ModelOptions& options, OpenSteps& steps,
                               const std::function<std::string()>& take_stored) {
  if (take_stored) take_stored();  // of the two ends
  for (std::int64_t i = 0; vision() != nullptr && i < vision()->num_blocks(); ++i) {
    steps.begin("visual.blocks." + std::to_string(i));
    blocks_.push_back(vision()->block(weights, i, options.vision_math));
    if (take_stored) stored_blocks_.push_back(take_stored());
  }
  for (std::int64_t i = 0; i < text().num_hidden_layers; ++i) {
    steps.begin("model.layers." + std::to_string(i));
    layers_.push_back(found_.architecture->layer(weights, i, options.language_math));
    if (take_stored) stored_layers_.push_back(take_stored());
  }
  steps.begin("ready");
}

std::size_t RuntimeModel::weight_bytes() const noexcept {
  std::size_t total = tokens_.weight_bytes() + head_.weight_bytes();
  if (embedding_) total += embedding_->weight_bytes() + merger_->weight_bytes();
  for (const auto& block : blocks_) total += block->weight_bytes();
  for (const auto& layer : layers_) total += layer->weight_bytes();
  return total;
}

KvCache RuntimeModel::new_cache(std::int64_t capacity, DType dtype) const {
  const std::int64_t heads = text().num_key_value_heads;
  return tokens_.has_data() ? KvCache(num_layers(), heads, text().head_dim, capacity, dtype)
                            : KvCache::meta(num_layers(), heads, text().head_dim, capacity, dtype);
}

std::vector<LinearInfo> RuntimeModel::linears() const {
  std::vector<LinearInfo> all;
  const auto append = [&](const LinearBlock& block) {
    const std::vector<LinearInfo> infos = block.linears();
    all.insert(all.end(), infos.begin(), infos.end());
  };
  for (const auto& block : blocks_) append(*block);
  for (const auto& layer : layers_) append(*layer);
  return all;
}

const Linear& RuntimeModel::linear(std::string_view module_path) const {
  for (const auto& block : blocks_)
    if (block->holds(module_path)) return block->linear(module_path);
  for (const auto& layer : layers_)
    if (layer->holds(module_path)) return layer->linear(module_path);
  throw no_such_linear(module_path);
}

std::unique_ptr<RuntimeModel> RuntimeModel::with_linears(std::span<const Linear> replacements) const {
  std::unique_ptr<RuntimeModel> changed(new RuntimeModel(*this));
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

std::unique_ptr<RuntimeModel> RuntimeModel::with_distinct_blocks() const {
  std::unique_ptr<RuntimeModel> changed(new RuntimeModel(*this));
  keep_distinct(changed->blocks_, changed->stored_blocks_);
  keep_distinct(changed->layers_, changed->stored_layers_);
  return changed;
}

void RuntimeModel::check_input(const ModelInput& input) const {
  octavo::model::check_input(text(), layout_, model_type(), input);
}

Tensor RuntimeModel::encode_images(const ModelInput& input, const CancelToken& cancel) const {
  Tensor rows = naming_not_finite([&] { return run_tower(input, cancel); });
  // The tower's blocks fit nothing that comes after, and are many for a large picture.
  if (rows.defined()) detail::trim(detail::current_pool());
  return rows;
}

Tensor RuntimeModel::run(const LanguageCall& call) const {
  return naming_not_finite([&] { return run_language(call); });
}

Tensor RuntimeModel::run_tower(const ModelInput& input, const CancelToken& cancel) const {
  if (input.images.empty() || !embedding_) return {};
  announce_call("vision");
  BlockState state = embedding_->begin(input);
  for (const auto& block : blocks_) {
    cancel.check();
    block->run(state, BlockCall{});
  }
  Tensor rows = merger_->finish(state);
  require_finite(rows, "visual.merger", "a row");
  return rows;
}

Tensor RuntimeModel::run_language(const LanguageCall& call) const {
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

/// Undefined where more is wanted, or all of lm_head is read in any case.
Tensor RuntimeModel::largest_logits(const Tensor& wanted, const LanguageCall& call) const {
  if (!head_.may_screen()) return {};
  detail::PooledVector<std::int32_t> exact;
  for (const SequenceCall& sequence : call.sequences) {
    if (sequence.logit_rows == 0) continue;
    if (!sequence.largest_alone) return {};
    exact.insert(exact.end(), sequence.exact.begin(), sequence.exact.end());
  }
  const detail::CancelFlagsScope scope(call.cancel.flags());  // a copy of lm_head takes a second
  return head_.largest(wanted, exact);
}

Tensor RuntimeModel::run_layers(const LanguageCall& call) const {
  const LanguageContext context = context_of(*found_.architecture, layout_, call.sequences);
  Tensor hidden = tokens_.embed(call.sequences);
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    call.cancel.check();
    layers_[i]->run(hidden, LayerCall(context, static_cast<std::int64_t>(i), nullptr));
    if (call.hidden_states != nullptr && wants(call.hidden_layers, i)) call.hidden_states->push_back(hidden.clone());
  }
  if (call.last_hidden_state != nullptr) *call.last_hidden_state = head_.normed(hidden);
  Tensor logits;
  if (const Tensor wanted = logit_rows(hidden, context.parts); wanted.defined()) {
    logits = largest_logits(wanted, call);
    if (!logits.defined()) {
      logits = head_.logits(wanted);
      require_finite(logits, "lm_head", "a logit");
    }
  }
  for (std::size_t i = 0; i < context.parts.size(); ++i) {
    const LanguagePart& part = context.parts[i];
    if (part.cache != nullptr) part.cache->commit(part.plan.q_len);
    call.sequences[i].state->commit(part.plan);
  }
  return logits;
}

}  // namespace octavo::model
