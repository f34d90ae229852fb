// The body of a request to octavo-server.
#include <cstdint>
#include <octavo/generation_config.hpp>
#include <octavo/json.hpp>
#include <string_view>

#include "chat_request.hpp"
#include "http_error.hpp"
#include "pictures.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  server::RequestLimits limits;
  limits.max_picture_pixels = 1 << 16;
  try {
    const auto body = octavo::Json::parse(std::string_view(reinterpret_cast<const char*>(data), size), "fuzz");
    const server::ChatRequest request = server::parse_chat_request(body, "m", octavo::GenerationConfig(), limits);
    for (const auto& picture : request.pictures) server::decode_picture(picture.bytes, limits, picture.where);
  } catch (const server::HttpError&) {
    return 0;  // refused
  } catch (const octavo::Error&) {
    return 0;  // no JSON
  }
  return 0;
}
