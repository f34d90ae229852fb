#include <octavo/contract.hpp>
#include <span>

#include "guard.hpp"
#include "handles.hpp"

namespace octavo::capi {

const Tensor& tensor_of(const octavo_tensor* tensor, const char* name) {
  require(tensor, name);
  return tensor->value;
}

DType dtype_from(int32_t value) {
  static_assert(static_cast<int>(DType::f32) == OCTAVO_F32 && static_cast<int>(DType::f16) == OCTAVO_F16 &&
                static_cast<int>(DType::bf16) == OCTAVO_BF16 && static_cast<int>(DType::s8) == OCTAVO_S8 &&
                static_cast<int>(DType::u8) == OCTAVO_U8 && static_cast<int>(DType::s32) == OCTAVO_S32 &&
                static_cast<int>(DType::i64) == OCTAVO_I64);
  if (value < OCTAVO_F32 || value > OCTAVO_I64)
    throw Error(ErrorCode::invalid_argument, "dtype " + std::to_string(value) + " is none of OCTAVO_F32..OCTAVO_I64");
  return static_cast<DType>(value);
}

namespace {

Shape shape_from(const int64_t* dims, size_t rank) {
  if (rank > 0) require(dims, "dims");
  if (rank > static_cast<size_t>(Shape::kMaxRank))
    throw Error(ErrorCode::invalid_argument,
                "rank is " + std::to_string(rank) + ", at most " + std::to_string(Shape::kMaxRank) + " dimensions fit");
  return Shape(std::span<const std::int64_t>(dims, rank));
}

void require_dimension(const Tensor& tensor, size_t index) {
  if (index >= static_cast<size_t>(tensor.rank()))
    throw Error(ErrorCode::invalid_argument,
                "index is " + std::to_string(index) + ", but the tensor's shape is " + tensor.shape().to_string());
}

void require_row_major(const Tensor& tensor) {
  if (!tensor.is_contiguous())
    throw Error(ErrorCode::invalid_argument,
                "the tensor " + tensor.shape().to_string() + " is not row-major: octavo_tensor_contiguous makes it so");
}

}  // namespace
}  // namespace octavo::capi

using namespace octavo::capi;  // NOLINT(google-build-using-namespace): this file is the namespace's C face

extern "C" {

octavo_status octavo_tensor_create(int32_t dtype, const int64_t* dims, size_t rank, octavo_tensor** out) {
  return guarded([&] {
    require(out, "out");
    *out = new octavo_tensor{octavo::Tensor::zeros(dtype_from(dtype), shape_from(dims, rank))};
  });
}

octavo_status octavo_tensor_borrow(void* data, int32_t dtype, const int64_t* dims, size_t rank, octavo_tensor** out) {
  return guarded([&] {
    require(out, "out");
    const octavo::Shape shape = shape_from(dims, rank);
    if (shape.numel() > 0) require(data, "data");
    *out = new octavo_tensor{octavo::Tensor::borrow(data, dtype_from(dtype), shape)};
  });
}

void octavo_tensor_release(octavo_tensor* tensor) { delete tensor; }

octavo_status octavo_tensor_dtype(const octavo_tensor* tensor, int32_t* out) {
  return guarded([&] {
    require(out, "out");
    *out = static_cast<int32_t>(tensor_of(tensor, "tensor").dtype());
  });
}

octavo_status octavo_tensor_rank(const octavo_tensor* tensor, size_t* out) {
  return guarded([&] {
    require(out, "out");
    *out = static_cast<size_t>(tensor_of(tensor, "tensor").rank());
  });
}

octavo_status octavo_tensor_dim(const octavo_tensor* tensor, size_t index, int64_t* out) {
  return guarded([&] {
    require(out, "out");
    const octavo::Tensor& value = tensor_of(tensor, "tensor");
    require_dimension(value, index);
    *out = value.shape()[static_cast<int>(index)];
  });
}

octavo_status octavo_tensor_stride(const octavo_tensor* tensor, size_t index, int64_t* out) {
  return guarded([&] {
    require(out, "out");
    const octavo::Tensor& value = tensor_of(tensor, "tensor");
    require_dimension(value, index);
    *out = value.strides()[index];
  });
}

octavo_status octavo_tensor_contiguous(const octavo_tensor* tensor, octavo_tensor** out) {
  return guarded([&] {
    require(out, "out");
    *out = new octavo_tensor{tensor_of(tensor, "tensor").contiguous()};
  });
}

octavo_status octavo_tensor_read(const octavo_tensor* tensor, const void** out_data, size_t* out_size_bytes) {
  return guarded([&] {
    const octavo::Tensor& value = tensor_of(tensor, "tensor");
    if (out_data != nullptr) require_row_major(value);
    const void* data = out_data != nullptr ? value.raw() : nullptr;
    if (out_data != nullptr) *out_data = data;
    if (out_size_bytes != nullptr) *out_size_bytes = value.size_bytes();
  });
}

octavo_status octavo_tensor_data(octavo_tensor* tensor, void** out_data, size_t* out_size_bytes) {
  return guarded([&] {
    tensor_of(tensor, "tensor");
    if (out_data != nullptr) require_row_major(tensor->value);
    void* data = out_data != nullptr ? tensor->value.mutable_raw() : nullptr;
    if (out_data != nullptr) *out_data = data;
    if (out_size_bytes != nullptr) *out_size_bytes = tensor->value.size_bytes();
  });
}

octavo_status octavo_contract_check(const char* contract, const char* module_path, const char* const* names,
                                    const octavo_tensor* const* tensors, size_t count, const char* const* dim_names,
                                    const int64_t* dim_values, size_t dim_count) {
  return guarded([&] {
    require(contract, "contract");
    if (count > 0) {
      require(names, "names");
      require(tensors, "tensors");
    }
    if (dim_count > 0) {
      require(dim_names, "dim_names");
      require(dim_values, "dim_values");
    }
    const octavo::Contract parsed = octavo::Contract::parse(contract);
    octavo::Binder binder(parsed, module_path == nullptr ? "" : module_path);
    for (size_t i = 0; i < dim_count; ++i) {
      require(dim_names[i], "a name in dim_names");
      binder.dim(dim_names[i], dim_values[i], "the caller's value");
    }
    for (size_t i = 0; i < count; ++i) {
      require(names[i], "a name in names");
      if (tensors[i] != nullptr) binder.arg(names[i], tensors[i]->value);
    }
    binder.check();
  });
}

}  // extern "C"
