#include "chunks.hpp"

#include <algorithm>
#include <cstring>
#include <span>
#include <string>

#include "octavo/detail/pooled.hpp"

namespace octavo::model {
namespace {

/// How far a sequence of the call has come.
struct Progress {
  const SequenceCall* whole;
  CallPlan plan;
  std::int64_t past;             // of its state, before the call
  std::int64_t done = 0;         // rows
  std::int64_t vision_done = 0;  // rows of `whole->vision`

  std::int64_t left() const { return plan.q_len - done; }
};

/// Pads among ids[begin, end) that stand for rows of an image.
std::int64_t image_tokens(const CallPlan& part) {
  std::int64_t tokens = 0;
  for (const PlacedImage& image : part.images)
    tokens += std::min(image.end, part.kv_len) - std::max(image.begin, part.past);
  return tokens;
}

/// The next `rows` rows; `part` keeps their plan.
SequenceCall next_part(Progress& progress, std::int64_t rows, CallPlan& part) {
  const std::int64_t begin = progress.done;
  const std::int64_t end = begin + rows;
  part = progress.plan.slice(begin, end);
  SequenceCall call = *progress.whole;
  call.ids = progress.whole->ids.slice(0, begin, end);
  call.grids = {};
  call.plan = &part;
  const auto skipped = static_cast<std::size_t>(begin);
  call.generated_from = call.generated_from > skipped ? call.generated_from - skipped : 0;
  if (const std::int64_t tokens = image_tokens(part); tokens > 0) {
    call.vision = call.vision.slice(0, progress.vision_done, progress.vision_done + tokens);
    progress.vision_done += tokens;
  } else {
    call.vision = {};
  }
  const std::int64_t first_wanted = progress.plan.q_len - progress.whole->logit_rows;
  call.logit_rows = std::max<std::int64_t>(0, end - std::max(begin, first_wanted));
  progress.done = end;
  return call;
}

Tensor run_parts(const Architecture& architecture, const LanguageCall& call, std::span<Progress> sequences,
                 std::int64_t chunk) {
  std::int64_t wanted = 0;
  std::int64_t left = 0;
  for (const Progress& sequence : sequences) {
    wanted += sequence.whole->logit_rows;
    left += sequence.left();
  }
  Tensor all;  // logits come in the order of the rows
  std::int64_t written = 0;
  while (left > 0) {
    detail::PooledVector<SequenceCall> calls;
    detail::PooledVector<CallPlan> plans(sequences.size());
    std::int64_t room = chunk;
    for (std::size_t i = 0; i < sequences.size() && room > 0; ++i) {
      const std::int64_t rows = std::min(room, sequences[i].left());
      if (rows == 0) continue;
      calls.push_back(next_part(sequences[i], rows, plans[i]));
      room -= rows;
    }
    left -= chunk - room;
    LanguageCall part;
    part.sequences = calls;
    part.cancel = call.cancel;
    const Tensor logits = architecture.run(part);
    if (!logits.defined()) continue;
    if (logits.dim(0) == wanted && left == 0) return logits;
    if (!all.defined()) all = Tensor::empty(DType::f32, {wanted, logits.dim(1)});
    std::memcpy(all.mutable_data<float>() + written * logits.dim(1), logits.data<float>(), logits.size_bytes());
    written += logits.dim(0);
  }
  return all;
}

}  // namespace

void check_prefill_chunk(std::int64_t chunk) {
  if (chunk < 0)
    throw Error(ErrorCode::invalid_argument, "prefill_chunk is " + std::to_string(chunk) +
                                                 ", it must be 0 (a prompt runs whole) or a number of tokens");
}

Tensor run_in_chunks(const Architecture& architecture, const LanguageCall& call, std::int64_t chunk) {
  std::int64_t rows = 0;
  bool cached = true;
  for (const SequenceCall& sequence : call.sequences) {
    rows += sequence.ids.dim(0);
    cached = cached && sequence.cache != nullptr;
  }
  if (chunk == 0 || rows <= chunk || !cached) return architecture.run(call);
  detail::PooledVector<Progress> sequences;
  for (const SequenceCall& sequence : call.sequences)
    sequences.push_back({&sequence, architecture.plan(sequence), sequence.state->past()});
  try {
    return run_parts(architecture, call, sequences, chunk);
  } catch (...) {
    for (const Progress& sequence : sequences) {
      sequence.whole->state->truncate(sequence.past);
      sequence.whole->cache->truncate(sequence.past);
    }
    throw;
  }
}

}  // namespace octavo::model
