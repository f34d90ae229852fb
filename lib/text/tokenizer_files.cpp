#include "tokenizer_files.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <sstream>

#include "bpe.hpp"
#include "octavo/json.hpp"
#include "pretokenizer.hpp"

namespace octavo::text {
namespace {

constexpr std::int32_t kMaxId = 1 << 21;  // ids index a table: a larger one would only cost memory

std::int32_t id_from(const Json& json) {
  const std::int64_t id = json.as_int();
  if (id < 0 || id > kMaxId)
    throw Error(ErrorCode::format, json.where() + ": the token id " + std::to_string(id) + " is out of range");
  return static_cast<std::int32_t>(id);
}

std::string raw_bytes(const std::string& symbols, const std::string& where) {
  std::string bytes;
  if (!bytes_of_symbols(symbols, bytes))
    throw Error(ErrorCode::format, where + ": the token \"" + symbols +
                                       "\" is not written in the byte alphabet: is this a byte-level BPE?");
  return bytes;
}

std::pair<std::string, std::string> merge_from(const std::string& line, const std::string& where) {
  const std::size_t space = line.find(' ');
  if (space == std::string::npos || space == 0 || space + 1 == line.size() ||
      line.find(' ', space + 1) != std::string::npos)
    throw Error(ErrorCode::format, where + ": the merge \"" + line + "\" is not two symbols with a space between");
  return {raw_bytes(line.substr(0, space), where), raw_bytes(line.substr(space + 1), where)};
}

/// An added token's fields, with the defaults of tokenizers' AddedToken.
AddedToken added_from(const Json& entry) {
  AddedToken token;
  token.text = entry.at("content").as_string();
  if (token.text.empty()) throw Error(ErrorCode::format, entry.where() + ": the added token is empty");
  token.special = entry.get_bool("special", false);
  token.normalized = entry.get_bool("normalized", !token.special);
  token.single_word = entry.get_bool("single_word", false);
  token.lstrip = entry.get_bool("lstrip", false);
  token.rstrip = entry.get_bool("rstrip", false);
  return token;
}

AddedToken special_token(const std::string& text) {
  AddedToken token;
  token.text = text;
  token.special = true;
  return token;
}

/// The id is the model vocabulary's, or the next free one: tokenizers does not look at the id in the file either.
std::int32_t id_for(const std::string& text, const TokenizerParts& parts) {
  if (const auto spelled = parts.spelled_ids.find(text); spelled != parts.spelled_ids.end()) return spelled->second;
  std::string bytes;
  if (bytes_of_symbols(text, bytes))
    if (const auto found = parts.vocabulary.find(bytes); found != parts.vocabulary.end()) return found->second;
  auto next = static_cast<std::int32_t>(parts.vocabulary.size() + parts.spelled_ids.size());
  for (const AddedToken& token : parts.added) next = std::max(next, token.id + 1);
  return next;
}

void add(AddedToken token, TokenizerParts& parts) {
  const auto known =
      std::find_if(parts.added.begin(), parts.added.end(), [&](const AddedToken& t) { return t.text == token.text; });
  if (known != parts.added.end()) {
    token.id = known->id;
    *known = std::move(token);
    return;
  }
  token.id = id_for(token.text, parts);
  parts.added.push_back(std::move(token));
}

bool has(const TokenizerParts& parts, const std::string& text) {
  return std::any_of(parts.added.begin(), parts.added.end(), [&](const AddedToken& t) { return t.text == text; });
}

void read_vocabulary(const Json& vocab, TokenizerParts& parts) {
  parts.vocabulary.reserve(vocab.size());
  vocab.for_each_member([&](std::string_view token, const Json& id) {
    std::string bytes;
    const std::string spelled(token);
    if (bytes_of_symbols(spelled, bytes))
      parts.vocabulary.emplace(std::move(bytes), id_from(id));
    else
      parts.spelled_ids.emplace(spelled, id_from(id));
  });
}

[[noreturn]] void refuse(const std::string& what) { throw Error(ErrorCode::unsupported, what); }

void check_model(const Json& model, const std::string& path) {
  if (model.get_string("type", "BPE") != "BPE")
    refuse(path + ": model.type is " + model.at("type").as_string() + ", only BPE is supported");
  if (model.get_bool("byte_fallback", false) || model.get_bool("ignore_merges", false))
    refuse(path + ": model.byte_fallback and model.ignore_merges are not supported");
  if (model.get_number("dropout", 0) != 0)
    refuse(path + ": model.dropout draws other tokens each time, which is not supported");
  for (const char* affix : {"continuing_subword_prefix", "end_of_word_suffix"})
    if (!model.get_string(affix, "").empty()) refuse(path + ": model." + affix + " is not supported");
}

/// The steps of a "Sequence", or the one step that stands alone; none for null.
std::vector<Json> steps_of(const std::optional<Json>& json, const char* list) {
  if (!json || json->is_null()) return {};
  if (json->get_string("type", "") != "Sequence") return {*json};
  std::vector<Json> steps;
  const Json inner = json->at(list);
  for (std::size_t i = 0; i < inner.size(); ++i) steps.push_back(inner.at(i));
  return steps;
}

bool reads_composition(const Json& json, const std::string& path) {
  bool composes = false;
  for (const Json& step : steps_of(json.find("normalizer"), "normalizers")) {
    if (step.get_string("type", "unknown") != "NFC")
      refuse(path + ": normalizer is " + step.get_string("type", "unknown") + ", only NFC is supported");
    composes = true;
  }
  return composes;
}

// Another split would give other tokens without a word: refuse it.
void check_pre_tokenizer(const Json& json, const std::string& path) {
  const std::vector<Json> steps = steps_of(json.find("pre_tokenizer"), "pretokenizers");
  const auto is_split = [](const Json& step) {
    const auto pattern = step.find("pattern");
    return step.get_string("type", "") == "Split" && pattern && pattern->get_string("Regex", "") == kQwenPattern &&
           step.get_string("behavior", "") == "Isolated" && !step.get_bool("invert", false);
  };
  const auto is_byte_level = [](const Json& step) {
    return step.get_string("type", "") == "ByteLevel" && !step.get_bool("add_prefix_space", true) &&
           !step.get_bool("use_regex", true);
  };
  if (steps.size() != 2 || !is_split(steps[0]) || !is_byte_level(steps[1]))
    refuse(path + ": pre_tokenizer is not Qwen's split; other tokenizers are not supported");
}

void check_ends(const Json& json, const std::string& path) {
  for (const Json& step : steps_of(json.find("post_processor"), "processors"))
    if (const std::string type = step.get_string("type", "unknown"); type != "ByteLevel")
      refuse(path + ": post_processor is " + type + ", which adds tokens around a text; only ByteLevel is supported");
  for (const Json& step : steps_of(json.find("decoder"), "decoders"))
    if (const std::string type = step.get_string("type", "unknown"); type != "ByteLevel")
      refuse(path + ": decoder is " + type + ", only ByteLevel is supported");
}

}  // namespace

TokenizerParts read_tokenizer_json(const Json& json, const std::string& path) {
  const Json model = json.at("model");
  TokenizerParts parts;
  parts.origin = path;
  check_model(model, path);
  parts.composes = reads_composition(json, path);
  check_pre_tokenizer(json, path);
  check_ends(json, path);
  read_vocabulary(model.at("vocab"), parts);
  if (const auto list = json.find("added_tokens"))
    for (std::size_t i = 0; i < list->size(); ++i) {
      const Json token = list->at(i);
      static_cast<void>(id_from(token.at("id")));
      add(added_from(token), parts);
    }
  const Json list = model.at("merges");
  parts.merges.reserve(list.size());
  for (std::size_t i = 0; i < list.size(); ++i) {
    const Json merge = list.at(i);
    if (merge.is_string())
      parts.merges.push_back(merge_from(merge.as_string(), path));
    else
      parts.merges.emplace_back(raw_bytes(merge.at(std::size_t{0}).as_string(), path),
                                raw_bytes(merge.at(std::size_t{1}).as_string(), path));
  }
  return parts;
}

TokenizerParts read_vocab_and_merges(const Json& vocab, const std::string& vocab_json, const std::string& merges,
                                     const std::string& merges_txt) {
  TokenizerParts parts;
  parts.origin = vocab_json;
  read_vocabulary(vocab, parts);
  std::istringstream file(merges);
  std::string line;
  for (std::size_t number = 1; std::getline(file, line); ++number) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.empty() || (number == 1 && line.rfind("#version", 0) == 0)) continue;
    parts.merges.push_back(merge_from(line, merges_txt + ": line " + std::to_string(number)));
  }
  return parts;
}

