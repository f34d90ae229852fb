#include <algorithm>
#include <filesystem>
#include <fstream>

#include "bpe.hpp"
#include "octavo/json.hpp"
#include "octavo/text.hpp"
#include "pretokenizer.hpp"
#include "unicode.hpp"

namespace octavo {

namespace {

struct AddedToken {
  std::string text;
  std::int32_t id = 0;
  bool special = false;
};

constexpr std::int32_t kMaxId = 1 << 21;  // ids index a table: a larger one would only cost memory

std::int32_t id_from(const Json& json) {
  const std::int64_t id = json.as_int();
  if (id < 0 || id > kMaxId)
    throw Error(ErrorCode::format, json.where() + ": the token id " + std::to_string(id) + " is out of range");
  return static_cast<std::int32_t>(id);
}

// `entry` is one token of added_tokens or added_tokens_decoder.
AddedToken added_from(const Json& entry, std::int32_t id) {
  AddedToken token{entry.at("content").as_string(), id, entry.get_bool("special", false)};
  for (const char* flag : {"lstrip", "rstrip", "single_word"})
    if (entry.get_bool(flag, false))
      throw Error(ErrorCode::unsupported,
                  entry.where() + ": the added token \"" + token.text + "\" has " + flag + ", which is not supported");
  return token;
}

std::string raw_bytes(const std::string& symbols, const std::string& where) {
  std::string bytes;
  if (!text::bytes_of_symbols(symbols, bytes))
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

}  // namespace

struct Tokenizer::Impl {
  std::vector<std::string> bytes;  // by id; "" when unknown
  std::vector<bool> added, special;
  std::vector<AddedToken> added_tokens;  // longest first among those with the same first byte
  std::unique_ptr<text::Bpe> bpe;

  static std::shared_ptr<const Impl> make(std::unordered_map<std::string, std::int32_t> vocabulary,
                                          const std::vector<std::pair<std::string, std::string>>& merges,
                                          std::vector<AddedToken> added_tokens, const std::string& origin) {
    auto impl = std::make_shared<Impl>();
    std::int32_t largest = -1;
    for (const auto& [token, id] : vocabulary) largest = std::max(largest, id);
    for (const AddedToken& token : added_tokens) largest = std::max(largest, token.id);
    const auto count = static_cast<std::size_t>(largest + 1);
    impl->bytes.resize(count);
    impl->added.resize(count);
    impl->special.resize(count);
    for (const auto& [token, id] : vocabulary) impl->bytes[static_cast<std::size_t>(id)] = token;
    for (const AddedToken& token : added_tokens) {
      if (token.text.empty())
        throw Error(ErrorCode::format, origin + ": the added token " + std::to_string(token.id) + " is empty");
      const auto id = static_cast<std::size_t>(token.id);
      impl->bytes[id] = token.text;
      impl->added[id] = true;
      impl->special[id] = token.special;
    }
    impl->bpe = std::make_unique<text::Bpe>(std::move(vocabulary), merges, origin);
    std::stable_sort(added_tokens.begin(), added_tokens.end(),
                     [](const AddedToken& a, const AddedToken& b) { return a.text.size() > b.text.size(); });
    impl->added_tokens = std::move(added_tokens);
    return impl;
  }

  const AddedToken* added_at(std::string_view text) const {
    for (const AddedToken& token : added_tokens)
      if (text.substr(0, token.text.size()) == token.text) return &token;
    return nullptr;
  }

