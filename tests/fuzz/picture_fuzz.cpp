// One libFuzzer target per format, chosen by OCTAVO_FUZZ_MAGIC: the input's first bytes become the format's, so that
// every input reaches its decoder.
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "octavo/image.hpp"
#include "png_checksums.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::string_view kMagic = OCTAVO_FUZZ_MAGIC;
  if (size <= kMagic.size()) return 0;
  std::vector<std::uint8_t> bytes(data, data + size);
  for (std::size_t i = 0; i < kMagic.size(); ++i)
    if (kMagic[i] != '?') bytes[i] = static_cast<std::uint8_t>(kMagic[i]);
  octavo::test::mend_checksums(bytes);  // or no change of a PNG would reach its decoder
  if (kMagic == "P") {
    bytes[1] = static_cast<std::uint8_t>('1' + bytes[1] % 6);
    if (size > 2) bytes[2] = '\n';
  }
  octavo::DecodeOptions options;
  options.max_pixels = 1 << 18;
  options.transparency = data[size - 1] % 2 == 0 ? octavo::Transparency::white : octavo::Transparency::drop;
  try {
    const octavo::Image image =
        octavo::decode_image(std::as_bytes(std::span<const std::uint8_t>(bytes)), "fuzz", options);
    if (image.rgb.size() != static_cast<std::size_t>(3 * image.height * image.width)) std::abort();
  } catch (const octavo::Error&) {
    return 0;  // refused
  }
  return 0;
}
