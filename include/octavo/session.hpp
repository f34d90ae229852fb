/// @file
/// Sessions: a cache and its positions, for callers that drive prefill and decode themselves, and for conversations.
///
///     Session session(model, 4096);
///     Tensor logits = session.feed(model.prepare("What is this?", {&image, 1}));   // prefill
///     logits = session.feed({{best(logits)}, {}});                                 // decode, token by token
///
/// A chat on one cache, each turn read once:
///
///     for (;;) {
///       messages.push_back(from_user());
///       session.continue_with(model.prepare(messages, images));      // feeds what is new
///       messages.push_back(assistant(session.generate(options).text));   // options.on_token streams it
///     }
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "octavo/model.hpp"

namespace octavo {

/// A conversation's state: cache + positions, for callers that drive prefill and decode themselves. Positions, mask
/// and cache length come from one SequenceState. One thread at a time; distinct sessions are independent. Each call
/// looks before every layer at the flag of its thread's CancelScope (cancel.hpp), and then throws as for any other
/// failure.
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

  struct Continued {
    Tensor logits;                   ///< of the last position, f32 [vocab]
    std::int64_t reused_tokens = 0;  ///< that the session held, and that were not run again
  };
  /// Makes `whole` what the session holds, and runs as little as that takes: keeps the longest beginning that the two
  /// have in common (images are known by their pixels, and never cut), forgets what follows there, and feeds the rest.
  /// For a conversation whose messages are rendered anew with each turn, or changed at any place.
  /// If it throws, the session is as before, or holds the common beginning.
  Continued continue_with(const ModelInput& whole);

  /// An answer from here on, by the logits of the last position; its tokens become part of the session as
  /// though they had been fed. Model::generate's answer to tokens() and their images, with
  /// `options`; prompt and answer fit the session's capacity.
  /// The last token is run when it is needed: by the next call that goes on from it.
  /// If it throws, the session is as before. Cancelled, it holds the answer so far.
  /// @throws Error  invalid_argument: nothing was fed; options with use_cache off, a prefix_cache, or a cache_dtype or
  ///                prefill_chunk other than the session's (or the default); and as Model::generate.
  GenerateResult generate(const GenerateOptions& options = {});
  /// Of the last position, f32 [vocab], a copy. Computed where they are not known: after generate and truncate.
  /// @throws Error  invalid_argument: nothing was fed, or it was truncated behind an image: feed what follows.
  Tensor logits();

  std::int64_t past() const noexcept;  ///< tokens().size()
  std::int64_t capacity() const noexcept;
  std::span<const std::int32_t> tokens() const noexcept;  ///< fed and generated, [past]; until the session changes
  /// Forgets what was fed behind the first `past` tokens: what follows them can be fed anew.
  /// @throws Error  invalid_argument: more than past(), or a place inside an image.
  void truncate(std::int64_t past);
  void reset();  ///< forgets every position; keeps the memory
  /// An independent session that goes on from the same positions; copies the cache.
  Session fork() const;

  /// Everything that restore() needs: tokens, places and digests of images (no pixels), keys and values as they are
  /// stored, logits. The form is Octavo's own, versioned, with a SHA-256 over all (docs/model.md); its size is that of
  /// the positions that are held, not of the capacity.
  std::vector<std::byte> to_bytes() const;
  /// The same as a file, which is complete or as before. An old file is replaced when it is a saved session.
  /// @throws Error  as check_new_file; io.
  void save(const std::string& path) const;
  /// A session that goes on bit for bit as the saved one would have; `capacity` 0 is that of the saved one.
  /// @throws Error  format: damaged, cut short, or no saved session; invalid_argument: of another model (other weights,
  ///                other ModelOptions), or of more tokens than `capacity`; unsupported: of another version; not_found,
  ///                io. Models are the same when config.json and every value of every tensor are: the first save or
  ///                restore of a model reads all its weights for that, once. A model made by with_linears knows its own
  ///                sessions only, in this process.
  static Session restore(const Model& model, const std::string& path, std::int64_t capacity = 0);
  static Session from_bytes(const Model& model, std::span<const std::byte> bytes, std::int64_t capacity = 0);

  /// Of the memory that calls take for their tensors, and keep for the next; the cache is not among it.
  std::size_t activation_bytes() const noexcept;

 private:
  struct Impl;
  explicit Session(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<Impl> impl_;
};

}  // namespace octavo
