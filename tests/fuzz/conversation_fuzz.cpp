// A conversation, as `octavo generate --messages` reads it.
#include <cstdint>
#include <string_view>

#include "octavo/samples.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const octavo::Sample sample =
        octavo::parse_conversation(std::string_view(reinterpret_cast<const char*>(data), size), "fuzz");
    octavo::messages_of(sample);
    sample.name();
  } catch (const octavo::Error&) {
    return 0;  // refused
  }
  return 0;
}
