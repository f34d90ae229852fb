/// What the writers of picture files check alike.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "octavo/error.hpp"
#include "octavo/image.hpp"

namespace octavo::detail {

/// @throws Error  invalid_argument, after `who`: a side outside 1 to `most_side`, `rgb` of another size than the sides
///                give, a comment that a file cannot hold as one line of ASCII.
inline void require_writable(const char* who, const Image& image, std::int64_t most_side, std::string_view comment) {
  const auto fail = [&](const std::string& what) {
    return Error(ErrorCode::invalid_argument, std::string(who) + ": " + what);
  };
  if (image.width < 1 || image.height < 1 || image.width > most_side || image.height > most_side)
    throw fail("a picture of " + std::to_string(image.width) + " x " + std::to_string(image.height) +
               " pixels; each side is 1 to " + std::to_string(most_side));
  if (image.rgb.size() != static_cast<std::size_t>(image.width * image.height * 3))
    throw fail("rgb holds " + std::to_string(image.rgb.size()) +
               " bytes, not height * width * 3 = " + std::to_string(image.width * image.height * 3));
  constexpr std::size_t kMostComment = 1000;
  if (comment.size() > kMostComment ||
      comment.find_first_not_of(" !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`"
                                "abcdefghijklmnopqrstuvwxyz{|}~") != std::string_view::npos)
    throw fail("the comment is up to " + std::to_string(kMostComment) + " printable ASCII characters");
}

}  // namespace octavo::detail
