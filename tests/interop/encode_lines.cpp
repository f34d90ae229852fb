// Octavo's side of tokens_check.py: reads JSON strings, one a line, and writes the token ids of each.
//   encode_lines DIRECTORY|tokenizer.json < texts.jsonl
#include <cstdio>
#include <exception>
#include <iostream>
#include <string>

#include "octavo/json.hpp"
#include "octavo/text.hpp"

int main(int argc, char** argv) {
  try {
    if (argc != 2) throw octavo::Error(octavo::ErrorCode::invalid_argument, "encode_lines DIRECTORY|tokenizer.json");
    const std::string path = argv[1];
    const octavo::Tokenizer tokenizer =
        path.ends_with(".json") ? octavo::Tokenizer::from_tokenizer_json(path) : octavo::Tokenizer::open(path);
    for (std::string line; std::getline(std::cin, line);) {
      const std::vector<std::int32_t> ids = tokenizer.encode(octavo::Json::parse(line, "standard input").as_string());
      octavo::JsonBuilder answer = octavo::JsonBuilder::object();
      answer.set("ids", octavo::JsonBuilder::array_of(ids))
          .set("decoded", tokenizer.decode(ids))
          .set("decoded_skip", tokenizer.decode(ids, true));
      std::puts(answer.dump().c_str());
    }
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "encode_lines: %s\n", error.what());
    return 1;
  }
}
