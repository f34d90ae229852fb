#include "prompt_lookup.hpp"

#include <algorithm>
#include <string>

namespace octavo::model {

void check_lookup(const PromptLookup& lookup) {
  const auto refuse = [](const char* name, std::int64_t value, const std::string& domain) {
    throw Error(ErrorCode::invalid_argument,
                std::string("generate: lookup's ") + name + " is " + std::to_string(value) + ", it must be " + domain);
  };
  if (lookup.ngram < 1) refuse("ngram", lookup.ngram, "positive");
  if (lookup.draft < 1 || lookup.draft > PromptLookup::kMostDraft)
    refuse("draft", lookup.draft,
           "1 to " + std::to_string(PromptLookup::kMostDraft) + ", so that rows have the bits that they have alone");
}

void look_up(std::span<const std::int32_t> history, std::int64_t ngram, std::size_t most, std::int32_t image_pad,
             std::vector<std::int32_t>& draft) {
  draft.clear();
  if (most == 0 || history.size() < 2) return;
  // The longest run of last ids, of at most `ngram`, that ends somewhere earlier, too; of equally long ones the latest.
  const std::size_t longest = std::min(static_cast<std::size_t>(ngram), history.size() - 1);
  std::size_t best = 0;
  std::size_t best_end = 0;
  for (std::size_t end = history.size() - 1; end > 0 && best < longest; --end) {
    std::size_t equal = 0;
    while (equal < std::min(longest, end) && history[end - 1 - equal] == history[history.size() - 1 - equal]) ++equal;
    if (equal <= best) continue;
    best = equal;
    best_end = end;
  }
  if (best == 0) return;
  for (std::size_t i = best_end; draft.size() < most; ++i) {
    const std::int32_t id = i < history.size() ? history[i] : draft[i - history.size()];
    if (id == image_pad) return;
    draft.push_back(id);
  }
}

}  // namespace octavo::model