void add_from_config(const Json& tokenizer_config, TokenizerParts& parts) {
  const auto list = tokenizer_config.find("added_tokens_decoder");
  if (!list) return;
  std::map<std::int32_t, AddedToken> by_id;
  list->for_each_member([&](std::string_view id, const Json& token) {
    std::int64_t number = 0;
    for (const char c : id) number = c >= '0' && c <= '9' && number <= kMaxId ? number * 10 + (c - '0') : kMaxId + 1;
    if (id.empty() || number > kMaxId)
      throw Error(ErrorCode::format, token.where() + ": \"" + std::string(id) + "\" is not a token id");
    by_id.emplace(static_cast<std::int32_t>(number), added_from(token));
  });
  for (auto& [id, token] : by_id) add(std::move(token), parts);
}

namespace {

/// The tokens that a file names as special: {"eos_token": "..."} or {"content": "..."}, and lists of either.
void collect_special(const Json& file, std::vector<AddedToken>& found, std::set<std::string>& stated) {
  const auto take = [&](const Json& value) {
    if (value.is_string() && !value.as_string().empty()) found.push_back(special_token(value.as_string()));
    if (value.is_object() && value.find("content")) {
      AddedToken token = added_from(value);
      token.special = true;
      token.normalized = value.get_bool("normalized", false);
      found.push_back(std::move(token));
    }
  };
  for (const char* key : {"bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"})
    if (const auto value = file.find(key)) {
      stated.insert(key);
      take(*value);
    }
  for (const char* key : {"additional_special_tokens", "extra_special_tokens", "model_specific_special_tokens"}) {
    const auto list = file.find(key);
    if (!list) continue;
    if (list->is_object()) list->for_each_member([&](std::string_view, const Json& value) { take(value); });
    if (list->is_array())
      for (std::size_t i = 0; i < list->size(); ++i) take(list->at(i));
  }
}

}  // namespace

