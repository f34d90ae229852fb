/// @file
/// The version of the library that a program was compiled against. Semantic versioning, see CHANGELOG.md.
#pragma once

#include <string_view>

#define OCTAVO_VERSION_MAJOR 0
#define OCTAVO_VERSION_MINOR 1
#define OCTAVO_VERSION_PATCH 0

namespace octavo {

inline constexpr const char* kVersion = "0.1.0";

}  // namespace octavo
