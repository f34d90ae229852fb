// What kind of picture a file is, by its first bytes; names and extensions are often wrong.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "decoders.hpp"

namespace octavo::detail {

struct Format {
  const char* name;
  Samples (*decode)(const PictureFile&);  ///< null: known, but not read
  const char* advice;                     ///< what to do about one that is not read
};

/// Null for bytes that no known kind begins with.
const Format* format_of(std::span<const std::byte> bytes);

}  // namespace octavo::detail
