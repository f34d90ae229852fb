#include <array>
#include <cstdlib>
#include <cstring>
#include <new>

#include "guard.hpp"
#include "handles.hpp"

namespace octavo::capi {
namespace {

template <std::size_t size>
void store(std::array<char, size>& to, const char* from) noexcept {
  std::size_t length = std::strlen(from);
  if (length >= size) {
    length = size - 1;
    while (length > 0 && (static_cast<unsigned char>(from[length]) & 0xC0U) == 0x80U)
      --length;  // whole characters only
  }
  std::memcpy(to.data(), from, length);
  to[length] = '\0';
}

struct LastError {
  std::array<char, 4096> message{};
  std::array<char, 128> op{}, argument{}, dim_name{};
  std::array<char, 512> module{};
  bool has_shape = false;
  std::int64_t dim = 0, expected = 0, actual = 0;
};
thread_local LastError last_error;

}  // namespace

void set_last_error(ErrorCode code, const char* message) noexcept {
  static_cast<void>(code);
  last_error.has_shape = false;
  store(last_error.message, message);
}

void set_last_error(const Error& error) noexcept {
  set_last_error(error.code(), error.what());
  const ShapeDetail* shape = error.shape();
  if (shape == nullptr) return;
  last_error.has_shape = true;
  store(last_error.op, shape->op.c_str());
  store(last_error.module, shape->module.c_str());
  store(last_error.argument, shape->argument.c_str());
  store(last_error.dim_name, shape->dim_name.c_str());
  last_error.dim = shape->dim;
  last_error.expected = shape->expected;
  last_error.actual = shape->actual;
}

char* new_bytes(const void* bytes, std::size_t size) {
  auto* copy = static_cast<char*>(std::malloc(size));
  if (copy == nullptr) throw std::bad_alloc();
  std::memcpy(copy, bytes, size);
  return copy;
}

char* new_string(const std::string& text) { return new_bytes(text.c_str(), text.size() + 1); }

}  // namespace octavo::capi

using octavo::capi::guarded;
using octavo::capi::last_error;
using octavo::capi::require;

extern "C" {

const char* octavo_status_name(octavo_status status) {
  switch (status) {
    case OCTAVO_OK:
      return "ok";
    case OCTAVO_INVALID_ARGUMENT:
    case OCTAVO_SHAPE_MISMATCH:
    case OCTAVO_DTYPE_MISMATCH:
    case OCTAVO_NOT_FOUND:
    case OCTAVO_IO:
    case OCTAVO_FORMAT:
    case OCTAVO_UNSUPPORTED:
    case OCTAVO_OUT_OF_MEMORY:
    case OCTAVO_CANCELLED:
    case OCTAVO_EXISTS:
    case OCTAVO_NOT_FINITE:
    case OCTAVO_INTERNAL:
      return octavo::error_code_name(static_cast<octavo::ErrorCode>(status));
    default:
      return "unknown";
  }
}

const char* octavo_last_error(void) { return last_error.message.data(); }

octavo_status octavo_last_shape_error(octavo_shape_error* out) {
  if (out != nullptr && out->struct_size >= sizeof(octavo_shape_error) && !last_error.has_shape)
    return OCTAVO_NOT_FOUND;
  return guarded([&] {
    octavo::capi::require_result(out, "out");
    octavo_shape_error fields = OCTAVO_SHAPE_ERROR_INIT;
    fields.op = last_error.op.data();
    fields.module = last_error.module.data();
    fields.argument = last_error.argument.data();
    fields.dim_name = last_error.dim_name.data();
    fields.dim = last_error.dim;
    fields.expected = last_error.expected;
    fields.actual = last_error.actual;
    octavo::capi::write_result(out, fields);
  });
}

void octavo_string_release(char* string) { std::free(string); }

}  // extern "C"