  void encode_plain(std::string_view piece, std::vector<std::int32_t>& ids) const {
    if (piece.empty()) return;
    const std::string composed = text::nfc(piece);
    text::split(composed, [&](std::string_view pretoken) { bpe->encode(pretoken, ids); });
  }
};

Tokenizer Tokenizer::open(const std::string& directory) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  const auto exists = [&](const char* name) { return fs::exists(fs::path(directory) / name, ignored); };
  const auto path = [&](const char* name) { return (fs::path(directory) / name).string(); };
  if (exists("tokenizer.json")) return from_tokenizer_json(path("tokenizer.json"));
  if (exists("vocab.json") && exists("merges.txt"))
    return from_vocab_and_merges(path("vocab.json"), path("merges.txt"), path("tokenizer_config.json"));
  throw Error(ErrorCode::not_found,
              directory + ": no tokenizer: neither tokenizer.json nor vocab.json with merges.txt is there");
}

Tokenizer Tokenizer::from_tokenizer_json(const std::string& path) {
  const Json json = Json::read_file(path);
  const Json model = json.at("model");
  if (model.get_string("type", "BPE") != "BPE")
    throw Error(ErrorCode::unsupported,
                path + ": model.type is " + model.at("type").as_string() + ", only BPE is supported");
  if (model.get_bool("byte_fallback", false) || model.get_bool("ignore_merges", false))
    throw Error(ErrorCode::unsupported, path + ": model.byte_fallback and model.ignore_merges are not supported");
  if (const auto normalizer = json.find("normalizer");
      normalizer && !normalizer->is_null() && normalizer->get_string("type", "") != "NFC")
    throw Error(ErrorCode::unsupported,
                path + ": normalizer is " + normalizer->get_string("type", "unknown") + ", only NFC is supported");
  // Another split would give other tokens without a word: refuse it.
  bool split_known = false;
  if (const auto pre = json.find("pre_tokenizer"); pre && pre->is_object())
    if (const auto steps = pre->find("pretokenizers"))
      for (std::size_t i = 0; i < steps->size(); ++i)
        if (const Json step = steps->at(i); step.get_string("type", "") == "Split")
          split_known = step.at("pattern").get_string("Regex", "") == text::kQwenPattern;
  if (!split_known)
    throw Error(ErrorCode::unsupported,
                path + ": pre_tokenizer is not Qwen's split; other tokenizers are not supported");

  std::unordered_map<std::string, std::int32_t> vocabulary;
  vocabulary.reserve(model.at("vocab").size());
  std::vector<AddedToken> added;
  if (const auto list = json.find("added_tokens"))
    for (std::size_t i = 0; i < list->size(); ++i) {
      const Json token = list->at(i);
      added.push_back(added_from(token, id_from(token.at("id"))));
    }
  model.at("vocab").for_each_member([&](std::string_view token, const Json& id) {
    std::string bytes;
    const bool is_added = std::any_of(added.begin(), added.end(), [&](const AddedToken& a) { return a.text == token; });
    if (!is_added) vocabulary.emplace(raw_bytes(std::string(token), path), id_from(id));
  });
  std::vector<std::pair<std::string, std::string>> merges;
  const Json list = model.at("merges");
  merges.reserve(list.size());
  for (std::size_t i = 0; i < list.size(); ++i) {
    const Json merge = list.at(i);
    if (merge.is_string())
      merges.push_back(merge_from(merge.as_string(), path));
    else
      merges.emplace_back(raw_bytes(merge.at(std::size_t{0}).as_string(), path),
                          raw_bytes(merge.at(std::size_t{1}).as_string(), path));
  }
  Tokenizer tokenizer;
  tokenizer.impl_ = Impl::make(std::move(vocabulary), merges, std::move(added), path);
  return tokenizer;
}

Tokenizer Tokenizer::from_vocab_and_merges(const std::string& vocab_json, const std::string& merges_txt,
                                           const std::string& tokenizer_config_json) {
  std::vector<AddedToken> added;
  const Json config = Json::read_file(tokenizer_config_json);
  config.at("added_tokens_decoder").for_each_member([&](std::string_view id, const Json& token) {
    std::int64_t number = 0;
    for (const char c : id) number = c >= '0' && c <= '9' && number <= kMaxId ? number * 10 + (c - '0') : kMaxId + 1;
    if (id.empty() || number > kMaxId)
      throw Error(ErrorCode::format, token.where() + ": \"" + std::string(id) + "\" is not a token id");
    added.push_back(added_from(token, static_cast<std::int32_t>(number)));
  });
  std::unordered_map<std::string, std::int32_t> vocabulary;
  Json::read_file(vocab_json).for_each_member([&](std::string_view token, const Json& id) {
    vocabulary.emplace(raw_bytes(std::string(token), vocab_json), id_from(id));
  });
  std::ifstream file(merges_txt, std::ios::binary);
  if (!file) throw Error(ErrorCode::not_found, merges_txt + ": cannot be opened");
  std::vector<std::pair<std::string, std::string>> merges;
  std::string line;
  for (std::size_t number = 1; std::getline(file, line); ++number) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.empty() || (number == 1 && line.rfind("#version", 0) == 0)) continue;
    merges.push_back(merge_from(line, merges_txt + ": line " + std::to_string(number)));
  }
  Tokenizer tokenizer;
  tokenizer.impl_ = Impl::make(std::move(vocabulary), merges, std::move(added), vocab_json);
  return tokenizer;
}

