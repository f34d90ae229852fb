// What the library decided, told to the host.
#include <octavo/log.hpp>
#include <string>
#include <string_view>

#include "guard.hpp"

extern "C" {

octavo_status octavo_set_log(octavo_log_fn callback, void* user_data, int32_t level) {
  return octavo::capi::guarded([&] {
    if (level < OCTAVO_LOG_DEBUG || level > OCTAVO_LOG_WARNING)
      throw octavo::Error(octavo::ErrorCode::invalid_argument,
                          "level is " + std::to_string(level) + ", known are 0 (debug), 1 (info) and 2 (warning)");
    if (callback == nullptr) return octavo::set_log({});
    octavo::set_log(
        [callback, user_data](octavo::LogLevel at, std::string_view module, std::string_view text) {
          callback(static_cast<int32_t>(at), std::string(module).c_str(), std::string(text).c_str(), user_data);
        },
        static_cast<octavo::LogLevel>(level));
  });
}

}  // extern "C"
