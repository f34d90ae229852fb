#include "octavo/generation_config.hpp"

#include <cmath>
#include <filesystem>
#include <system_error>

namespace octavo {
namespace {

/// The file; or config.json, whose text_config speaks where the top level is silent.
class Fields {
 public:
  explicit Fields(const Json& top, std::optional<Json> nested = std::nullopt) : top_(top), nested_(std::move(nested)) {}

  std::optional<Json> find(std::string_view key) const {
    std::optional<Json> value = top_.find(key);
    if ((!value || value->is_null()) && nested_) value = nested_->find(key);
    return value && !value->is_null() ? value : std::nullopt;
  }
  [[noreturn]] void refuse(std::string_view key, const std::string& rule) const {
    const Json value = *find(key);
    throw Error(ErrorCode::format, value.where() + " must be " + rule + ", but is " + value.dump().substr(0, 200));
  }

  void number(std::string_view key, double& value) const {
    if (const auto found = find(key)) value = found->as_number();
    if (!std::isfinite(value)) refuse(key, "finite");
  }
  void integer(std::string_view key, std::int64_t& value) const {
    if (const auto found = find(key)) value = found->as_int();
    if (value < 0) refuse(key, "0 (off) or more");
  }
  std::optional<std::int64_t> length(std::string_view key) const {
    const auto found = find(key);
    if (!found) return std::nullopt;
    if (found->as_int() < 0) refuse(key, "0 or more");
    return found->as_int();
  }
  std::optional<std::int64_t> id(std::string_view key) const {
    const auto found = find(key);
    return found ? std::optional(found->as_int()) : std::nullopt;
  }
  /// One id or a list of them.
  std::vector<std::int32_t> ids(std::string_view key) const {
    const auto found = find(key);
    return found ? ids_of(*found, key) : std::vector<std::int32_t>();
  }
  std::vector<std::int32_t> ids_of(const Json& value, std::string_view key) const {
    std::vector<std::int32_t> ids;
    const auto take = [&](const Json& id) {
      if (id.as_int() < 0 || id.as_int() > INT32_MAX) refuse(key, "of token ids (0 to 2147483647)");
      ids.push_back(static_cast<std::int32_t>(id.as_int()));
    };
    if (!value.is_array()) take(value);
    for (std::size_t i = 0; i < value.size(); ++i) take(value.at(i));
    return ids;
  }

