#include "added_tokens.hpp"

#include <algorithm>

#include "unicode.hpp"

namespace octavo::text {
namespace {

std::uint32_t code_point_before(std::string_view text, std::size_t end) {
  std::size_t at = previous_begin(text, end);
  return next_code_point(text, at);
}

bool is_single_word(std::string_view text, std::size_t begin, std::size_t end) {
  const bool starts = begin == 0 || !is_word_character(code_point_before(text, begin));
  std::size_t at = end;
  return starts && (end == text.size() || !is_word_character(next_code_point(text, at)));
}

std::size_t space_begin(std::string_view text, std::size_t end) {
  while (end > 0 && class_of(code_point_before(text, end)) == CharClass::space) end = previous_begin(text, end);
  return end;
}

std::size_t space_end(std::string_view text, std::size_t begin) {
  for (std::size_t at = begin; at < text.size(); begin = at)
    if (class_of(next_code_point(text, at)) != CharClass::space) break;
  return begin;
}

/// The end of the range of literal text that a match overlaps; 0: none.
std::size_t literal_end(std::span<const TextRange> literal, std::size_t begin, std::size_t end) {
  for (const TextRange& range : literal)
    if (begin < range.end && range.begin < end) return range.end;
  return 0;
}

}  // namespace

AddedTokens::AddedTokens(std::vector<AddedToken> tokens, bool composes)
    : tokens_(std::move(tokens)), as_written_(256), composed_(256), composes_(composes) {
  for (std::size_t i = 0; i < tokens_.size(); ++i) {
    const AddedToken& token = tokens_[i];
    Pattern pattern{token.normalized && composes_ ? nfc(token.text) : token.text, i};
    auto& same_start = (token.normalized ? composed_ : as_written_)[static_cast<unsigned char>(pattern.text.front())];
    same_start.push_back(std::move(pattern));
  }
  for (Patterns* patterns : {&as_written_, &composed_})
    for (auto& same_start : *patterns)
      std::stable_sort(same_start.begin(), same_start.end(),
                       [](const Pattern& a, const Pattern& b) { return a.text.size() > b.text.size(); });
}

void AddedTokens::find(const Patterns& patterns, std::string_view text, std::span<const TextRange> literal,
                       const std::function<void(const AddedToken*, std::string_view)>& visit) const {
  std::size_t done = 0;
  for (std::size_t at = 0; at < text.size();) {
    const auto& same_start = patterns[static_cast<unsigned char>(text[at])];
    const auto match = std::find_if(same_start.begin(), same_start.end(), [&](const Pattern& pattern) {
      return text.compare(at, pattern.text.size(), pattern.text) == 0;
    });
    if (match == same_start.end()) {
      ++at;
      continue;
    }
    const AddedToken& token = tokens_[match->token];
    std::size_t begin = at;
    std::size_t end = at + match->text.size();
    at = end;  // also past a match that does not count
    if (token.special) {
      if (const std::size_t literal_to = literal_end(literal, begin, end)) {
        at = std::min(end, literal_to);
        continue;
      }
    }
    if (token.single_word && !is_single_word(text, begin, end)) continue;
    if (token.lstrip) begin = std::max(space_begin(text, begin), done);
    if (token.rstrip) end = space_end(text, end);
    if (done < begin) visit(nullptr, text.substr(done, begin - done));
    if (begin < end) visit(&token, {});  // the token before may have taken it all in
    done = end;
  }
  if (done < text.size()) visit(nullptr, text.substr(done));
}

void AddedTokens::cut(std::string_view text, std::span<const TextRange> literal,
                      const std::function<void(const AddedToken*, std::string_view)>& visit) const {
  if (!literal.empty())
    for (const AddedToken& token : tokens_)
      if (token.special && token.normalized)
        throw Error(ErrorCode::unsupported, "control tokens cannot be kept as text: \"" + token.text +
                                                "\" is a special token with \"normalized\": true");
  find(as_written_, text, literal, [&](const AddedToken* token, std::string_view piece) {
    if (token != nullptr) {
      visit(token, {});
      return;
    }
    find(composed_, composes_ ? nfc(piece) : std::string(piece), {}, visit);
  });
}

}  // namespace octavo::text
