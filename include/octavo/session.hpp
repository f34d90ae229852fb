/// @file
/// Sessions: a cache and its positions, for callers that drive prefill and decode themselves.
///
///     Session session(model, 4096);
///     Tensor logits = session.feed(model.prepare("What is this?", {&image, 1}));   // prefill
///     logits = session.feed({{best(logits)}, {}});                                 // decode, token by token
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "octavo/model.hpp"

namespace octavo {

/// A conversation's state: cache + positions, for callers that drive prefill and decode themselves. Positions, mask
/// and cache length come from one SequenceState. One thread at a time; distinct sessions are independent.
class Session {
 public:
  /// `capacity`: positions the cache can hold, 1 .. max_position_embeddings. `cache_dtype`: f32, bf16 (half the memory)
  /// or s8 (a quarter, with a scale per position and head), see KvCache. `prefill_chunk`: tokens that one call of the
  /// language model reads, see GenerateOptions.
  Session(const Model& model, std::int64_t capacity, DType cache_dtype = DType::f32,
          std::int64_t prefill_chunk = kPrefillChunk);
  /// Feeds new tokens (and the images among them, each whole); logits of the last position, f32 [vocab].
  /// If it throws, the session is as before.
  Tensor feed(const ModelInput& input);
  /// Feeds inputs[i] to sessions[i], all in one call: logits of each one's last position, f32 [sessions, vocab]. They
  /// may be in any state: one reads a prompt while another decodes. If it throws, all are as
  /// before. The first one's prefill_chunk holds for all of them together.
  /// @throws Error  invalid_argument naming the session: of another model, given twice, or what feed refuses.
  static Tensor feed(std::span<Session* const> sessions, std::span<const ModelInput> inputs);
  std::int64_t past() const noexcept;
  std::span<const std::int32_t> tokens() const noexcept;  ///< what was fed, [past]; until the session changes
  /// Forgets what was fed behind the first `past` tokens: what follows them can be fed anew.
  /// @throws Error  invalid_argument: more than past(), or a place inside an image.
  void truncate(std::int64_t past);
  void reset();  ///< forgets every position; keeps the memory
  /// An independent session that goes on from the same positions; copies the cache.
  Session fork() const;
  /// Of the memory that calls take for their tensors, and keep for the next; the cache is not among it.
  std::size_t activation_bytes() const noexcept;

 private:
  struct Impl;
  explicit Session(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<Impl> impl_;
};

}  // namespace octavo