 private:
  Json top_;
  std::optional<Json> nested_;
};

std::vector<std::vector<std::int32_t>> read_bad_words(const Fields& fields) {
  std::vector<std::vector<std::int32_t>> words;
  const auto list = fields.find("bad_words_ids");
  if (!list) return words;
  if (!list->is_array()) fields.refuse("bad_words_ids", "a list of lists of token ids");
  for (std::size_t i = 0; i < list->size(); ++i) {
    if (!list->at(i).is_array() || list->at(i).size() == 0)
      fields.refuse("bad_words_ids", "a list of lists of token ids");
    words.push_back(fields.ids_of(list->at(i), "bad_words_ids"));
  }
  return words;
}

std::vector<SequenceBias> read_sequence_bias(const Fields& fields) {
  std::vector<SequenceBias> biases;
  const auto list = fields.find("sequence_bias");
  if (!list) return biases;
  constexpr const char* kForm = "a list of pairs [[id, ...], bias]";
  if (!list->is_array()) fields.refuse("sequence_bias", kForm);
  for (std::size_t i = 0; i < list->size(); ++i) {
    const Json pair = list->at(i);
    if (!pair.is_array() || pair.size() != 2 || !pair.at(std::size_t{0}).is_array() ||
        pair.at(std::size_t{0}).size() == 0)
      fields.refuse("sequence_bias", kForm);
    biases.push_back({fields.ids_of(pair.at(std::size_t{0}), "sequence_bias"), pair.at(std::size_t{1}).as_number()});
  }
  return biases;
}

std::vector<std::string> read_strings(const Fields& fields, std::string_view key) {
  std::vector<std::string> strings;
  const auto found = fields.find(key);
  if (!found) return strings;
  if (found->is_string()) strings.push_back(found->as_string());
  for (std::size_t i = 0; i < found->size(); ++i) strings.push_back(found->at(i).as_string());
  for (const std::string& text : strings)
    if (text.empty()) fields.refuse(key, "of strings that are not empty");
  return strings;
}

GenerationRules read_rules(const Fields& fields) {
  GenerationRules rules;
  rules.sequence_bias = read_sequence_bias(fields);
  fields.number("encoder_repetition_penalty", rules.encoder_repetition_penalty);
  if (!(rules.encoder_repetition_penalty > 0)) fields.refuse("encoder_repetition_penalty", "positive");
  fields.integer("no_repeat_ngram_size", rules.no_repeat_ngram_size);
  fields.integer("encoder_no_repeat_ngram_size", rules.encoder_no_repeat_ngram_size);
  rules.bad_words_ids = read_bad_words(fields);
  fields.integer("min_length", rules.min_length);
  fields.integer("min_new_tokens", rules.min_new_tokens);
  if (fields.find("forced_bos_token_id")) {
    const std::vector<std::int32_t> ids = fields.ids("forced_bos_token_id");
    if (ids.size() != 1) fields.refuse("forced_bos_token_id", "one token id");
    rules.forced_bos_token_id = ids.front();
  }
  rules.forced_eos_token_ids = fields.ids("forced_eos_token_id");
  if (const auto decay = fields.find("exponential_decay_length_penalty")) {
    if (!decay->is_array() || decay->size() != 2)
      fields.refuse("exponential_decay_length_penalty", "a pair [start, factor]");
    rules.exponential_decay_length_penalty.emplace(decay->at(std::size_t{0}).as_int(),
                                                   decay->at(std::size_t{1}).as_number());
  }
  rules.suppress_tokens = fields.ids("suppress_tokens");
  rules.begin_suppress_tokens = fields.ids("begin_suppress_tokens");
  rules.stop_strings = read_strings(fields, "stop_strings");
  return rules;
}

GenerationConfig read_fields(const Fields& fields) {
  GenerationConfig parsed;
  for (const std::int32_t id : fields.ids("eos_token_id")) parsed.eos_token_ids.push_back(id);
  parsed.bos_token_id = fields.id("bos_token_id");
  parsed.pad_token_id = fields.id("pad_token_id");
  parsed.max_new_tokens = fields.length("max_new_tokens");
  parsed.max_length = fields.length("max_length");
  if (const auto sample = fields.find("do_sample")) parsed.do_sample = sample->as_bool();
  fields.number("temperature", parsed.temperature);
  fields.integer("top_k", parsed.top_k);
  fields.number("top_p", parsed.top_p);
  fields.number("min_p", parsed.min_p);
  fields.number("typical_p", parsed.typical_p);
  fields.number("epsilon_cutoff", parsed.epsilon_cutoff);
  fields.number("eta_cutoff", parsed.eta_cutoff);
  fields.number("repetition_penalty", parsed.repetition_penalty);
  if (!(parsed.temperature >= 0)) fields.refuse("temperature", "0 or more");
  if (!(parsed.top_p >= 0 && parsed.top_p <= 1)) fields.refuse("top_p", "0 to 1");
  if (!(parsed.min_p >= 0 && parsed.min_p <= 1)) fields.refuse("min_p", "0 to 1");
  if (!(parsed.typical_p > 0)) fields.refuse("typical_p", "positive");
  if (!(parsed.repetition_penalty > 0)) fields.refuse("repetition_penalty", "positive");
  parsed.rules = read_rules(fields);
  return parsed;
}

}  // namespace

GenerationConfig GenerationConfig::parse(const Json& json) {
  if (!json.is_object()) throw Error(ErrorCode::format, json.where() + " must be an object");
  return read_fields(Fields(json));
}

GenerationConfig GenerationConfig::read(const FileSource& files, const Json& config) {
  constexpr const char* kFile = "generation_config.json";
  if (files.has(kFile)) return parse(files.json(kFile));
  std::optional<Json> text = config.find("text_config");
  if (text && !text->is_object()) text.reset();
  return read_fields(Fields(config, std::move(text)));
}

}  // namespace octavo
