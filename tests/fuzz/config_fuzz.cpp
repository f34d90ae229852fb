// config.json of a checkpoint with two tensors, and the same text as generation_config.json and as a recipe's list of
// patterns: quantization_config's expressions meet the names of modules.
#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "octavo/checkpoint.hpp"
#include "octavo/config.hpp"

namespace {

std::vector<std::byte> two_tensors() {
  constexpr std::string_view header = R"({"lm_head.weight":{"dtype":"I8","shape":[4,4],"data_offsets":[0,16]},)"
                                      R"("lm_head.weight_scale":{"dtype":"F32","shape":[4,1],"data_offsets":[16,32]}})";
  const std::uint64_t length = header.size();
  std::vector<std::byte> bytes(sizeof(length) + header.size() + 32);
  std::memcpy(bytes.data(), &length, sizeof(length));
  std::memcpy(bytes.data() + sizeof(length), header.data(), header.size());
  return bytes;
}

template <class Read>
void refused_or_read(Read&& read) {
  try {
    read();
  } catch (const octavo::Error&) {
    return;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::vector<std::byte> weights = two_tensors();
  const std::vector<octavo::FileSource::MemoryFile> files{{"config.json", std::as_bytes(std::span(data, size))},
                                                          {"model.safetensors", weights}};
  refused_or_read([&] {
    const auto checkpoint = octavo::Checkpoint::open(octavo::FileSource::in_memory("fuzz", files));
    refused_or_read([&] { octavo::Qwen25VlConfig::parse(checkpoint.config()); });
    refused_or_read([&] { octavo::GenerationConfig::parse(checkpoint.config()); });
    refused_or_read([&] { checkpoint.scheme_of("model.layers.0.mlp.down_proj"); });
    refused_or_read([&] { checkpoint.linear("lm_head"); });
    const std::string module = "lm_head";
    refused_or_read([&] { checkpoint.unmatched_patterns({&module, 1}); });
  });
  return 0;
}
