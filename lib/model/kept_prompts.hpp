// Keys and values of past prompts, bounded in bytes; the inside of a PrefixCache.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "octavo/attention.hpp"

namespace octavo::model {

/// What the keys and values of a prompt depend on, besides its weights.
struct PromptKey {
  struct Image {
    std::int64_t begin = 0, end = 0;  ///< its tokens
    std::string digest;               ///< of pixels and grid
  };
  std::uint64_t model = 0;
  DType dtype = DType::f32;
  std::vector<std::int32_t> ids;
  std::vector<Image> images;  ///< in order
};

/// Tokens at the beginning that two keys have in common, at most `most`, and never a part of an image.
std::int64_t common_tokens(const PromptKey& a, const PromptKey& b, std::int64_t most);

/// Thread-safe.
class KeptPrompts {
 public:
  explicit KeptPrompts(std::size_t limit) : limit_(limit) {}

  /// Positions that followed each other in one prompt, in memory of their own; never changed.
  struct Piece {
    KvCache rows;
    std::size_t bytes;
    std::int64_t users = 0;  // prompts that hold it; guarded by the mutex
  };
  /// The first `length` positions of a piece.
  struct Part {
    std::shared_ptr<Piece> piece;
    std::int64_t length;
  };
  /// The longest beginning of `key`, of at most `most` tokens, that is kept; its parts stay valid as long as they are
  /// held.
  std::vector<Part> find(const PromptKey& key, std::int64_t most);
  /// Whether all of `key` is kept; it then counts as used.
  bool holds(const PromptKey& key);
  /// Keeps `parts`, all positions of `key`, in place of prompts that are a beginning of it. What then exceeds the
  /// limit goes: the longest unused first, at last the new one itself.
  void keep(PromptKey key, std::vector<Part> parts);
  void clear();
  std::size_t count() const;
  std::size_t bytes() const;
  std::size_t limit() const noexcept { return limit_; }

 private:
  struct Prompt {
    PromptKey key;
    std::vector<Part> parts;
  };
  std::list<Prompt>::iterator drop(std::list<Prompt>::iterator at);

  const std::size_t limit_;
  mutable std::mutex mutex_;
  std::list<Prompt> prompts_;  // the last used first
  std::size_t bytes_ = 0;      // of pieces, each once
};

}  // namespace octavo::model
