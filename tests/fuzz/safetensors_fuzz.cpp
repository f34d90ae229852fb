// The header of a safetensors file: what is not refused can be read from the first to the last byte.
#include <cstdint>
#include <cstring>
#include <vector>

#include "octavo/checkpoint.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kData = 64;
  const std::uint64_t header = size;
  std::vector<std::byte> bytes(sizeof(header) + size + kData);
  std::memcpy(bytes.data(), &header, sizeof(header));
  if (size > 0) std::memcpy(bytes.data() + sizeof(header), data, size);
  const octavo::FileSource::MemoryFile file{"model.safetensors", bytes};
  volatile std::byte seen{};
  try {
    const auto weights = octavo::SafetensorsFile::open(octavo::FileSource::in_memory("fuzz", {&file, 1}), file.name);
    for (const octavo::TensorInfo& info : weights.tensors()) {
      if (!info.dtype) continue;
      const octavo::Tensor tensor = weights.tensor(info.name);
      const auto* stored = static_cast<const std::byte*>(tensor.raw());
      for (std::size_t i = 0; i < tensor.size_bytes(); ++i) seen = stored[i];
    }
  } catch (const octavo::Error&) {
    return 0;  // refused
  }
  return 0;
}
