// What tests/golden/text/make.py wrote.
#pragma once

#include <string>
#include <vector>

#include "octavo/json.hpp"
#include "octavo/text.hpp"

namespace octavo::test {

inline std::string text_path(const std::string& file) {
  return std::string(OCTAVO_SOURCE_DIR) + "/tests/golden/text/" + file;
}
inline std::string bundled_path(const std::string& file) {
  return std::string(OCTAVO_SOURCE_DIR) + "/examples/models/octavo-tiny-vl/" + file;
}

inline const Json& golden() {
  static const Json json = Json::read_file(text_path("golden.json"));
  return json;
}

inline std::vector<std::int32_t> ids_from(const Json& list) {
  std::vector<std::int32_t> ids;
  for (std::size_t i = 0; i < list.size(); ++i) ids.push_back(static_cast<std::int32_t>(list.at(i).as_int()));
  return ids;
}

inline const std::vector<std::string>& texts() {
  static const std::vector<std::string> all = [] {
    std::vector<std::string> made;
    const Json list = golden().at("texts");
    for (std::size_t i = 0; i < list.size(); ++i) made.push_back(list.at(i).as_string());
    return made;
  }();
  return all;
}

// Entry i of a list in which null means "as in the other list".
inline std::string or_else(const Json& list, std::size_t i, const std::string& other) {
  const Json entry = list.at(i);
  return entry.is_null() ? other : entry.as_string();
}

struct Reference {
  std::string name;  // in golden.json
  Tokenizer tokenizer;
};

// The same small vocabulary in both spellings, and the bundled model's.
inline std::vector<Reference> references() {
  return {{"small", Tokenizer::from_tokenizer_json(text_path("tokenizer.json"))},
          {"small", Tokenizer::from_vocab_and_merges(text_path("vocab.json"), text_path("merges.txt"),
                                                     text_path("tokenizer_config.json"))},
          {"bundled", Tokenizer::open(bundled_path(""))}};
}

}  // namespace octavo::test
