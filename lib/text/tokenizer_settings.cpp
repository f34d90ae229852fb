// The keys of tokenizer_config.json that transformers 4.49 to 5.17 knows for Qwen2's tokenizers
// (tokenization_utils_base.py, tokenization_qwen2.py), and what is done with each.
#include <array>

#include "octavo/text.hpp"

namespace octavo {
namespace {

constexpr SettingEffect kHonoured = SettingEffect::honoured;
constexpr SettingEffect kNamed = SettingEffect::named;
constexpr SettingEffect kNoMatter = SettingEffect::no_matter;

constexpr std::array<Setting, 45> kRows{{
    {"added_tokens_decoder", kHonoured, "", R"({"402": {"content": "<new>"}})", "Added tokens and their flags."},
    {"additional_special_tokens", kHonoured, "", R"(["<new>"])", "Are added where the vocabulary lacks them."},
    {"extra_special_tokens", kHonoured, "", R"({"new_token": "<new>"})", "The same under its new name."},
    {"bos_token", kHonoured, "", R"("<new>")", "Is added where the vocabulary lacks it; templates may name it."},
    {"eos_token", kHonoured, "", R"("<new>")", "The same."},
    {"unk_token", kHonoured, "", R"("<new>")", "The same."},
    {"sep_token", kHonoured, "", R"("<new>")", "The same."},
    {"pad_token", kHonoured, "", R"("<new>")", "The same."},
    {"cls_token", kHonoured, "", R"("<new>")", "The same."},
    {"mask_token", kHonoured, "", R"("<new>")", "The same."},
    {"chat_template", kHonoured, "", R"("{{ messages[0].role }}")", "Lays prompts out; see ChatTemplate."},
    {"split_special_tokens", SettingEffect::required, "[false, null]", "true",
     "Makes control tokens text, those of the chat template, too: ask for it with the prompt instead."},
    {"clean_up_tokenization_spaces", kNamed, "[false, null]", "true",
     "takes the space before punctuation out of decoded text: Octavo decodes what was said."},
    {"tokenizer_class", kNamed,
     R"(["Qwen2Tokenizer", "Qwen2TokenizerFast", "PreTrainedTokenizerFast", "TokenizersBackend", null])",
     R"("LlamaTokenizer")", "may split text in a way of its own: Octavo goes by tokenizer.json."},
    {"auto_map", kNamed, "[null]", R"({"AutoTokenizer": "a.B"})", "is a program of the model's own: not run."},
    {"add_bos_token", kNamed, "[false, null]", "true", "puts a token before every text: Octavo adds none."},
    {"add_eos_token", kNamed, "[false, null]", "true", "puts a token after every text: Octavo adds none."},
    {"fix_mistral_regex", kNoMatter, "", "true", "For Mistral's tokenizers."},
    {"add_prefix_space", kNoMatter, "", "false", "tokenizer.json says it; another than false is refused there."},
    {"model_max_length", kNoMatter, "", "64", "Only warns in transformers."},
    {"max_length", kNoMatter, "", "64", "For truncation, which a caller has to ask for."},
    {"stride", kNoMatter, "", "1", "For truncation, which a caller has to ask for."},
    {"truncation_side", kNoMatter, "", R"("left")", "For truncation, which a caller has to ask for."},
    {"truncation_strategy", kNoMatter, "", R"("longest_first")", "For truncation, which a caller has to ask for."},
    {"padding_side", kNoMatter, "", R"("left")", "Octavo's batches hold no padding."},
    {"pad_to_multiple_of", kNoMatter, "", "8", "Octavo's batches hold no padding."},
    {"pad_token_type_id", kNoMatter, "", "1", "Octavo's batches hold no padding."},
    {"errors", kNoMatter, "", R"("strict")",
     "Of the slow tokenizer: invalid bytes become U+FFFD in the fast one, and here."},
    {"processor_class", kNoMatter, "", R"("Any")", "Which class loads it."},
    {"image_processor_type", kNoMatter, "", R"("Any")", "Which class loads it."},
    {"image_token", kNoMatter, "", R"("<|image_pad|>")", "config.json's image_token_id says it."},
    {"video_token", kNoMatter, "", R"("<|video_pad|>")", "config.json's video_token_id says it."},
    {"vision_bos_token", kNoMatter, "", R"("<|vision_start|>")", "config.json's vision_start_token_id says it."},
    {"vision_eos_token", kNoMatter, "", R"("<|vision_end|>")", "config.json's vision_end_token_id says it."},
    {"model_specific_special_tokens", kHonoured, "", R"({"new_token": "<new>"})", "Are added like the others."},
    {"from_slow", kNoMatter, "", "false", "How transformers loads it."},
    {"backend", kNoMatter, "", R"("tokenizers")", "How transformers loads it."},
    {"is_local", kNoMatter, "", "true", "How transformers loads it."},
    {"local_files_only", kNoMatter, "", "true", "How transformers loads it."},
    {"use_fast", kNoMatter, "", "true", "How transformers loads it."},
    {"legacy", kNoMatter, "", "true", "For sentencepiece."},
    {"tokenizer_file", kNoMatter, "", R"("x")", "A path where it was saved."},
    {"name_or_path", kNoMatter, "", R"("x")", "Where it was loaded from."},
    {"special_tokens_map_file", kNoMatter, "", R"("x")", "A path where it was saved."},
    {"transformers_version", kNoMatter, "", R"("4.99")", "Who saved the file."},
}};

}  // namespace

const SettingsTable& tokenizer_settings() {
  static constexpr SettingsTable table{"tokenizer_config.json", kRows};
  return table;
}

}  // namespace octavo
