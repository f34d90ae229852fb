// Tensors shared with other libraries without a copy.
#include "dlpack.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "guard.hpp"
#include "handles.hpp"

using namespace octavo::capi;  // NOLINT(google-build-using-namespace): this file is the namespace's C face

namespace {

using octavo::DType;
using octavo::Error;
using octavo::ErrorCode;
using octavo::Tensor;
namespace dlpack = octavo::capi::dlpack;

struct Type {
  DType dtype;
  std::uint8_t code, bits;
};
constexpr std::array<Type, 7> kTypes{{{DType::f32, dlpack::kFloat, 32},
                                      {DType::f16, dlpack::kFloat, 16},
                                      {DType::bf16, dlpack::kBfloat, 16},
                                      {DType::s8, dlpack::kInt, 8},
                                      {DType::u8, dlpack::kUInt, 8},
                                      {DType::s32, dlpack::kInt, 32},
                                      {DType::i64, dlpack::kInt, 64}}};

/// What a consumer holds: the struct, and what its pointers point to.
template <class Managed>
struct Exported {
  Managed managed{};
  Tensor tensor;  // keeps the memory alive
  std::array<std::int64_t, octavo::Shape::kMaxRank> shape{}, strides{};
};

template <class Managed>
Managed* exported(const Tensor& tensor) {
  auto made = std::make_unique<Exported<Managed>>();
  made->tensor = tensor;
  std::copy(tensor.shape().dims().begin(), tensor.shape().dims().end(), made->shape.begin());
  std::copy(tensor.strides().begin(), tensor.strides().end(), made->strides.begin());
  const auto type =
      std::find_if(kTypes.begin(), kTypes.end(), [&](const Type& t) { return t.dtype == tensor.dtype(); });
  dlpack::Array& array = made->managed.dl_tensor;
  array.data = const_cast<void*>(tensor.raw());  // whoever reads a read-only tensor is told so
  array.device = {dlpack::kCpu, 0};
  array.ndim = tensor.rank();
  array.dtype = {type->code, type->bits, 1};
  array.shape = made->shape.data();
  array.strides = made->strides.data();
  made->managed.manager_ctx = made.get();
  made->managed.deleter = [](Managed* self) { delete static_cast<Exported<Managed>*>(self->manager_ctx); };
  return &made.release()->managed;
}

DType dtype_of(const dlpack::DataType& given) {
  for (const Type& type : kTypes)
    if (given.lanes == 1 && given.code == type.code && given.bits == type.bits) return type.dtype;
  throw Error(ErrorCode::unsupported, "DLPack type code " + std::to_string(given.code) + " of " +
                                          std::to_string(given.bits) + " bits and " + std::to_string(given.lanes) +
                                          " lanes is none of f32, f16, bf16, int8, uint8, int32 and int64");
}

/// The tensor over `array`, without its owner as yet.
template <class Managed>
octavo_tensor* imported(Managed* managed, bool read_only) {
  const dlpack::Array& array = managed->dl_tensor;
  if (array.device.device_type != dlpack::kCpu)
    throw Error(ErrorCode::unsupported, "the DLPack tensor is on a device of type " +
                                            std::to_string(array.device.device_type) + ", only the CPU (1) is read");
  const DType dtype = dtype_of(array.dtype);
  if (array.ndim < 0 || array.ndim > octavo::Shape::kMaxRank)
    throw Error(ErrorCode::unsupported, "the DLPack tensor has " + std::to_string(array.ndim) +
                                            " dimensions, at most " + std::to_string(octavo::Shape::kMaxRank) + " fit");
  const auto rank = static_cast<std::size_t>(array.ndim);
  if (rank > 0) require(array.shape, "the DLPack tensor's shape");
  const octavo::Shape shape(std::span<const std::int64_t>(array.shape, rank));
  std::span<const std::int64_t> strides;
  if (array.strides != nullptr) strides = {array.strides, rank};
  for (const std::int64_t stride : strides)
    if (stride < 0 && shape.numel() > 1)
      throw Error(ErrorCode::unsupported, "the DLPack tensor has a negative stride: make a copy of it first");
  auto* data = static_cast<unsigned char*>(array.data);
  if (data != nullptr) data += array.byte_offset;
  if (shape.numel() == 0) strides = {};
  // Whatever fails now fails with the tensor still the caller's: the owner comes last, and its making cannot fail
  // without being undone.
  auto owner = std::make_shared<Managed*>(nullptr);
  std::shared_ptr<void> keeper(owner.get(), [owner](void*) {
    if (*owner != nullptr && (*owner)->deleter != nullptr) (*owner)->deleter(*owner);
  });
  auto made = std::make_unique<octavo_tensor>(
      octavo_tensor{Tensor::adopt(std::move(keeper), data, dtype, shape, strides, read_only)});
  *owner = managed;
  return made.release();
}

}  // namespace

extern "C" {

octavo_status octavo_tensor_to_dlpack(const octavo_tensor* tensor, struct DLManagedTensorVersioned** out) {
  return guarded([&] {
    const Tensor& value = tensor_of(tensor, "tensor");
    require(out, "out");
    DLManagedTensorVersioned* made = exported<DLManagedTensorVersioned>(value);
    made->version = dlpack::kVersion;
    made->flags = value.is_read_only() ? dlpack::kReadOnly : 0;
    *out = made;
  });
}

octavo_status octavo_tensor_to_dlpack_unversioned(const octavo_tensor* tensor, struct DLManagedTensor** out) {
  return guarded([&] {
    const Tensor& value = tensor_of(tensor, "tensor");
    require(out, "out");
    if (value.is_read_only())
      throw Error(ErrorCode::unsupported,
                  "the tensor is read-only, which DLPack before 1.0 cannot say: use octavo_tensor_to_dlpack");
    *out = exported<DLManagedTensor>(value);
  });
}

octavo_status octavo_tensor_from_dlpack(struct DLManagedTensorVersioned* managed, octavo_tensor** out) {
  return guarded([&] {
    require(managed, "managed");
    require(out, "out");
    if (managed->version.major != dlpack::kVersion.major)
      throw Error(ErrorCode::unsupported, "the DLPack tensor is of version " + std::to_string(managed->version.major) +
                                              "." + std::to_string(managed->version.minor) + ", version 1 is read");
    *out = imported(managed, (managed->flags & dlpack::kReadOnly) != 0);
  });
}

octavo_status octavo_tensor_from_dlpack_unversioned(struct DLManagedTensor* managed, octavo_tensor** out) {
  return guarded([&] {
    require(managed, "managed");
    require(out, "out");
    *out = imported(managed, false);
  });
}

}  // extern "C"
