// A tokenizer's files: tokenizer.json, or vocab.json with merges.txt; and what tokenizer_config.json and its companions
// add to either, as transformers' from_pretrained does.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "added_tokens.hpp"
#include "octavo/files.hpp"
#include "octavo/json.hpp"

namespace octavo::text {

struct TokenizerParts {
  std::string origin;                                         // the file that errors name
  std::unordered_map<std::string, std::int32_t> vocabulary;   // raw bytes; without the added tokens
  std::unordered_map<std::string, std::int32_t> spelled_ids;  // added tokens that model.vocab has, too
  std::vector<std::pair<std::string, std::string>> merges;    // raw bytes
  std::vector<AddedToken> added;
  bool composes = true;
};

// Contents, and how messages name them.
TokenizerParts read_tokenizer_json(const Json& json, const std::string& path);
TokenizerParts read_vocab_and_merges(const Json& vocab, const std::string& vocab_json, const std::string& merges,
                                     const std::string& merges_txt);

/// The added tokens of tokenizer_config.json: its flags win over tokenizer.json's.
void add_from_config(const Json& tokenizer_config, TokenizerParts& parts);
/// All that tokenizer_config.json, special_tokens_map.json and added_tokens.json add, where they are there.
void add_from_files(const FileSource& files, TokenizerParts& parts);

}  // namespace octavo::text
