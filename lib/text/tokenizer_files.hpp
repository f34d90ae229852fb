// A tokenizer's files: tokenizer.json, or vocab.json with merges.txt; and what tokenizer_config.json and its companions
// add to either, as transformers' from_pretrained does.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "added_tokens.hpp"

namespace octavo::text {

struct TokenizerParts {
  std::string origin;                                         // the file that errors name
  std::unordered_map<std::string, std::int32_t> vocabulary;   // raw bytes; without the added tokens
  std::unordered_map<std::string, std::int32_t> spelled_ids;  // added tokens that model.vocab has, too
  std::vector<std::pair<std::string, std::string>> merges;    // raw bytes
  std::vector<AddedToken> added;
  bool composes = true;
};

TokenizerParts read_tokenizer_json(const std::string& path);
TokenizerParts read_vocab_and_merges(const std::string& vocab_json, const std::string& merges_txt);

/// The added tokens of tokenizer_config.json: its flags win over tokenizer.json's.
void add_from_config(const std::string& tokenizer_config_json, TokenizerParts& parts);
/// All that a directory's tokenizer_config.json, special_tokens_map.json and added_tokens.json add, where they are
/// there.
void add_from_directory(const std::string& directory, TokenizerParts& parts);

}  // namespace octavo::text
