// The C options for reading pictures, in C++.
#pragma once

#include <octavo/image.hpp>

#include "octavo.h"

namespace octavo::capi {

/// NULL gives the defaults. @throws Error  invalid_argument.
DecodeOptions decode_options(const octavo_decode_options* given);

}  // namespace octavo::capi
