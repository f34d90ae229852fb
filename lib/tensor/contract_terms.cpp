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
  if (v.op == "attention" && v.argument.empty() && v.condition == "Lk == past + Lq") {
    const auto past = v.value_of("past");
    const auto q_len = v.value_of("Lq");
    if (past && q_len && v.actual > v.expected)
      return "The keys hold " + text(v.actual) + " positions, the plan counts " + text(*past) + " cached and " +
             text(*q_len) +
             " new: it was made without the cache, as when positions restart at 0 on a second turn. Plan from the "
             "SequenceState that was committed with the cache, or reset both.";
    return "The cache holds fewer positions than the plan counts: it was reset or truncated alone, or the new keys "
           "were "
           "not appended. Reset cache and SequenceState together.";
  }
  if (v.op == "attention" && v.argument.empty() && v.condition == "Hq % Hkv == 0")
    return "Query heads share key heads in groups of equal size: num_attention_heads must be a multiple of "
           "num_key_value_heads. Give k and v as projected, attention repeats them itself.";
  if (v.op == "kv_append" && v.letter == "Hkv") {
    if (v.expected > 0 && v.actual > v.expected && v.actual % v.expected == 0)
      return "The keys have " + text(v.actual / v.expected) +
             " times the cache's heads: append them as projected, before any repeat for grouped attention; else the "
             "cache was made for another model.";
    return "The cache was made for another model: heads of the cache and of the keys differ.";
  }
  if (v.op == "kv_append" && v.letter == "D")
    return "The cache was made for another model: head_dim of the cache and of the keys differ.";
  if (v.op == "kv_append" && v.letter.empty() && v.expected == 1)
    return "A cache holds one sequence: give each sequence of a batch a cache of its own.";
  if (v.op == "rotary" && v.letter == "L")
    return "The table was made for another call or another image grid: make it from this call's positions.";
  if (v.letter == "K" && v.argument == "x")
    return "The input's last dimension must be the layer's in_features: is this the right layer, and is x [rows, "
           "features]?";
  if (v.argument == "weight_scale" || v.argument == "w_scale")
    return "A per-channel scale has one value per output channel (row of the weight); one value is a per-tensor scale: "
           "repeat it for every row, or quantize anew per channel.";
  return "";
}

}  // namespace octavo
