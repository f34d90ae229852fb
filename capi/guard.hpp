// Nothing crosses the ABI but C: every exported function runs its body through `guarded`, which turns whatever is
// thrown into a status and this thread's last error. Reporting must not allocate, so the texts live in fixed buffers.
#pragma once

#include <algorithm>
#include <cstring>
#include <new>
#include <octavo/error.hpp>
#include <stdexcept>
#include <string>

#include "octavo.h"

namespace octavo::capi {

void set_last_error(const Error& error) noexcept;
void set_last_error(ErrorCode code, const char* message) noexcept;

template <class Body>
octavo_status guarded(Body&& body) noexcept {
  try {
    body();
    return OCTAVO_OK;
  } catch (const Error& error) {
    set_last_error(error);
    return static_cast<octavo_status>(error.code());
  } catch (const std::bad_alloc&) {
    set_last_error(ErrorCode::out_of_memory, "out of memory");
    return OCTAVO_OUT_OF_MEMORY;
  } catch (const std::length_error& error) {  // of a container that cannot be so large
    set_last_error(ErrorCode::out_of_memory, error.what());
    return OCTAVO_OUT_OF_MEMORY;
  } catch (const std::exception& error) {
    set_last_error(ErrorCode::internal, error.what());
    return OCTAVO_INTERNAL;
  } catch (...) {
    set_last_error(ErrorCode::internal, "an exception of unknown type");
    return OCTAVO_INTERNAL;
  }
}

inline void require(const void* pointer, const char* name) {
  if (pointer == nullptr) throw Error(ErrorCode::invalid_argument, std::string(name) + " is NULL");
}

// Takes over a caller's size-first struct: what an older caller lacks is zero; what a newer one set beyond our
// knowledge is refused. NULL gives all defaults.
template <class Options>
Options read_options(const Options* given, const char* name) {
  Options options{};
  if (given != nullptr) {
    if (given->struct_size < sizeof(std::size_t))
      throw Error(ErrorCode::invalid_argument, std::string(name) + ".struct_size is " +
                                                   std::to_string(given->struct_size) +
                                                   ": initialise the struct with its _INIT macro");
    if (given->struct_size > std::size_t{1} << 16)
      throw Error(ErrorCode::invalid_argument, std::string(name) + ".struct_size is " +
                                                   std::to_string(given->struct_size) + ", which no version has");
    const auto* bytes = reinterpret_cast<const unsigned char*>(given);
    for (std::size_t i = sizeof(Options); i < given->struct_size; ++i)
      if (bytes[i] != 0)
        throw Error(ErrorCode::unsupported, std::string(name) + " sets fields that this version of Octavo (" +
                                                octavo_version() + ") does not know");
    std::memcpy(&options, given, std::min(sizeof(Options), given->struct_size));
  }
  options.struct_size = sizeof(Options);
  return options;
}

// Writes back as much of a result as the caller's struct holds.
template <class Result>
void write_result(Result* out, const Result& result) {
  const std::size_t size = std::min(out->struct_size, sizeof(Result));
  std::memcpy(reinterpret_cast<unsigned char*>(out) + sizeof(std::size_t),
              reinterpret_cast<const unsigned char*>(&result) + sizeof(std::size_t), size - sizeof(std::size_t));
}

// `least`: the size that the struct had when it was first released.
template <class Result>
void require_result(const Result* out, const char* name, std::size_t least = sizeof(Result)) {
  require(out, name);
  if (out->struct_size < least)
    throw Error(ErrorCode::invalid_argument, std::string(name) + ".struct_size is " + std::to_string(out->struct_size) +
                                                 ", need at least " + std::to_string(least) +
                                                 ": initialise the struct with its _INIT macro");
}

/// Of octavo_string_release.
char* new_string(const std::string& text);
char* new_bytes(const void* bytes, std::size_t size);

}  // namespace octavo::capi
