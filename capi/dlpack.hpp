// The structs of dlpack.h, whose layout is fixed since its versions 0.2 and 1.0: Debian 12's package has but the older
// one. tests/capi/dlpack_layout.cpp holds them against the package's header.
// Source: https://dmlc.github.io/dlpack/latest/c_api.html
#pragma once

#include <cstdint>

namespace octavo::capi::dlpack {

enum DeviceType : std::int32_t { kCpu = 1 };
enum TypeCode : std::uint8_t { kInt = 0, kUInt = 1, kFloat = 2, kBfloat = 4 };

struct Device {
  std::int32_t device_type;
  std::int32_t device_id;
};
struct DataType {
  std::uint8_t code;
  std::uint8_t bits;
  std::uint16_t lanes;
};
struct Array {  // DLTensor
  void* data;
  Device device;
  std::int32_t ndim;
  DataType dtype;
  std::int64_t* shape;
  std::int64_t* strides;  // in elements; null: row-major
  std::uint64_t byte_offset;
};
struct Version {
  std::uint32_t major;
  std::uint32_t minor;
};
inline constexpr Version kVersion{1, 0};
inline constexpr std::uint64_t kReadOnly = 1;  // of flags

}  // namespace octavo::capi::dlpack

extern "C" {

struct DLManagedTensor {
  octavo::capi::dlpack::Array dl_tensor;
  void* manager_ctx;
  void (*deleter)(DLManagedTensor* self);
};

struct DLManagedTensorVersioned {
  octavo::capi::dlpack::Version version;
  void* manager_ctx;
  void (*deleter)(DLManagedTensorVersioned* self);
  std::uint64_t flags;
  octavo::capi::dlpack::Array dl_tensor;
};

}  // extern "C"