std::vector<std::int32_t> Tokenizer::encode(std::string_view text) const {
  for (std::size_t at = 0; at < text.size();) {
    std::size_t bad = 0;
    const int length = text::utf8_length(text.substr(at), bad);
    if (length <= 0)
      throw Error(ErrorCode::invalid_argument, "the text is not valid UTF-8 at byte " + std::to_string(at));
    at += static_cast<std::size_t>(length);
  }
  std::vector<std::int32_t> ids;
  std::size_t begin = 0;
  for (std::size_t at = 0; at < text.size();) {
    const AddedToken* token = impl_->added_at(text.substr(at));
    if (token == nullptr) {
      ++at;
      continue;
    }
    impl_->encode_plain(text.substr(begin, at - begin), ids);
    ids.push_back(token->id);
    at += token->text.size();
    begin = at;
  }
  impl_->encode_plain(text.substr(begin), ids);
  return ids;
}

namespace {

// Appends `bytes` as UTF-8, invalid sequences as U+FFFD; returns what may still become a character.
std::string append_valid(std::string_view bytes, std::string& out) {
  for (std::size_t at = 0; at < bytes.size();) {
    std::size_t bad = 0;
    const int length = text::utf8_length(bytes.substr(at), bad);
    if (length < 0) return std::string(bytes.substr(at));
    if (length == 0) {
      out += "\xEF\xBF\xBD";
      at += bad;
    } else {
      out += bytes.substr(at, static_cast<std::size_t>(length));
      at += static_cast<std::size_t>(length);
    }
  }
  return "";
}

}  // namespace

std::string Tokenizer::decode(std::span<const std::int32_t> ids, bool skip_special_tokens) const {
  StreamDecoder decoder(*this, skip_special_tokens);
  std::string text;
  for (const std::int32_t id : ids) text += decoder.push(id);
  return text + decoder.finish();
}

std::string Tokenizer::token_bytes(std::int32_t id) const {
  return id >= 0 && id < size() ? impl_->bytes[static_cast<std::size_t>(id)] : "";
}

bool Tokenizer::is_special(std::int32_t id) const noexcept {
  return id >= 0 && id < size() && impl_->special[static_cast<std::size_t>(id)];
}

std::optional<std::int32_t> Tokenizer::token_to_id(std::string_view token) const {
  for (const AddedToken& added : impl_->added_tokens)
    if (added.text == token) return added.id;
  std::string bytes;
  if (!text::bytes_of_symbols(token, bytes)) return std::nullopt;
  for (std::size_t id = 0; id < impl_->bytes.size(); ++id)
    if (!impl_->added[id] && !impl_->bytes[id].empty() && impl_->bytes[id] == bytes)
      return static_cast<std::int32_t>(id);
  return std::nullopt;
}

std::int32_t Tokenizer::size() const noexcept { return static_cast<std::int32_t>(impl_->bytes.size()); }

StreamDecoder::StreamDecoder(Tokenizer tokenizer, bool skip_special_tokens)
    : tokenizer_(std::move(tokenizer)), skip_special_(skip_special_tokens) {}

std::string StreamDecoder::push(std::int32_t id) {
  if (skip_special_ && tokenizer_.is_special(id)) return "";
  pending_ += tokenizer_.token_bytes(id);
  std::string text;
  pending_ = append_valid(pending_, text);
  return text;
}

std::string StreamDecoder::finish() {
  if (pending_.empty()) return "";
  pending_.clear();
  return "\xEF\xBF\xBD";  // one unfinished character
}

}  // namespace octavo
