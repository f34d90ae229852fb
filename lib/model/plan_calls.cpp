#include "plan_calls.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "octavo/ledger.hpp"
#include "octavo/trace.hpp"

namespace octavo::model {
namespace {

[[noreturn]] void refuse(const std::string& what) { throw Error(ErrorCode::invalid_argument, "plan: " + what); }

/// The same operation broken in an earlier call: one mistake, told once.
bool told_before(const std::vector<Error>& problems, const Error& error) {
  const ShapeDetail* shape = error.shape();
  if (shape == nullptr) return false;
  return std::any_of(problems.begin(), problems.end(), [&](const Error& known) {
    return known.shape() != nullptr && known.shape()->module == shape->module && known.shape()->op == shape->op;
  });
}

/// One sequence of a call, and what it was before: as many positions, fed and cached.
struct Planned {
  SequenceState state;
  std::optional<KvCache> cache;
  Tensor vision;
};

/// The prompt's images, pixels without data.
ModelInput images_of(const std::vector<Grid>& grids, const ImageLayout& layout) {
  ModelInput input;
  for (const Grid& grid : grids) {
    PixelPatches image;
    image.pixel_values = Tensor::meta(DType::f32, {grid.t * grid.h * grid.w, layout.patch_elements});
    image.grid = grid;
    input.images.push_back(std::move(image));
  }
  return input;
}

}  // namespace

PlanCalls::PlanCalls(const RuntimeModel& runtime, const PlanOptions& options, ModelPlan& plan,
                     std::vector<Error>& problems)
    : runtime_(runtime), options_(options), layout_(runtime.image_layout()), plan_(plan), problems_(problems) {
  check_options();
}

void PlanCalls::check_options() {
  if (!options_.grids.empty() && runtime_.vision() == nullptr) refuse_pictures(runtime_.model_type());
  const std::int64_t merge = layout_.merge_size;
  constexpr std::int64_t kMost = std::int64_t{1} << 20;
  constexpr std::int64_t kMostPatches = std::int64_t{1} << 31;
  std::int64_t patches = 0;
  for (std::size_t i = 0; i < options_.grids.size(); ++i) {
    const Grid& grid = options_.grids[i];
    if (grid.t != 1 || grid.h < 1 || grid.w < 1 || grid.h > kMost || grid.w > kMost || grid.h % merge != 0 ||
        grid.w % merge != 0) {
      refuse("image " + std::to_string(i) + " has the grid " + std::to_string(grid.t) + " x " + std::to_string(grid.h) +
             " x " + std::to_string(grid.w) + ": one frame of whole " + std::to_string(merge) + " x " +
             std::to_string(merge) + " groups is needed");
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
  const std::int64_t most = runtime_.max_position_embeddings();
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

std::int64_t PlanCalls::needed() const {
  return image_tokens_ + layout_.delimiters * static_cast<std::int64_t>(options_.grids.size());
}

void PlanCalls::run() {
  const std::int64_t prompt = plan_.prompt_tokens;
  const std::int64_t fresh = plan_.max_new_tokens;
  const std::int64_t capacity = prompt + fresh;
  forward(add(CallKind::prefill, 1, 0, prompt, capacity, "the prompt"), options_.grids, options_.all_logits);
  if (fresh >= 2) {
    const std::string last = "token " + std::to_string(fresh) + " of " + std::to_string(fresh);
    forward(add(CallKind::decode, 1, capacity - 2, 1, capacity, last), {});
    forward(add(CallKind::uncached, 1, 0, capacity - 1, 0, last), {});
  }
  chunks(prompt, capacity);
  // The answer's last token is not in the cache yet: it is fed first.
  const std::int64_t room = runtime_.max_position_embeddings() - capacity;
  const std::int64_t turn = std::min(options_.second_turn_tokens, room);
  if (fresh >= 1) {
    forward(add(CallKind::second_turn, 1, capacity - 1, 1 + turn, capacity + turn,
                "the answer's last token and " + std::to_string(turn) + " more"),
            {});
  }
  batched(prompt, capacity);
}

PlannedCall& PlanCalls::add(CallKind kind, std::int64_t batch, std::int64_t past, std::int64_t q_len,
                            std::int64_t capacity, std::string note) {
  PlannedCall call;
  call.kind = kind;
  call.note = std::move(note);
  call.batch = batch;
  call.past = past;
  call.q_len = q_len;
  call.kv_len = past + q_len;
  call.cache_capacity = capacity;
  call.kv_cache_bytes =
      plan_.kv_cache_bytes_per_position * static_cast<std::uint64_t>(batch) * static_cast<std::uint64_t>(capacity);
  plan_.calls.push_back(std::move(call));
  return plan_.calls.back();
}

void PlanCalls::forward(PlannedCall& call, const std::vector<Grid>& grids, bool all_logits) {
  // The caller's, which the ledger does not count: the caches have a count of their own.
  const ModelInput input = images_of(grids, layout_);
  const Tensor ids = Tensor::meta(DType::s32, {call.q_len});
  std::vector<Planned> planned;
  for (std::int64_t i = 0; i < call.batch; ++i) {
    planned.push_back({runtime_.new_state(), {}, {}});
    planned.back().state.skip(call.past);
    if (call.cache_capacity == 0) continue;
    planned.back().cache = runtime_.new_cache(call.cache_capacity);
    planned.back().cache->skip(call.past);
  }
  const Ledger ledger;
  Trace trace({.ledger = &ledger, .go_on = true, .fold_sequences = true});
  {
    const TraceScope tracing(trace);
    const LedgerScope counting(ledger);
    std::vector<SequenceCall> sequences;
    for (Planned& one : planned) {
      announce_sequence(static_cast<std::int64_t>(sequences.size()));
      if (!grids.empty()) one.vision = runtime_.encode_images(input, CancelToken());
      if (call.kind == CallKind::uncached && image_tokens_ > 0)
        one.vision = Tensor::meta(DType::f32, {image_tokens_, layout_.row_width});
      SequenceCall sequence;
      sequence.state = &one.state;
      sequence.cache = one.cache ? &*one.cache : nullptr;
      sequence.ids = ids;
      if (all_logits) sequence.logit_rows = call.q_len;
      sequence.vision = one.vision;
      if (!grids.empty()) call.image_tokens += one.vision.dim(0);
      sequences.push_back(std::move(sequence));
    }
    announce_sequence(-1);
    LanguageCall language;
    language.sequences = sequences;
    runtime_.run(language);
  }
  call.steps = trace.take_records();
  for (const TraceRecord& step : call.steps)
    call.peak_activation_bytes = std::max(call.peak_activation_bytes, step.live_bytes + step.workspace_bytes);
  for (const Error& problem : trace.problems())
    if (!told_before(problems_, problem)) problems_.push_back(problem);
}

void PlanCalls::chunks(std::int64_t prompt, std::int64_t capacity) {
  if (prompt < 2) return;
  const std::int64_t most = options_.chunk_tokens > 0 ? options_.chunk_tokens : (prompt + 1) / 2;
  std::int64_t past = 0, taken = 0, number = 0;
  std::vector<Grid> grids;
  const auto feed = [&] {
    forward(add(CallKind::chunk, 1, past, taken, capacity, "chunk " + std::to_string(++number) + " of the prompt"),
            grids);
    past += taken;
    taken = 0;
    grids.clear();
  };
  for (const Grid& grid : options_.grids) {
    const std::int64_t whole = runtime_.tokens_of(grid) + layout_.delimiters;
    if (taken > 0 && taken + whole > most) feed();
    taken += whole;
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

void PlanCalls::batched(std::int64_t prompt, std::int64_t capacity) {
  const std::int64_t batch = options_.batch;
  if (batch < 2) return;
  const std::string note = std::to_string(batch) + " sequences, alike";
  forward(add(CallKind::batch_prefill, batch, 0, prompt, capacity, note), options_.grids);
  if (plan_.max_new_tokens >= 2) {
    forward(add(CallKind::batch_decode, batch, capacity - 2, 1, capacity, note), {});
  }
}

}  // namespace octavo::model
