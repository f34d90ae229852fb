/// @file
/// Sessions: a cache and its positions, for callers that drive prefill and decode themselves.
///
///     Session session(model, 4096);
///     Tensor logits = session.feed(model.prepare("What is this?", {&image, 1}));   // prefill
///     logits = session.feed({{best(logits)}, {}});                                 // decode, token by token
#pragma once

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
  /// or s8 (a quarter, with a scale per position and head), see KvCache.
  Session(const Model& model, std::int64_t capacity, DType cache_dtype = DType::f32);
  /// Feeds new tokens (and the images among them, each whole); logits of the last position, f32 [vocab].
  /// If it throws, the session is as before.
  Tensor feed(const ModelInput& input);
  /// Feeds inputs[i] to sessions[i], all in one call: logits of each one's last position, f32 [sessions, vocab]. They
  /// may be in any state: one reads a prompt while another decodes. If it throws, all are as before.
  /// @throws Error  invalid_argument naming the session: of another model, given twice, or what feed refuses.
  static Tensor feed(std::span<Session* const> sessions, std::span<const ModelInput> inputs);
  std::int64_t past() const noexcept;
  void reset();  ///< forgets every position; keeps the memory
  /// An independent session that goes on from the same positions; copies the cache.
  Session fork() const;

 private:
  struct Impl;
  explicit Session(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<Impl> impl_;
};

}  // namespace octavo
