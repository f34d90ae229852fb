// The pictures of a request: base64 in a data: URI or, where the operator allows it, a file. Nothing is fetched from
// the network: a server that fetches what strangers name can be sent anywhere.
#pragma once

#include <octavo/image.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "options.hpp"

namespace server {

/// The encoded bytes of the picture that `url` names. `where` is the url's place in the request, for errors.
/// @throws HttpError  400, or 413 above RequestLimits::max_picture_bytes.
std::vector<std::byte> picture_bytes(std::string_view url, const RequestLimits& limits, const std::string& where);

/// The pixels. @throws HttpError  400 for what cannot be decoded, or has too many pixels.
octavo::Image decode_picture(const std::vector<std::byte>& bytes, const RequestLimits& limits,
                             const std::string& where);

}  // namespace server
