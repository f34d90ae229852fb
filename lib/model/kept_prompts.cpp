#include "kept_prompts.hpp"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

#include "octavo/detail/amounts.hpp"
#include "octavo/log.hpp"

namespace octavo::model {

std::int64_t common_tokens(const PromptKey& a, const PromptKey& b, std::int64_t most) {
  if (a.model != b.model || a.dtype != b.dtype) return 0;
  const std::size_t shorter = std::min(a.ids.size(), b.ids.size());
  const auto differ = std::mismatch(a.ids.begin(), a.ids.begin() + static_cast<std::ptrdiff_t>(shorter), b.ids.begin());
  std::int64_t common = std::min<std::int64_t>(most, differ.first - a.ids.begin());
  for (std::size_t i = 0; i < a.images.size() && a.images[i].begin < common; ++i) {
    const PromptKey::Image& image = a.images[i];
    const bool same = i < b.images.size() && b.images[i].begin == image.begin && b.images[i].end == image.end &&
                      b.images[i].digest == image.digest;
    if (!same || image.end > common) return image.begin;
  }
  return common;
}

std::vector<KeptPrompts::Part> KeptPrompts::find(const PromptKey& key, std::int64_t most) {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::int64_t longest = 0;
  auto best = prompts_.end();
  for (auto prompt = prompts_.begin(); prompt != prompts_.end(); ++prompt) {
    const std::int64_t common = common_tokens(key, prompt->key, most);
    if (common <= longest) continue;
    longest = common;
    best = prompt;
  }
  std::vector<Part> parts;
  if (best == prompts_.end()) return parts;
  for (const Part& part : best->parts) {
    parts.push_back({part.piece, std::min(part.length, longest)});
    longest -= parts.back().length;
    if (longest == 0) break;
  }
  prompts_.splice(prompts_.begin(), prompts_, best);
  return parts;
}

bool KeptPrompts::holds(const PromptKey& key) {
  const auto tokens = static_cast<std::int64_t>(key.ids.size());
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = std::find_if(prompts_.begin(), prompts_.end(), [&](const Prompt& prompt) {
    return common_tokens(key, prompt.key, tokens) == tokens;
  });
  if (found == prompts_.end()) return false;
  prompts_.splice(prompts_.begin(), prompts_, found);
  return true;
}

std::list<KeptPrompts::Prompt>::iterator KeptPrompts::drop(std::list<Prompt>::iterator at) {
  for (const Part& part : at->parts)
    if (--part.piece->users == 0) bytes_ -= part.piece->bytes;
  return prompts_.erase(at);
}

void KeptPrompts::keep(PromptKey key, std::vector<Part> parts) {
  const std::lock_guard<std::mutex> lock(mutex_);
  for (const Part& part : parts)
    if (part.piece->users++ == 0) bytes_ += part.piece->bytes;
  for (auto prompt = prompts_.begin(); prompt != prompts_.end();) {
    const auto tokens = static_cast<std::int64_t>(prompt->key.ids.size());
    prompt = common_tokens(prompt->key, key, tokens) == tokens ? drop(prompt) : std::next(prompt);
  }
  prompts_.push_front({std::move(key), std::move(parts)});
  while (bytes_ > limit_) {
    const auto last = std::prev(prompts_.end());
    log_line(LogLevel::debug, "model", [&] {
      return "prefix cache: a prompt of " + std::to_string(last->key.ids.size()) + " tokens is let go: it holds " +
             detail::megabytes(bytes_) + ", of at most " + detail::megabytes(limit_);
    });
    drop(last);
  }
}

void KeptPrompts::clear() {
  const std::lock_guard<std::mutex> lock(mutex_);
  while (!prompts_.empty()) drop(prompts_.begin());
}

std::size_t KeptPrompts::count() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return prompts_.size();
}

std::size_t KeptPrompts::bytes() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return bytes_;
}

}  // namespace octavo::model
