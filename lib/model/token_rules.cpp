#include "token_rules.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "octavo/detail/pooled.hpp"
#include "octavo/error.hpp"

namespace octavo::model {
namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();

/// Suppressing what does not exist changes nothing.
void suppress(std::span<float> scores, std::span<const std::int32_t> ids) {
  for (const std::int32_t id : ids)
    if (id >= 0 && static_cast<std::size_t>(id) < scores.size()) scores[static_cast<std::size_t>(id)] = kNever;
}

/// Adds the bias when its sequence lacks only its last token.
void add_bias(std::span<float> scores, std::span<const std::int32_t> history, std::span<const std::int32_t> ids,
              double bias) {
  const std::size_t before = ids.size() - 1;
  if (before > 0 && ids.size() > history.size()) return;  // as transformers, which wants one token more
  if (!std::equal(ids.begin(), ids.end() - 1, history.end() - static_cast<std::ptrdiff_t>(before))) return;
  scores[static_cast<std::size_t>(ids.back())] += static_cast<float>(bias);
}

}  // namespace

TokenRules::TokenRules(GenerationRules rules, std::vector<std::int32_t> ends, std::size_t prompt_tokens,
                       std::int64_t limit, std::int64_t vocab_size)
    : rules_(std::move(rules)),
      ends_(std::move(ends)),
      prompt_tokens_(prompt_tokens),
      limit_(static_cast<std::size_t>(std::max<std::int64_t>(limit, 0))) {
  // Forbidding a sequence is a bias without end; a bad word that ends the answer alone is let through.
  for (std::vector<std::int32_t>& word : rules_.bad_words_ids) {
    const bool end = word.size() == 1 && std::find(ends_.begin(), ends_.end(), word.front()) != ends_.end();
    if (end) word.clear();
  }
  std::erase_if(rules_.bad_words_ids, [](const auto& word) { return word.empty(); });
  const auto require = [&](std::int32_t id, const char* key) {
    if (id < 0 || id >= vocab_size)
      throw Error(ErrorCode::invalid_argument, std::string("generate: ") + key + " has the token id " +
                                                   std::to_string(id) + ", outside the vocabulary of " +
                                                   std::to_string(vocab_size));
  };
  for (const SequenceBias& bias : rules_.sequence_bias) {
    if (bias.ids.empty()) throw Error(ErrorCode::invalid_argument, "generate: sequence_bias has an empty sequence");
    for (const std::int32_t id : bias.ids) require(id, "sequence_bias");
  }
  for (const auto& word : rules_.bad_words_ids)
    for (const std::int32_t id : word) require(id, "bad_words_ids");
  for (const std::int32_t id : rules_.forced_eos_token_ids) require(id, "forced_eos_token_id");
  if (rules_.forced_bos_token_id) require(*rules_.forced_bos_token_id, "forced_bos_token_id");
}

void TokenRules::before_penalty(std::span<float> scores, std::span<const std::int32_t> history) const {
  for (const SequenceBias& entry : rules_.sequence_bias) add_bias(scores, history, entry.ids, entry.bias);
  if (rules_.encoder_repetition_penalty != 1.0) {
    const auto factor = static_cast<float>(1.0 / rules_.encoder_repetition_penalty);
    detail::PooledVector<bool> seen(scores.size(), false);
    for (const std::int32_t id : history.first(prompt_tokens_)) {
      const auto index = static_cast<std::size_t>(id);
      if (index >= scores.size() || seen[index]) continue;
      seen[index] = true;
      scores[index] = scores[index] < 0 ? scores[index] * factor : scores[index] / factor;
    }
  }
}

void TokenRules::after_penalty(std::span<float> scores, std::span<const std::int32_t> history) const {
  const std::size_t length = history.size();
  const std::size_t said = length - prompt_tokens_;
  forbid_repeats(scores, history, history, rules_.no_repeat_ngram_size);
  forbid_repeats(scores, history.first(prompt_tokens_), history, rules_.encoder_no_repeat_ngram_size);
  for (const std::vector<std::int32_t>& word : rules_.bad_words_ids)
    add_bias(scores, history, word, -std::numeric_limits<double>::infinity());
  // min_new_tokens takes min_length's place.
  const bool early = rules_.min_new_tokens > 0 ? said < static_cast<std::size_t>(rules_.min_new_tokens)
                                               : length < static_cast<std::size_t>(rules_.min_length);
  if (early) suppress(scores, ends_);
  if (rules_.forced_bos_token_id && length == 1) force(scores, {&*rules_.forced_bos_token_id, 1});
  if (!rules_.forced_eos_token_ids.empty() && said + 1 == limit_) force(scores, rules_.forced_eos_token_ids);
  if (const auto& decay = rules_.exponential_decay_length_penalty) {
    const auto past = static_cast<std::int64_t>(said) - decay->first;
    for (const std::int32_t id : ends_) {
      if (past <= 0 || static_cast<std::size_t>(id) >= scores.size()) continue;
      float& score = scores[static_cast<std::size_t>(id)];
      score += std::abs(score) * static_cast<float>(std::pow(decay->second, static_cast<double>(past)) - 1);
    }
  }
  suppress(scores, rules_.suppress_tokens);
  const std::size_t first = prompt_tokens_ > 1 || !rules_.forced_bos_token_id ? 0 : 1;
  if (said == first) suppress(scores, rules_.begin_suppress_tokens);
}

bool TokenRules::none() const noexcept {
  const GenerationRules& r = rules_;
  return r.sequence_bias.empty() && r.encoder_repetition_penalty == 1.0 && r.no_repeat_ngram_size == 0 &&
         r.encoder_no_repeat_ngram_size == 0 && r.bad_words_ids.empty() && r.min_length == 0 && r.min_new_tokens == 0 &&
         !r.forced_bos_token_id && r.forced_eos_token_ids.empty() && !r.exponential_decay_length_penalty &&
         r.suppress_tokens.empty() && r.begin_suppress_tokens.empty();
}

/// Forbids the tokens that would complete an n-gram of `said` again.
void TokenRules::forbid_repeats(std::span<float> scores, std::span<const std::int32_t> said,
                                std::span<const std::int32_t> history, std::int64_t size) const {
  if (size <= 0 || static_cast<std::size_t>(size) > said.size()) return;
  const auto before = static_cast<std::size_t>(size) - 1;
  if (before > history.size()) return;
  const std::span<const std::int32_t> last = history.last(before);
  for (std::size_t i = 0; i + before < said.size(); ++i)
    if (std::equal(last.begin(), last.end(), said.begin() + static_cast<std::ptrdiff_t>(i)))
      suppress(scores, said.subspan(i + before, 1));
}

void TokenRules::force(std::span<float> scores, std::span<const std::int32_t> ids) const {
  std::fill(scores.begin(), scores.end(), kNever);
  for (const std::int32_t id : ids) scores[static_cast<std::size_t>(id)] = 0;
}

}  // namespace octavo::model
