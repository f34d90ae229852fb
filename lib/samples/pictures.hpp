// Where a sample's picture comes from: a path, a file: URL, base64 in a data: URL or in an object.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "octavo/json.hpp"
#include "octavo/samples.hpp"

namespace octavo::samples {

/// Where the pictures of one record are looked for, and how they are called.
struct PicturePlace {
  std::filesystem::path base;  ///< paths are relative to it
  std::string record;          ///< "samples.jsonl:3"
  int made = 0;                ///< pictures of this record so far
};

/// A path, a file: URL or a data: URL. The file must exist.
SampleImage picture_of_text(const Json& value, PicturePlace& place);
/// The same, or an object {"path", "bytes": base64} or {"url"}.
SampleImage picture_of(const Json& value, PicturePlace& place);
/// Base64 alone.
SampleImage picture_of_base64(const Json& value, PicturePlace& place);

/// RFC 4648, section 4; white space between the digits is passed over. @throws Error  format, after `where`.
std::vector<std::byte> decode_base64(std::string_view text, const std::string& where);

}  // namespace octavo::samples
