// The C options for reading pictures, in C++.
#pragma once

#include <cstddef>
#include <octavo/image.hpp>
#include <vector>

#include "octavo.h"

namespace octavo::capi {

/// NULL gives the defaults. @throws Error  invalid_argument.
DecodeOptions decode_options(const octavo_decode_options* given);
/// `paths` may be NULL where `count` is 0.
std::vector<Image> load_images(const char* const* paths, std::size_t count, const DecodeOptions& decode);

}  // namespace octavo::capi
