// Qwen2.5-VL's calls: which positions each feeds, and what it finds in the cache.
#include <algorithm>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "paper.hpp"

namespace octavo::model {
namespace {

/// Which blocks a plan binds.
struct Blocks {
  std::vector<std::int64_t> vision, language;
};

/// The blocks of a tower; unless all are wanted, the first of those whose weights are alike. Each leaves alive what it
/// found alive, so that leaving some out changes no peak.
std::vector<std::int64_t> blocks_to_bind(const std::vector<ExpectedTensor>& expected, const PaperWeights& weights,
                                         const std::string& tower, std::int64_t count, bool all) {
  std::vector<std::int64_t> indexes;
  if (all) {
    for (std::int64_t i = 0; i < count; ++i) indexes.push_back(i);
    return indexes;
  }
  std::vector<std::string> kinds(static_cast<std::size_t>(count));  // by block: its weights, spelled out
  for (const ExpectedTensor& tensor : expected) {
    if (!tensor.name.starts_with(tower)) continue;
    const std::size_t end = tensor.name.find('.', tower.size());
    const auto index = static_cast<std::size_t>(std::stoll(tensor.name.substr(tower.size(), end - tower.size())));
    const PaperWeights::Weight& weight = weights.at(tensor.name);
    kinds[index] += tensor.name.substr(end) + dtype_name(weight.dtype) + weight.shape.to_string();
  }
  std::unordered_set<std::string> seen;
  for (std::size_t i = 0; i < kinds.size(); ++i)
    if (seen.insert(kinds[i]).second) indexes.push_back(static_cast<std::int64_t>(i));
  return indexes;
}

[[noreturn]] void refuse(const std::string& what) { throw Error(ErrorCode::invalid_argument, "plan: " + what); }

/// All calls of a plan.
class Calls {
 public:
  Calls(const Qwen25VlConfig& config, const PaperWeights& weights, Blocks blocks, const PlanOptions& options,
        ModelPlan& plan, std::vector<Error>& problems)
      : config_(config),
        weights_(weights),
        blocks_(std::move(blocks)),
        options_(options),
        plan_(plan),
        problems_(problems) {
    check_options();
  }

  void run() {
    const std::int64_t prompt = plan_.prompt_tokens;
    const std::int64_t fresh = plan_.max_new_tokens;
    const std::int64_t capacity = prompt + fresh;
    forward(add_call(plan_, CallKind::prefill, 1, 0, prompt, capacity, "the prompt"), options_.grids,
            options_.all_logits);
    if (fresh >= 2) {
      const std::string last = "token " + std::to_string(fresh) + " of " + std::to_string(fresh);
      forward(add_call(plan_, CallKind::decode, 1, capacity - 2, 1, capacity, last), {}, false);
      uncached(add_call(plan_, CallKind::uncached, 1, 0, capacity - 1, 0, last));
    }
    chunks(prompt, capacity);
    // The answer's last token is not in the cache yet: it is fed first.
    const std::int64_t room = config_.text.max_position_embeddings - capacity;
    const std::int64_t turn = std::min(options_.second_turn_tokens, room);
    if (fresh >= 1) {
      forward(add_call(plan_, CallKind::second_turn, 1, capacity - 1, 1 + turn, capacity + turn,
                       "the answer's last token and " + std::to_string(turn) + " more"),
              {}, false);
    }
    batched(prompt, capacity);
  }

