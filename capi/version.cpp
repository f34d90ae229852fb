// What the library is: versions, and what it finds on this machine.
#include <octavo/build_info.hpp>
#include <octavo/version.hpp>  // defines the version's macros, too: unequal ones do not compile
#include <string_view>

#include "guard.hpp"

using namespace octavo::capi;  // NOLINT(google-build-using-namespace): this file is the namespace's C face

static_assert(octavo::kVersion == std::string_view(OCTAVO_VERSION_STRING), "version.hpp and CMake's project()");

extern "C" {

const char* octavo_version(void) { return OCTAVO_VERSION_STRING; }

int32_t octavo_abi_version(void) { return OCTAVO_ABI_VERSION; }

octavo_status octavo_build_info(char** out_json) {
  return guarded([&] {
    require(out_json, "out_json");
    *out_json = new_string(octavo::build_json().dump());
  });
}

}  // extern "C"
