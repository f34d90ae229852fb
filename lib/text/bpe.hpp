// Byte-pair merging over the byte alphabet of GPT-2.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace octavo::text {

// The printable stand-in of each byte, as UTF-8, and back.
const std::string& symbol_of(unsigned char byte);
bool bytes_of_symbols(std::string_view symbols, std::string& bytes);  // false when a symbol is no stand-in

class Bpe {
 public:
  // `vocabulary` in raw bytes; `merges` in rank order, raw bytes. Throws format for merges outside the vocabulary.
  Bpe(std::unordered_map<std::string, std::int32_t> vocabulary,
      const std::vector<std::pair<std::string, std::string>>& merges, const std::string& origin);
  void encode(std::string_view pretoken, std::vector<std::int32_t>& ids) const;

 private:
  struct Merge {
    std::int32_t rank, result;
  };
  static std::uint64_t pair_key(std::int32_t left, std::int32_t right) {
    return (static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32) | static_cast<std::uint32_t>(right);
  }
  std::int32_t byte_ids_[256];
  std::unordered_map<std::uint64_t, Merge> merges_;
};

}  // namespace octavo::text
