#include <algorithm>
#include <fstream>
#include <iterator>

#include "added_tokens.hpp"
#include "bpe.hpp"
#include "octavo/text.hpp"
#include "pretokenizer.hpp"
#include "tokenizer_files.hpp"
#include "unicode.hpp"

namespace octavo {

struct Tokenizer::Impl {
  std::vector<std::string> bytes;  // by id; "" when unknown
  std::vector<bool> added, special;
  text::AddedTokens added_tokens;
  std::unique_ptr<text::Bpe> bpe;

  explicit Impl(text::TokenizerParts parts) {
    std::int32_t largest = -1;
    for (const auto& [token, id] : parts.vocabulary) largest = std::max(largest, id);
    for (const auto& [token, id] : parts.spelled_ids) {
      largest = std::max(largest, id);
      const bool is_added =
          std::any_of(parts.added.begin(), parts.added.end(),
                      [&, spelled = &token](const text::AddedToken& a) { return a.text == *spelled; });
      if (!is_added)
        throw Error(ErrorCode::format, parts.origin + ": the token \"" + token +
                                           "\" is not written in the byte alphabet: is this a byte-level BPE?");
    }
    for (const text::AddedToken& token : parts.added) largest = std::max(largest, token.id);
    const auto count = static_cast<std::size_t>(largest + 1);
    bytes.resize(count);
    added.resize(count);
    special.resize(count);
    for (const auto& [token, id] : parts.vocabulary) bytes[static_cast<std::size_t>(id)] = token;
    for (const text::AddedToken& token : parts.added) {
      const auto id = static_cast<std::size_t>(token.id);
      // The decoder reads symbols of the byte alphabet as bytes, in an added token, too, if it has no other letters.
      if (!text::bytes_of_symbols(token.text, bytes[id])) bytes[id] = token.text;
      added[id] = true;
      special[id] = token.special;
    }
    bpe = std::make_unique<text::Bpe>(std::move(parts.vocabulary), parts.merges, parts.origin);
    added_tokens = text::AddedTokens(std::move(parts.added), parts.composes);
  }
};

Tokenizer Tokenizer::open(const FileSource& files) {
  text::TokenizerParts parts;
  if (files.has("tokenizer.json"))
    parts = text::read_tokenizer_json(files.json("tokenizer.json"), files.path_of("tokenizer.json"));
  else if (files.has("vocab.json") && files.has("merges.txt"))
    parts = text::read_vocab_and_merges(files.json("vocab.json"), files.path_of("vocab.json"), files.text("merges.txt"),
                                        files.path_of("merges.txt"));
  else
    throw Error(ErrorCode::not_found,
                files.label() + ": no tokenizer: neither tokenizer.json nor vocab.json with merges.txt is there");
  text::add_from_files(files, parts);
  Tokenizer tokenizer;
  tokenizer.impl_ = std::make_shared<const Impl>(std::move(parts));
  return tokenizer;
}

Tokenizer Tokenizer::from_tokenizer_json(const std::string& path) {
  Tokenizer tokenizer;
  tokenizer.impl_ = std::make_shared<const Impl>(text::read_tokenizer_json(Json::read_file(path), path));
  return tokenizer;
}

Tokenizer Tokenizer::from_vocab_and_merges(const std::string& vocab_json, const std::string& merges_txt,
                                           const std::string& tokenizer_config_json) {
  std::ifstream file(merges_txt, std::ios::binary);
  if (!file) throw Error(ErrorCode::not_found, merges_txt + ": cannot be opened");
  const std::string merges(std::istreambuf_iterator<char>(file), {});
  text::TokenizerParts parts = text::read_vocab_and_merges(Json::read_file(vocab_json), vocab_json, merges, merges_txt);
  text::add_from_config(Json::read_file(tokenizer_config_json), parts);
  Tokenizer tokenizer;
  tokenizer.impl_ = std::make_shared<const Impl>(std::move(parts));
  return tokenizer;
}

std::vector<std::int32_t> Tokenizer::encode(std::string_view text, std::span<const TextRange> literal) const {
  for (std::size_t at = 0; at < text.size();) {
    std::size_t bad = 0;
    const int length = text::utf8_length(text.substr(at), bad);
    if (length <= 0)
      throw Error(ErrorCode::invalid_argument, "the text is not valid UTF-8 at byte " + std::to_string(at));
    at += static_cast<std::size_t>(length);
  }
  std::vector<std::int32_t> ids;
  impl_->added_tokens.cut(text, literal, [&](const text::AddedToken* token, std::string_view piece) {
    if (token != nullptr)
      ids.push_back(token->id);
    else
      text::split(piece, [&](std::string_view pretoken) { impl_->bpe->encode(pretoken, ids); });
  });
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
  for (const text::AddedToken& added : impl_->added_tokens.all())
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
