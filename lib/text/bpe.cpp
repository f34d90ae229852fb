#include "bpe.hpp"

#include <array>
#include <queue>

#include "octavo/error.hpp"
#include "unicode.hpp"

namespace octavo::text {

namespace {

bool stands_for_itself(unsigned byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

const std::array<std::uint32_t, 256>& code_points() {
  static const std::array<std::uint32_t, 256> table = [] {
    std::array<std::uint32_t, 256> made{};
    std::uint32_t next = 0x100;
    for (unsigned byte = 0; byte < 256; ++byte) made[byte] = stands_for_itself(byte) ? byte : next++;
    return made;
  }();
  return table;
}

}  // namespace

const std::string& symbol_of(unsigned char byte) {
  static const std::array<std::string, 256> table = [] {
    std::array<std::string, 256> made;
    for (std::size_t i = 0; i < 256; ++i) {
      const std::uint32_t c = code_points()[i];
      if (c < 0x80)
        made[i] = std::string(1, static_cast<char>(c));
      else
        made[i] = {static_cast<char>(0xC0U | (c >> 6)), static_cast<char>(0x80U | (c & 0x3FU))};
    }
    return made;
  }();
  return table[byte];
}

bool bytes_of_symbols(std::string_view symbols, std::string& bytes) {
  static const std::unordered_map<std::uint32_t, char> back = [] {
    std::unordered_map<std::uint32_t, char> made;
    for (unsigned i = 0; i < 256; ++i) made[code_points()[i]] = static_cast<char>(i);
    return made;
  }();
  bytes.clear();
  for (std::size_t at = 0; at < symbols.size();) {
    std::size_t bad = 0;
    if (utf8_length(symbols.substr(at), bad) <= 0) return false;
    const auto found = back.find(next_code_point(symbols, at));
    if (found == back.end()) return false;
    bytes += found->second;
  }
  return true;
}

Bpe::Bpe(std::unordered_map<std::string, std::int32_t> vocabulary,
         const std::vector<std::pair<std::string, std::string>>& merges, const std::string& origin) {
  const auto id_of = [&](const std::string& bytes, const char* what) {
    const auto found = vocabulary.find(bytes);
    if (found != vocabulary.end()) return found->second;
    std::string shown;
    for (const char c : bytes) shown += symbol_of(static_cast<unsigned char>(c));
    throw Error(ErrorCode::format, origin + ": " + what + " \"" + shown + "\" is not in the vocabulary");
  };
  for (unsigned byte = 0; byte < 256; ++byte)
    byte_ids_[byte] = id_of(std::string(1, static_cast<char>(byte)), "the byte symbol");
  merges_.reserve(merges.size());
  std::int32_t rank = 0;
  for (const auto& [left, right] : merges) {
    const std::int32_t a = id_of(left, "the merge part");
    const std::int32_t b = id_of(right, "the merge part");
    merges_.emplace(pair_key(a, b), Merge{rank++, id_of(left + right, "the merge result")});
  }
}

void Bpe::encode(std::string_view pretoken, std::vector<std::int32_t>& ids) const {
  // A linked list of symbols and a heap of candidate merges: n log n, however long a run of letters is.
  struct Symbol {
    std::int32_t id, previous, next;
  };
  struct Candidate {
    std::int32_t rank, left, left_id, right_id, result;
    bool operator>(const Candidate& other) const { return rank != other.rank ? rank > other.rank : left > other.left; }
  };
  const auto count = static_cast<std::int32_t>(pretoken.size());
  std::vector<Symbol> symbols(pretoken.size());
  for (std::int32_t i = 0; i < count; ++i)
    symbols[static_cast<std::size_t>(i)] = {
        byte_ids_[static_cast<unsigned char>(pretoken[static_cast<std::size_t>(i)])], i - 1,
        i + 1 < count ? i + 1 : -1};
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> heap;
  const auto consider = [&](std::int32_t left) {
    if (left < 0) return;
    const Symbol& a = symbols[static_cast<std::size_t>(left)];
    if (a.next < 0) return;
    const std::int32_t b = symbols[static_cast<std::size_t>(a.next)].id;
    if (const auto found = merges_.find(pair_key(a.id, b)); found != merges_.end())
      heap.push({found->second.rank, left, a.id, b, found->second.result});
  };
  for (std::int32_t i = 0; i + 1 < count; ++i) consider(i);
  while (!heap.empty()) {
    const Candidate best = heap.top();
    heap.pop();
    Symbol& left = symbols[static_cast<std::size_t>(best.left)];
    if (left.id != best.left_id || left.next < 0) continue;  // outdated: one side was merged meanwhile
    Symbol& right = symbols[static_cast<std::size_t>(left.next)];
    if (right.id != best.right_id) continue;
    left.id = best.result;
    right.id = -1;
    left.next = right.next;
    if (left.next >= 0) symbols[static_cast<std::size_t>(left.next)].previous = best.left;
    consider(left.previous);
    consider(best.left);
  }
  for (std::int32_t i = 0; i >= 0 && i < count; i = symbols[static_cast<std::size_t>(i)].next)
    ids.push_back(symbols[static_cast<std::size_t>(i)].id);
}

}  // namespace octavo::text
