#include "chunks.hpp"

#include <algorithm>
#include <cstring>
#include <span>
#include <string>

#include "octavo/detail/pooled.hpp"

namespace octavo::model {

PartedCall::PartedCall(const RuntimeModel& runtime, const SequenceCall& whole)
    : whole_(whole), plan_(runtime.plan(whole)) {}

SequenceCall PartedCall::next(std::int64_t rows) {
  const std::int64_t begin = whole_.state->past() - plan_.past;
  const std::int64_t end = begin + rows;
  part_ = plan_.slice(begin, end);
  SequenceCall call = whole_;
  call.ids = whole_.ids.slice(0, begin, end);
  call.grids = {};
  call.plan = &part_;
  const auto skipped = static_cast<std::size_t>(begin);
  call.generated_from = call.generated_from > skipped ? call.generated_from - skipped : 0;
  std::int64_t first = 0;  // of the images' rows, those that this part feeds
  std::int64_t last = 0;
  for (const PlacedImage& image : plan_.images) {
    first += std::clamp(part_.past, image.begin, image.end) - image.begin;
    last += std::clamp(part_.kv_len, image.begin, image.end) - image.begin;
  }
  call.vision = last > first ? call.vision.slice(0, first, last) : Tensor();
  const std::int64_t first_wanted = plan_.q_len - whole_.logit_rows;
  call.logit_rows = std::max<std::int64_t>(0, end - std::max(begin, first_wanted));
  return call;
}

void PartedCall::undo() const {
  whole_.state->truncate(plan_.past);
  whole_.cache->truncate(plan_.past);
}

namespace {

Tensor run_parts(const RuntimeModel& runtime, const LanguageCall& call, std::span<PartedCall> sequences,
                 std::int64_t chunk) {
  std::int64_t wanted = 0;
  std::int64_t left = 0;
  for (const SequenceCall& sequence : call.sequences) wanted += sequence.logit_rows;
  for (const PartedCall& sequence : sequences) left += sequence.left();
  Tensor all;  // logits come in the order of the rows
  std::int64_t written = 0;
  while (left > 0) {
    detail::PooledVector<SequenceCall> calls;
    std::int64_t room = chunk;
    for (std::size_t i = 0; i < sequences.size() && room > 0; ++i) {
      const std::int64_t rows = std::min(room, sequences[i].left());
      if (rows == 0) continue;
      calls.push_back(sequences[i].next(rows));
      room -= rows;
    }
    left -= chunk - room;
    LanguageCall part;
    part.sequences = calls;
    part.cancel = call.cancel;
    const Tensor logits = runtime.run(part);
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

Tensor run_in_chunks(const RuntimeModel& runtime, const LanguageCall& call, std::int64_t chunk) {
  std::int64_t rows = 0;
  bool cached = true;
  for (const SequenceCall& sequence : call.sequences) {
    rows += sequence.ids.dim(0);
    cached = cached && sequence.cache != nullptr;
  }
  if (chunk == 0 || rows <= chunk || !cached) return runtime.run(call);
  detail::PooledVector<PartedCall> sequences;
  sequences.reserve(call.sequences.size());
  for (const SequenceCall& sequence : call.sequences) sequences.emplace_back(runtime, sequence);
  try {
    return run_parts(runtime, call, sequences, chunk);
  } catch (...) {
    for (const PartedCall& sequence : sequences) sequence.undo();
    throw;
  }
}

}  // namespace octavo::model
