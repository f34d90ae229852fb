// tokenizer.json: what is not refused encodes and decodes.
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "octavo/text.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const octavo::FileSource::MemoryFile file{"tokenizer.json", std::as_bytes(std::span(data, size))};
  try {
    const auto tokenizer = octavo::Tokenizer::open(octavo::FileSource::in_memory("fuzz", {&file, 1}));
    std::vector<std::int32_t> ids = tokenizer.encode("Hello w\u00f6rld, 12345<|im_end|>\n\n  a\u0300");
    ids.push_back(tokenizer.size());
    ids.push_back(-1);
    tokenizer.decode(ids);
    for (const std::int32_t id : ids) tokenizer.token_bytes(id);
  } catch (const octavo::Error&) {
    return 0;  // refused
  }
  return 0;
}