 private:
  void check_options() {
    const std::int64_t merge = config_.vision.spatial_merge_size;
    constexpr std::int64_t kMost = std::int64_t{1} << 20;
    constexpr std::int64_t kMostPatches = std::int64_t{1} << 31;
    std::int64_t patches = 0;
    for (std::size_t i = 0; i < options_.grids.size(); ++i) {
      const Grid& grid = options_.grids[i];
      if (grid.t != 1 || grid.h < 1 || grid.w < 1 || grid.h > kMost || grid.w > kMost || grid.h % merge != 0 ||
          grid.w % merge != 0) {
        refuse("image " + std::to_string(i) + " has the grid " + std::to_string(grid.t) + " x " +
               std::to_string(grid.h) + " x " + std::to_string(grid.w) + ": one frame of whole " +
               std::to_string(merge) + " x " + std::to_string(merge) + " groups is needed");
      }
      patches += grid.h * grid.w;
      if (patches >= kMostPatches) refuse("the images have more than 2147483647 patches: give fewer or smaller ones");
    }
    const auto at_least = [](const char* name, std::int64_t value, std::int64_t least) {
      constexpr std::int64_t kMostTokens = std::int64_t{1} << 32;
      if (value < least || value > kMostTokens) {
        refuse(std::string(name) + " is " + std::to_string(value) + ", it must be " + std::to_string(least) + " to " +
               std::to_string(kMostTokens));
      }
    };
    at_least("prompt_tokens", options_.prompt_tokens, 0);
    at_least("max_new_tokens", options_.max_new_tokens, 0);
    at_least("chunk_tokens", options_.chunk_tokens, 0);
    at_least("second_turn_tokens", options_.second_turn_tokens, 0);
    at_least("batch", options_.batch, 1);
    if (options_.batch > 4096) refuse("batch is " + std::to_string(options_.batch) + ", at most 4096 are planned");
    if (options_.batch * patches >= kMostPatches ||
        options_.batch * static_cast<std::int64_t>(options_.grids.size()) > kMost)
      refuse("a batch of " + std::to_string(options_.batch) + " such prompts has too many patches: plan a smaller one");
    image_tokens_ = patches / (merge * merge);
    const std::int64_t most = config_.text.max_position_embeddings;
    plan_.prompt_tokens = options_.prompt_tokens;
    if (plan_.prompt_tokens == 0) plan_.prompt_tokens = std::min(64 + needed(), std::max(needed(), most));
    if (plan_.prompt_tokens < needed()) {
      refuse("prompt_tokens is " + std::to_string(plan_.prompt_tokens) + ", its " +
             std::to_string(options_.grids.size()) + " images alone take " + std::to_string(needed()) +
             " (t * h * w / spatial_merge_size^2 and two delimiters each)");
    }
    if (plan_.prompt_tokens > most) {
      refuse("the prompt has " + std::to_string(plan_.prompt_tokens) +
             " tokens, the model takes max_position_embeddings = " + std::to_string(most) +
             ": shorten it or use smaller images");
    }
    plan_.max_new_tokens = std::min(options_.max_new_tokens, most - plan_.prompt_tokens);
  }

  std::int64_t needed() const { return image_tokens_ + 2 * static_cast<std::int64_t>(options_.grids.size()); }

  void forward(PlannedCall& call, const std::vector<Grid>& grids, bool all_logits) {
    CallPlanner planner(weights_, call, problems_);
    std::optional<Symbol> vision;
    Symbol others;  // the rows of the other sequences' images
    if (!grids.empty()) {
      VisionPaper tower(planner, config_.vision, grids);
      const std::int64_t width = config_.vision.out_hidden_size;
      call.image_tokens = call.batch * tower.tokens();
      if (call.batch > 1) others = planner.given(DType::f32, Shape{call.image_tokens - tower.tokens(), width});
      planner.repeat(call.batch);
      vision = tower.run(blocks_.vision).viewed(Shape{call.image_tokens, width});
      planner.repeat(1);
    }
    LanguagePaper(planner, config_.text, call).run(blocks_.language, vision ? &*vision : nullptr, all_logits);
    planner.keep({others});
    planner.finish();
  }

  /// The vision rows are kept from the first step.
  void uncached(PlannedCall& call) {
    CallPlanner planner(weights_, call, problems_);
    const Symbol vision = planner.given(DType::f32, Shape{image_tokens_, config_.vision.out_hidden_size});
    LanguagePaper(planner, config_.text, call).run(blocks_.language, options_.grids.empty() ? nullptr : &vision, false);
    planner.finish();
  }

