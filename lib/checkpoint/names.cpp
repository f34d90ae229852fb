// How tensors and modules are spelled: the published layout, and the layouts that checkpoints are stored in.
#include <algorithm>
#include <array>
#include <utility>

#include "checkpoint_impl.hpp"
#include "naming.hpp"

namespace octavo {
namespace {

using checkpoint_detail::kNamings;
using checkpoint_detail::lies_under;
using checkpoint_detail::ModuleNames;

struct Prefix {
  std::string_view stored;
  std::string_view published;
};

// In this order: the longer of two that begin alike goes first.
constexpr std::array<Prefix, 5> kPrefixes{{
    {"model.visual", "visual"},
    {"model.language_model", "model"},
    {"language_model.model", "model"},
    {"language_model.lm_head", "lm_head"},
    {"vision_tower", "visual"},
}};

/// Levenshtein distance, for suggestions.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, replaced}));
    }
  }
  return row[b.size()];
}

}  // namespace

std::string normalise_name(std::string_view stored) {
  for (const Prefix& prefix : kPrefixes) {
    if (lies_under(stored, prefix.stored)) {
      return std::string(prefix.published) + std::string(stored.substr(prefix.stored.size()));
    }
  }
  return std::string(stored);
}

namespace {

/// A module's name in every layout, the published one first.
std::vector<std::string> spellings_of(const std::string& published, const std::string& stored) {
  std::vector<std::string> spellings{published};
  if (stored != published) spellings.push_back(stored);
  // Savers write published tensor names, while the ignore list may name modules as the program held them.
  for (const Prefix& prefix : kPrefixes) {
    if (!lies_under(published, prefix.published)) continue;
    const std::string other = std::string(prefix.stored) + published.substr(prefix.published.size());
    if (other != stored) spellings.push_back(other);
  }
  return spellings;
}

}  // namespace

std::string Checkpoint::Impl::stored_name(std::string_view published) const {
  if (const auto exact = tensors.find(published); exact != tensors.end()) return exact->second.info->name;
  for (const std::string_view part : {"visual", "model", "lm_head"}) {
    if (!lies_under(published, part)) continue;
    if (const auto known = spelled.find(part); known != spelled.end())
      return known->second + std::string(published.substr(part.size()));
    // A tied checkpoint shows no lm_head; converters that nest the language model nest the head with it.
    const auto text = spelled.find("model");
    if (part == "lm_head" && text != spelled.end() && text->second == "language_model.model")
      return "language_model." + std::string(published);
  }
  return std::string(published);
}

ModuleNames Checkpoint::Impl::names_of(const std::string& published, std::size_t program) const {
  return {spellings_of(published, stored_name(published)), kNamings[program].of(published)};
}

std::vector<std::string> Checkpoint::Impl::suggestions(std::string_view name) const {
  std::vector<std::pair<std::size_t, std::string>> ranked;
  constexpr std::size_t kMaxLength = 256;
  constexpr std::size_t kMaxCandidates = 4096;
  if (name.size() > kMaxLength) return {};
  std::size_t compared = 0;
  for (const auto& [candidate, entry] : tensors) {
    if (candidate.size() > kMaxLength) continue;
    if (++compared > kMaxCandidates) break;
    const std::size_t distance = edit_distance(name, candidate);
    if (2 * distance <= name.size()) ranked.emplace_back(distance, candidate);
  }
  std::sort(ranked.begin(), ranked.end());
  std::vector<std::string> nearest;
  for (std::size_t i = 0; i < std::min<std::size_t>(ranked.size(), 3); ++i) nearest.push_back(ranked[i].second);
  return nearest;
}

}  // namespace octavo
