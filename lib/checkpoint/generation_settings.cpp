// The keys of GenerationConfig in transformers 4.49 to 5.17 (src/transformers/generation/configuration_utils.py), and
// what is done with each.
#include <array>

#include "octavo/generation_config.hpp"

namespace octavo {
namespace {

constexpr SettingEffect kHonoured = SettingEffect::honoured;
constexpr SettingEffect kNamed = SettingEffect::named;
constexpr SettingEffect kNoMatter = SettingEffect::no_matter;

constexpr std::array<Setting, 75> kRows{{
    {"max_new_tokens", kHonoured, "", "3", "Longest answer, unless the caller gives one."},
    {"max_length", kHonoured, "", "64", "Longest prompt and answer, where max_new_tokens is not set."},
    {"min_new_tokens", kHonoured, "", "5", "No end token before."},
    {"min_length", kHonoured, "", "500", "No end token before prompt and answer are so long."},
    {"eos_token_id", kHonoured, "", "[7, 8]", "Tokens that end an answer."},
    {"stop_strings", kHonoured, "", R"(["red"])", "Texts that end an answer."},
    {"do_sample", kHonoured, "", "true", "Draws tokens instead of taking the best."},
    {"temperature", kHonoured, "", "0.5", "Divides the scores before a draw."},
    {"top_k", kHonoured, "", "3", "Draws among the k best."},
    {"top_p", kHonoured, "", "0.5", "Draws among the likeliest that reach this probability."},
    {"min_p", kHonoured, "", "0.5", "Draws among those that have this part of the best one's probability."},
    {"typical_p", kHonoured, "", "0.5", "Draws among the most typical."},
    {"epsilon_cutoff", kHonoured, "", "0.01", "Draws among those of at least this probability."},
    {"eta_cutoff", kHonoured, "", "0.01", "The same, less strict where many are likely."},
    {"repetition_penalty", kHonoured, "", "1.5", "Makes ids of prompt and answer less likely."},
    {"encoder_repetition_penalty", kHonoured, "", "1.5", "Makes ids of the prompt likelier."},
    {"no_repeat_ngram_size", kHonoured, "", "2", "No n-gram occurs twice."},
    {"encoder_no_repeat_ngram_size", kHonoured, "", "2", "No n-gram of the prompt occurs in the answer."},
    {"bad_words_ids", kHonoured, "", "[[5], [6, 7]]", "Sequences that are never said."},
    {"sequence_bias", kHonoured, "", "[[[5], -10.0]]", "Sequences whose score is changed."},
    {"suppress_tokens", kHonoured, "", "[5]", "Tokens that are never said."},
    {"begin_suppress_tokens", kHonoured, "", "[5]", "Tokens that do not begin an answer."},
    {"forced_bos_token_id", kHonoured, "", "5", "First token of an answer to a prompt of one token."},
    {"forced_eos_token_id", kHonoured, "", "5", "Last token that the length allows."},
    {"exponential_decay_length_penalty", kHonoured, "", "[2, 1.5]", "Makes end tokens likelier with every token."},
    {"num_beams", kNamed, "[1, null]", "4", "searches with beams: Octavo follows one."},
    {"num_beam_groups", kNamed, "[1, null]", "2", "searches with groups of beams: Octavo follows one."},
    {"num_return_sequences", kNamed, "[1, null]", "2", "asks for several answers: Octavo gives one."},
    {"penalty_alpha", kNamed, "[0, null]", "0.6", "is contrastive search: Octavo takes the best token, or draws."},
    {"dola_layers", kNamed, "[null]", R"("low")", "contrasts layers: Octavo reads the last one."},
    {"guidance_scale", kNamed, "[1, null]", "1.5", "compares with a run without prompt: Octavo runs the prompt."},
    {"constraints", kNamed, "[null]", "[1]", "are for beams, which Octavo does not have."},
    {"force_words_ids", kNamed, "[null]", "[[5]]", "is for beams, which Octavo does not have."},
    {"watermarking_config", kNamed, "[null]", R"({"bias": 2.5})", "marks the text: Octavo does not."},
    {"token_healing", kNamed, "[false, null]", "true", "rewrites the end of the prompt: Octavo does not."},
    {"top_h", kNamed, "[null]", "0.4", "limits the draw by entropy: Octavo does not."},
    {"max_time", kNamed, "[null]", "1.5", "ends an answer after so many seconds: cancel it, or give a length."},
    {"remove_invalid_values", kNamed, "[false, null]", "true", "hides NaN and infinities: in Octavo they are errors."},
    {"cache_implementation", kNamed, R"(["dynamic", "static", "offloaded", "offloaded_static", "hybrid", null])",
     R"("quantized")", "may store keys and values in fewer bits: choose the cache's type with the call."},
    {"custom_generate", kNamed, "[null]", R"("org/name")", "is a program of the model's own: Octavo does not run it."},
    {"renormalize_logits", kNoMatter, "", "true", "Scores that are compared or drawn from need no norm."},
    {"early_stopping", kNoMatter, "", "true", "For beams; see num_beams."},
    {"length_penalty", kNoMatter, "", "2.0", "For beams; see num_beams."},
    {"diversity_penalty", kNoMatter, "", "1.0", "For groups of beams; see num_beam_groups."},
    {"low_memory", kNoMatter, "", "true", "Same tokens in less memory."},
    {"use_cache", kNoMatter, "", "false", "Same tokens; a property of the call."},
    {"cache_config", kNoMatter, "", R"({"nbits": 4})", "See cache_implementation."},
    {"max_cache_len", kNoMatter, "", "100", "Memory alone."},
    {"return_legacy_cache", kNoMatter, "", "true", "The form of an output."},
    {"prefill_chunk_size", kNoMatter, "", "64", "Same tokens in less memory."},
    {"pad_token_id", kNoMatter, "", "3", "Fills batches; Octavo's hold no padding."},
    {"bos_token_id", kNoMatter, "", "3", "Begins a text without prompt; the chat template begins every prompt."},
    {"decoder_start_token_id", kNoMatter, "", "3", "For models with an encoder."},
    {"output_attentions", kNoMatter, "", "true", "The form of an output."},
    {"output_hidden_states", kNoMatter, "", "true", "The form of an output."},
    {"output_scores", kNoMatter, "", "true", "The form of an output."},
    {"output_logits", kNoMatter, "", "true", "The form of an output."},
    {"return_dict_in_generate", kNoMatter, "", "true", "The form of an output."},
    {"is_assistant", kNoMatter, "", "true", "Speculation, which keeps the tokens."},
    {"num_assistant_tokens", kNoMatter, "", "5", "Speculation, which keeps the tokens."},
    {"num_assistant_tokens_schedule", kNoMatter, "", R"("heuristic")", "Speculation, which keeps the tokens."},
    {"assistant_confidence_threshold", kNoMatter, "", "0.5", "Speculation, which keeps the tokens."},
    {"prompt_lookup_num_tokens", kNoMatter, "", "5", "Speculation, which keeps the tokens."},
    {"max_matching_ngram_size", kNoMatter, "", "3", "Speculation, which keeps the tokens."},
    {"assistant_early_exit", kNoMatter, "", "3", "Speculation, which keeps the tokens."},
    {"assistant_lookbehind", kNoMatter, "", "5", "Speculation, which keeps the tokens."},
    {"target_lookbehind", kNoMatter, "", "5", "Speculation, which keeps the tokens."},
    {"assistant_ensemble_weight", kNamed, "[null]", "0.5", "mixes a second model's scores in: Octavo has one model."},
    {"speculation_type", kNoMatter, "", R"("any")", "Speculation, which keeps the tokens."},
    {"use_mtp", kNoMatter, "", "true", "Speculation, which keeps the tokens."},
    {"compile_config", kNoMatter, "", R"({"mode": "default"})", "How transformers runs."},
    {"disable_compile", kNoMatter, "", "true", "How transformers runs."},
    {"continuous_batching_config", kNoMatter, "", R"({"a": 1})", "How transformers runs."},
    {"transformers_version", kNoMatter, "", R"("4.99")", "Who saved the file."},
    {"_from_model_config", kNoMatter, "", "true", "Who saved the file."},
}};

}  // namespace

const SettingsTable& generation_settings() {
  static constexpr SettingsTable table{"generation_config.json", kRows};
  return table;
}

}  // namespace octavo