  /// Images first, as Model::prepare puts them; each stays whole within one chunk.
  void chunks(std::int64_t prompt, std::int64_t capacity) {
    if (prompt < 2) return;
    const std::int64_t most = options_.chunk_tokens > 0 ? options_.chunk_tokens : (prompt + 1) / 2;
    std::int64_t past = 0, taken = 0, number = 0;
    std::vector<Grid> grids;
    const auto feed = [&] {
      forward(add_call(plan_, CallKind::chunk, 1, past, taken, capacity,
                       "chunk " + std::to_string(++number) + " of the prompt"),
              grids, false);
      past += taken;
      taken = 0;
      grids.clear();
    };
    for (const Grid& grid : options_.grids) {
      const std::int64_t merge = config_.vision.spatial_merge_size;
      const std::int64_t unit = grid.h * grid.w / (merge * merge) + 2;
      if (taken > 0 && taken + unit > most) feed();
      taken += unit;
      grids.push_back(grid);
    }
    // Of many equal chunks of text the first and the last say all.
    std::int64_t text = prompt - needed();
    const std::int64_t rest = std::min(text, std::max<std::int64_t>(0, most - taken));
    taken += rest;
    text -= rest;
    while (text > 0) {
      feed();
      if (text > 2 * most) {
        const std::int64_t skipped = (text - 1) / most - 1;
        past += skipped * most;
        number += skipped;
        text -= skipped * most;
      }
      taken = std::min(text, most);
      text -= taken;
    }
    if (taken > 0) feed();
  }

  void batched(std::int64_t prompt, std::int64_t capacity) {
    const std::int64_t batch = options_.batch;
    if (batch < 2) return;
    const std::string note = std::to_string(batch) + " sequences, alike";
    forward(add_call(plan_, CallKind::batch_prefill, batch, 0, prompt, capacity, note), options_.grids, false);
    if (plan_.max_new_tokens >= 2) {
      forward(add_call(plan_, CallKind::batch_decode, batch, capacity - 2, 1, capacity, note), {}, false);
    }
  }

  const Qwen25VlConfig& config_;
  const PaperWeights& weights_;
  Blocks blocks_;
  const PlanOptions& options_;
  ModelPlan& plan_;
  std::vector<Error>& problems_;
  std::int64_t image_tokens_ = 0;
};

/// What a run keeps in memory: linears as stored with f32 scales and biases, norms as f32, the table once.
std::uint64_t resident_bytes(const PaperWeights& weights, const std::vector<ExpectedTensor>& expected) {
  std::uint64_t total = 0;
  for (const ExpectedTensor& tensor : expected) {
    const PaperWeights::Weight* weight = weights.find(tensor.name);
    if (weight == nullptr) continue;
    const bool widened = tensor.shape.rank() == 1 || tensor.name.ends_with(".weight_scale");
    total += static_cast<std::uint64_t>(weight->shape.numel()) * (widened ? sizeof(float) : size_of(weight->dtype));
  }
  return total;
}

}  // namespace

void plan_qwen2_5_vl(const Checkpoint& checkpoint, const PlanOptions& options, ModelPlan& plan,
                     std::vector<Error>& problems) {
  const Qwen25VlConfig config = Qwen25VlConfig::parse(checkpoint.config());
  require_plausible_blocks(checkpoint, config);
  const std::vector<ExpectedTensor> expected = qwen2_5_vl_tensors(checkpoint);
  const PaperWeights weights(checkpoint, expected);
  plan.weight_bytes = resident_bytes(weights, expected);
  plan.kv_cache_bytes_per_position = static_cast<std::uint64_t>(config.text.num_hidden_layers) * 2 *
                                     static_cast<std::uint64_t>(config.text.num_key_value_heads) *
                                     static_cast<std::uint64_t>(config.text.head_dim) * sizeof(float);
  const Blocks blocks{
      blocks_to_bind(expected, weights, "visual.blocks.", config.vision.depth, options.every_block),
      blocks_to_bind(expected, weights, "model.layers.", config.text.num_hidden_layers, options.every_block)};
  Calls(config, weights, blocks, options, plan, problems).run();
}

}  // namespace octavo::model
