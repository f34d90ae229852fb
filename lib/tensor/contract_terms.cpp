#include "contract_terms.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "octavo/contract.hpp"

namespace octavo {

std::string_view meaning_of(std::string_view letter) noexcept {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 19> kMeanings{{
      {"B", "batch"},
      {"Hq", "num_attention_heads"},
      {"Hkv", "num_key_value_heads"},
      {"L", "positions"},
      {"Lq", "q_len"},
      {"Lk", "kv_len"},
      {"past", "cached positions"},
      {"D", "head_dim"},
      {"M", "rows"},
      {"T", "tokens"},
      {"K", "in_features"},
      {"N", "out_features"},
      {"H", "hidden_size"},
      {"I", "intermediate_size"},
      {"V", "vocab_size"},
      {"P", "patches"},
      {"C", "patch values"},
      {"G", "image tokens"},
      {"S", "segments"},
  }};
  for (const auto& [name, meaning] : kMeanings)
    if (name == letter) return meaning;
  return letter;
}

bool counts_rows(std::string_view letter) noexcept {
  static constexpr std::array<std::string_view, 7> kRows{"M", "L", "Lq", "Lk", "T", "P", "G"};
  return std::find(kRows.begin(), kRows.end(), letter) != kRows.end();
}

std::string remedy_for(const Violation& v) {
  const auto text = [](std::int64_t value) { return std::to_string(value); };
  if (v.op == "attention" && v.argument == "mask" && v.letter == "Lk") {
    const auto past = v.value_of("past");
    const auto q_len = v.value_of("Lq");
    if (past && q_len && *past > 0 && v.actual == *q_len && v.expected == *past + *q_len)
      return "The cache already holds " + text(*past) + " positions and all " + text(*q_len) +
             " prompt tokens were passed again: pass only the new token, or reset the cache.";
    return "A mask is as wide as the keys it covers, past ones included: derive it from the cache, or pass none.";
  }
  if (v.op == "attention" && v.argument == "mask" && v.letter == "Hq")
    return "A mask has one slice per query head, or a single one for all.";
  if (v.op == "attention" && (v.argument == "k" || v.argument == "v") && v.letter == "D")
    return "Queries and keys come from another model, or heads and head_dim were swapped.";
  if (v.op == "attention" && v.argument == "v" && (v.letter == "Lk" || v.letter == "Hkv"))
    return "Keys and values are of different steps or layers: append both to the cache in one call.";
  if (v.op == "kv_append" && v.letter == "Hkv")
    return "The cache was made for another model: heads of the cache and of the keys differ.";
  if (v.letter == "K" && v.argument == "x")
    return "The input's last dimension must be the layer's in_features: is this the right layer, and is x [rows, "
           "features]?";
  if (v.argument == "weight_scale" || v.argument == "w_scale")
    return "A per-channel scale has one value per output channel (row of the weight); one value is a per-tensor scale.";
  return "";
}

}  // namespace octavo
