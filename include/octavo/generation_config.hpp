/// @file
/// generation_config.json: how a model's authors want answers to be chosen, and when they end.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "octavo/files.hpp"
#include "octavo/json.hpp"
#include "octavo/settings.hpp"

namespace octavo {

/// A sequence of token ids, and what is added to the score of its last one when the others have just been said.
struct SequenceBias {
  std::vector<std::int32_t> ids;  ///< one or more
  double bias = 0;
};

/// What the tokens of an answer must obey, whether they are sampled or not, and what else ends it. Each is Hugging
/// Face's of the same name, applied in the order of transformers' logits processors. Empty, 0 and absent are off.
struct GenerationRules {
  std::vector<SequenceBias> sequence_bias;
  double encoder_repetition_penalty = 1.0;        ///< > 0; of the ids of the prompt; above 1 favours them; 1: off
  std::int64_t no_repeat_ngram_size = 0;          ///< of prompt and answer
  std::int64_t encoder_no_repeat_ngram_size = 0;  ///< n-grams of the prompt are not said again
  std::vector<std::vector<std::int32_t>> bad_words_ids;
  std::int64_t min_length = 0;                      ///< of prompt and answer: no end token before
  std::int64_t min_new_tokens = 0;                  ///< of the answer
  std::optional<std::int32_t> forced_bos_token_id;  ///< the first token of an answer to a prompt of one token
  std::vector<std::int32_t> forced_eos_token_ids;   ///< the best of these is the last token that the length allows
  /// From this token of the answer on, end tokens gain |score| * (factor^n - 1).
  std::optional<std::pair<std::int64_t, double>> exponential_decay_length_penalty;
  std::vector<std::int32_t> suppress_tokens, begin_suppress_tokens;  ///< the latter for the first token alone
  /// An answer ends with the token in which one of these ends. They are looked for in prompt and answer together, among
  /// the bytes of the tokens, special ones included.
  std::vector<std::string> stop_strings;
};

/// generation_config.json; keys that are missing or null have Hugging Face's defaults.
struct GenerationConfig {
  std::vector<std::int64_t> eos_token_ids;  ///< a number or a list in the file; empty when unstated
  std::optional<std::int64_t> bos_token_id;
  std::optional<std::int64_t> pad_token_id;
  std::optional<std::int64_t> max_new_tokens;
  std::optional<std::int64_t> max_length;  ///< of prompt and answer; max_new_tokens wins
  bool do_sample = false;
  double temperature = 1.0;
  std::int64_t top_k = 50;
  double top_p = 1.0;
  double min_p = 0.0;
  double typical_p = 1.0;
  double epsilon_cutoff = 0.0;
  double eta_cutoff = 0.0;
  double repetition_penalty = 1.0;
  GenerationRules rules;

  /// @throws Error  format naming file and key for a value of the wrong kind or out of its domain.
  static GenerationConfig parse(const Json& generation_config);
  /// Reads `directory`/generation_config.json; without that file, the same keys of `config` (and of its text_config).
  static GenerationConfig read(const FileSource& files, const Json& config);
};

/// What is done with each key that transformers' GenerationConfig (4.49 to 5.17) knows.
const SettingsTable& generation_settings();

}  // namespace octavo
