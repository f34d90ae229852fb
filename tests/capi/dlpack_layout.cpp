// capi/dlpack.hpp has the layout of dlpack.h (Debian's libdlpack-dev), whichever version of it is installed.
#include <cstddef>

#if __has_include(<dlpack/dlpack.h>)
// Theirs and ours share two names.
#define DLManagedTensor TheirManagedTensor
#define DLManagedTensorVersioned TheirManagedTensorVersioned
#include <dlpack/dlpack.h>
#undef DLManagedTensor
#undef DLManagedTensorVersioned

#include "dlpack.hpp"

namespace ours = octavo::capi::dlpack;

#define SAME(mine, theirs, member) \
  static_assert(offsetof(mine, member) == offsetof(theirs, member) && sizeof(mine::member) == sizeof(theirs::member))
SAME(ours::Array, DLTensor, data);
SAME(ours::Array, DLTensor, device);
SAME(ours::Array, DLTensor, ndim);
SAME(ours::Array, DLTensor, dtype);
SAME(ours::Array, DLTensor, shape);
SAME(ours::Array, DLTensor, strides);
SAME(ours::Array, DLTensor, byte_offset);
SAME(ours::DataType, DLDataType, code);
SAME(ours::DataType, DLDataType, bits);
SAME(ours::DataType, DLDataType, lanes);
SAME(ours::Device, DLDevice, device_type);
SAME(ours::Device, DLDevice, device_id);
SAME(DLManagedTensor, TheirManagedTensor, dl_tensor);
SAME(DLManagedTensor, TheirManagedTensor, manager_ctx);
SAME(DLManagedTensor, TheirManagedTensor, deleter);
static_assert(sizeof(ours::Array) == sizeof(DLTensor) && sizeof(DLManagedTensor) == sizeof(TheirManagedTensor));
static_assert(int{ours::kCpu} == int{kDLCPU});
static_assert(int{ours::kInt} == int{kDLInt} && int{ours::kUInt} == int{kDLUInt});
static_assert(int{ours::kFloat} == int{kDLFloat} && int{ours::kBfloat} == int{kDLBfloat});
#ifdef DLPACK_MAJOR_VERSION  // since 0.8
SAME(DLManagedTensorVersioned, TheirManagedTensorVersioned, version);
SAME(DLManagedTensorVersioned, TheirManagedTensorVersioned, manager_ctx);
SAME(DLManagedTensorVersioned, TheirManagedTensorVersioned, deleter);
SAME(DLManagedTensorVersioned, TheirManagedTensorVersioned, flags);
SAME(DLManagedTensorVersioned, TheirManagedTensorVersioned, dl_tensor);
static_assert(ours::kReadOnly == DLPACK_FLAG_BITMASK_READ_ONLY);
#endif
#endif