void add_from_files(const FileSource& files, TokenizerParts& parts) {
  std::vector<AddedToken> special;
  std::set<std::string> stated;
  bool listed = false;
  if (files.has("tokenizer_config.json")) {
    const Json json = files.json("tokenizer_config.json");
    require_settings(json, tokenizer_settings());
    listed = json.find("added_tokens_decoder").has_value();
    add_from_config(json, parts);
    collect_special(json, special, stated);
  }
  if (!listed) {  // as releases before 4.34 saved it
    if (files.has("special_tokens_map.json")) collect_special(files.json("special_tokens_map.json"), special, stated);
    if (files.has("added_tokens.json")) {
      std::map<std::int32_t, std::string> by_id;
      files.json("added_tokens.json").for_each_member([&](std::string_view text, const Json& id) {
        by_id.emplace(id_from(id), std::string(text));
      });
      for (const auto& entry : by_id) {
        const std::string& text = entry.second;
        if (has(parts, text)) continue;
        AddedToken token = special_token(text);
        token.special =
            std::any_of(special.begin(), special.end(), [&](const AddedToken& s) { return s.text == text; });
        token.normalized = !token.special;
        add(std::move(token), parts);
      }
    }
  }
  for (AddedToken& token : special) {
    const auto known =
        std::find_if(parts.added.begin(), parts.added.end(), [&](const AddedToken& t) { return t.text == token.text; });
    if (known == parts.added.end())
      add(std::move(token), parts);
    else
      known->special = true;
  }
  // What Qwen2Tokenizer takes for its end, padding and unknown token where no file names them.
  const bool all_stated = stated.count("eos_token") + stated.count("pad_token") + stated.count("unk_token") == 3;
  if (!all_stated && !has(parts, "<|endoftext|>")) add(special_token("<|endoftext|>"), parts);
}

}  // namespace octavo::text
