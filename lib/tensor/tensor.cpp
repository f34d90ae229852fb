#include "octavo/tensor.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

#include "octavo/parallel.hpp"
#include "runs.hpp"
#include "storage.hpp"

namespace octavo {

namespace {

std::array<std::int64_t, Shape::kMaxRank> row_major(const Shape& shape) {
  std::array<std::int64_t, Shape::kMaxRank> strides{};
  std::int64_t step = 1;
  for (int i = shape.rank() - 1; i >= 0; --i) {
    strides[static_cast<std::size_t>(i)] = step;
    step *= shape[i];
  }
  return strides;
}

std::size_t bytes_for(DType dtype, const Shape& shape) {
  return static_cast<std::size_t>(shape.numel()) * size_of(dtype);  // Shape leaves room for elements of 8 bytes
}

inline float widen(float value) { return value; }
// to_float as one instruction of a vector: models of gigabytes pass through here.
inline float widen(BFloat16 value) { return std::bit_cast<float>(static_cast<std::uint32_t>(value.bits) << 16); }
inline float widen(Float16 value) { return to_float(value); }
template <class T>
inline float widen(T value) {
  return static_cast<float>(value);
}
template <class To>
inline To narrow(float value) {
  if constexpr (std::is_same_v<To, BFloat16>) return to_bfloat16(value);
  if constexpr (std::is_same_v<To, Float16>) return to_float16(value);
  if constexpr (std::is_same_v<To, float>) return value;
}

constexpr std::int64_t kConvertGrain = 1 << 16;

template <class From, class To>
void convert(const From* from, To* to, std::int64_t count) {
  parallel_for(count, kConvertGrain, [from, to](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      if constexpr (std::is_integral_v<From> && std::is_integral_v<To>)
        to[i] = static_cast<To>(from[i]);  // NOLINT(bugprone-signed-char-misuse): widening keeps the sign
      else
        to[i] = narrow<To>(widen(from[i]));
    }
  });
}

template <class Use>
void with_type(DType dtype, Use&& use) {
  switch (dtype) {
    case DType::f32:
      return use(float{});
    case DType::f16:
      return use(Float16{});
    case DType::bf16:
      return use(BFloat16{});
    case DType::s8:
      return use(std::int8_t{});
    case DType::u8:
      return use(std::uint8_t{});
    case DType::s32:
      return use(std::int32_t{});
    case DType::i64:
      return use(std::int64_t{});
  }
}

bool is_float(DType dtype) { return dtype == DType::f32 || dtype == DType::f16 || dtype == DType::bf16; }

}  // namespace

Tensor Tensor::on(std::shared_ptr<Storage> storage, DType dtype, const Shape& shape) {
  Tensor tensor;
  tensor.storage_ = std::move(storage);
  tensor.dtype_ = dtype;
  tensor.shape_ = shape;
  tensor.strides_ = row_major(shape);
  return tensor;
}

Tensor Tensor::empty(DType dtype, const Shape& shape) { return on(allocate(bytes_for(dtype, shape)), dtype, shape); }

Tensor Tensor::meta(DType dtype, const Shape& shape) {
  return on(allocate_without_data(bytes_for(dtype, shape)), dtype, shape);
}

Tensor Tensor::empty_like(const Tensor& x, DType dtype, const Shape& shape) {
  return x.is_meta() ? meta(dtype, shape) : empty(dtype, shape);
}

Tensor Tensor::zeros(DType dtype, const Shape& shape) {
  Tensor tensor = empty(dtype, shape);
  std::memset(tensor.storage_->data(), 0, tensor.size_bytes());
  return tensor;
}

namespace {

std::shared_ptr<Storage> borrowed(const void* data, bool read_only, DType dtype, const Shape& shape) {
  if (data == nullptr && shape.numel() != 0)
    throw Error(ErrorCode::invalid_argument, "Tensor::borrow: data is null for shape " + shape.to_string());
  if (reinterpret_cast<std::uintptr_t>(data) % size_of(dtype) != 0)
    throw Error(ErrorCode::invalid_argument, std::string("Tensor::borrow: data is not aligned to an element of ") +
                                                 dtype_name(dtype) + " (" + std::to_string(size_of(dtype)) + " bytes)");
  auto* bytes = static_cast<std::byte*>(const_cast<void*>(data));  // never written where the storage is read-only
  return make_storage(bytes, bytes_for(dtype, shape), read_only, nullptr);
}

}  // namespace

Tensor Tensor::borrow(void* data, DType dtype, const Shape& shape) {
  return on(borrowed(data, false, dtype, shape), dtype, shape);
}

Tensor Tensor::borrow(const void* data, DType dtype, const Shape& shape) {
  return on(borrowed(data, true, dtype, shape), dtype, shape);
}

Tensor Tensor::adopt(std::shared_ptr<void> keeper, void* data, DType dtype, const Shape& shape,
                     std::span<const std::int64_t> strides, bool read_only) {
  const auto refuse = [&](const std::string& what) {
    throw Error(ErrorCode::invalid_argument, "Tensor::adopt: " + what);
  };
  if (!strides.empty() && strides.size() != static_cast<std::size_t>(shape.rank()))
    refuse(std::to_string(strides.size()) + " strides for shape " + shape.to_string());
  if (data == nullptr && shape.numel() != 0) refuse("data is null for shape " + shape.to_string());
  if (reinterpret_cast<std::uintptr_t>(data) % size_of(dtype) != 0)
    refuse(std::string("data is not aligned to an element of ") + dtype_name(dtype) + " (" +
           std::to_string(size_of(dtype)) + " bytes)");
  const auto element = static_cast<std::int64_t>(size_of(dtype));
  std::int64_t bytes = shape.numel() == 0 ? 0 : element;  // up to the end of the last element
  for (std::size_t i = 0; i < strides.size(); ++i) {
    const std::int64_t stride = strides[i], extent = shape[static_cast<int>(i)];
    std::int64_t reach = 0;
    if (stride < 0)
      refuse("stride " + std::to_string(stride) + " of dimension " + std::to_string(i) + " is negative: copy the data");
    if (shape.numel() != 0 &&
        (__builtin_mul_overflow(extent - 1, stride, &reach) || __builtin_mul_overflow(reach, element, &reach) ||
         __builtin_add_overflow(bytes, reach, &bytes)))
      refuse("stride " + std::to_string(stride) + " of dimension " + std::to_string(i) + " leaves the address space");
  }
  const std::size_t size = strides.empty() ? bytes_for(dtype, shape) : static_cast<std::size_t>(bytes);
  Tensor tensor = on(make_storage(static_cast<std::byte*>(data), size, read_only, std::move(keeper)), dtype, shape);
  std::copy(strides.begin(), strides.end(), tensor.strides_.begin());
  return tensor;
}

Tensor Tensor::over(std::shared_ptr<Storage> storage, std::size_t offset_bytes, DType dtype, const Shape& shape) {
  if (storage == nullptr) throw Error(ErrorCode::invalid_argument, "Tensor::over: storage is null");
  const std::size_t bytes = bytes_for(dtype, shape);
  if (offset_bytes > storage->size_bytes() || bytes > storage->size_bytes() - offset_bytes)
    throw Error(ErrorCode::invalid_argument, "Tensor::over: shape " + shape.to_string() + " of " + dtype_name(dtype) +
                                                 " needs " + std::to_string(bytes) + " bytes at offset " +
                                                 std::to_string(offset_bytes) + ", but the storage holds " +
                                                 std::to_string(storage->size_bytes()));
  if (reinterpret_cast<std::uintptr_t>(storage->data() + offset_bytes) % size_of(dtype) != 0) {
    Tensor copy = empty(dtype, shape);
    if (bytes != 0) std::memcpy(copy.storage_->data(), storage->data() + offset_bytes, bytes);
    return copy;
  }
  Tensor tensor = on(std::move(storage), dtype, shape);
  tensor.offset_bytes_ = offset_bytes;
  return tensor;
}

std::int64_t Tensor::dim(int i) const {
  const int index = i < 0 ? i + rank() : i;
  if (index < 0 || index >= rank())
    throw Error(ErrorCode::invalid_argument,
                "dimension " + std::to_string(i) + " of a tensor of shape " + shape_.to_string());
  return shape_[index];
}

std::span<const std::int64_t> Tensor::strides() const noexcept {
  return {strides_.data(), static_cast<std::size_t>(rank())};
}

std::size_t Tensor::size_bytes() const noexcept { return bytes_for(dtype_, shape_); }

bool Tensor::is_contiguous() const noexcept {
  if (numel() <= 1) return true;
  std::int64_t step = 1;
  for (int i = rank() - 1; i >= 0; --i) {
    if (shape_[i] != 1 && strides_[static_cast<std::size_t>(i)] != step) return false;
    step *= shape_[i];
  }
  return true;
}

bool Tensor::is_read_only() const noexcept { return storage_ != nullptr && storage_->read_only(); }
bool Tensor::is_mapped() const noexcept { return storage_ != nullptr && storage_->file_mapping(); }

void Tensor::drop_pages() const noexcept {
  if (!is_mapped() || !is_contiguous()) return;
  drop_file_pages(storage_->data() + offset_bytes_, size_bytes());
}

bool Tensor::is_meta() const noexcept { return storage_ != nullptr && !storage_->has_data(); }

const void* Tensor::raw() const {
  if (!defined()) throw Error(ErrorCode::invalid_argument, "the tensor is undefined: it has no storage");
  if (!storage_->has_data())
    throw Error(ErrorCode::invalid_argument, std::string("the tensor ") + dtype_name(dtype_) + shape_.to_string() +
                                                 " has no data: only its type and shape are known (Tensor::meta)");
  return storage_->data() == nullptr ? nullptr : storage_->data() + offset_bytes_;
}

void* Tensor::mutable_raw() {
  const void* first = raw();
  if (storage_->read_only())
    throw Error(ErrorCode::invalid_argument, "the tensor " + shape_.to_string() + " is read-only: clone() it to write");
  return const_cast<void*>(first);
}

namespace {

void require_dtype(DType wanted, const Tensor& tensor) {
  if (tensor.dtype() != wanted)
    throw Error(ErrorCode::dtype_mismatch, std::string("the tensor ") + tensor.shape().to_string() + " holds " +
                                               dtype_name(tensor.dtype()) + ", " + dtype_name(wanted) +
                                               " was asked for");
}

void require_contiguous(const Tensor& tensor) {
  if (!tensor.is_contiguous())
    throw Error(ErrorCode::invalid_argument,
                "the tensor " + tensor.shape().to_string() + " is a strided view: make it contiguous() first");
}

}  // namespace

template <class T>
const T* Tensor::data() const {
  const void* first = raw();
  require_dtype(dtype_of<T>, *this);
  return static_cast<const T*>(first);
}

template <class T>
T* Tensor::mutable_data() {
  void* first = mutable_raw();
  require_dtype(dtype_of<T>, *this);
  return static_cast<T*>(first);
}

template <class T>
std::span<const T> Tensor::values() const {
  const T* first = data<T>();
  require_contiguous(*this);
  return {first, static_cast<std::size_t>(numel())};
}

template <class T>
std::span<T> Tensor::mutable_values() {
  T* first = mutable_data<T>();
  require_contiguous(*this);
  return {first, static_cast<std::size_t>(numel())};
}

template <class T>
Tensor Tensor::from(std::span<const T> values, const Shape& shape) {
  if (static_cast<std::int64_t>(values.size()) != shape.numel())
    throw Error(ErrorCode::shape_mismatch,
                "Tensor::from: " + std::to_string(values.size()) + " values do not fill the shape " + shape.to_string(),
                ShapeDetail{"Tensor::from", "", "values", 0, "elements", shape.numel(),
                            static_cast<std::int64_t>(values.size())});
  Tensor tensor = empty(dtype_of<T>, shape);
  if (!values.empty()) std::memcpy(tensor.storage_->data(), values.data(), values.size_bytes());
  return tensor;
}

// NOLINTBEGIN(bugprone-macro-parentheses): a type cannot stand in parentheses
#define OCTAVO_TENSOR_OF(T)                              \
  template const T* Tensor::data<T>() const;             \
  template T* Tensor::mutable_data<T>();                 \
  template std::span<const T> Tensor::values<T>() const; \
  template std::span<T> Tensor::mutable_values<T>();     \
  template Tensor Tensor::from<T>(std::span<const T> values, const Shape& shape);
OCTAVO_TENSOR_OF(float)
OCTAVO_TENSOR_OF(BFloat16)
OCTAVO_TENSOR_OF(Float16)
OCTAVO_TENSOR_OF(std::int8_t)
OCTAVO_TENSOR_OF(std::uint8_t)
OCTAVO_TENSOR_OF(std::int32_t)
OCTAVO_TENSOR_OF(std::int64_t)
#undef OCTAVO_TENSOR_OF
// NOLINTEND(bugprone-macro-parentheses)

Tensor Tensor::reshape(const Shape& shape) const {
  if (shape.numel() != numel())
    throw Error(ErrorCode::shape_mismatch,
                "cannot reshape " + shape_.to_string() + " (" + std::to_string(numel()) + " elements) to " +
                    shape.to_string() + " (" + std::to_string(shape.numel()) + ")",
                ShapeDetail{"reshape", "", "shape", -1, "elements", numel(), shape.numel()});
  require_contiguous(*this);
  Tensor view = *this;
  view.shape_ = shape;
  view.strides_ = row_major(shape);
  return view;
}

Tensor Tensor::slice(int dim, std::int64_t begin, std::int64_t end) const {
  const std::int64_t extent = this->dim(dim);
  const int d = dim < 0 ? dim + rank() : dim;
  if (begin < 0 || begin > end || end > extent)
    throw Error(ErrorCode::invalid_argument, "slice [" + std::to_string(begin) + ", " + std::to_string(end) +
                                                 ") of dimension " + std::to_string(d) + " of " + shape_.to_string());
  Tensor view = *this;
  std::array<std::int64_t, Shape::kMaxRank> dims{};
  for (int i = 0; i < rank(); ++i) dims[static_cast<std::size_t>(i)] = i == d ? end - begin : shape_[i];
  view.shape_ = Shape(std::span<const std::int64_t>(dims.data(), static_cast<std::size_t>(rank())));
  if (view.numel() != 0)  // an empty view stays at the start, inside the storage
    view.offset_bytes_ += static_cast<std::size_t>(begin * strides_[static_cast<std::size_t>(d)]) * size_of(dtype_);
  return view;
}

Tensor Tensor::select(int dim, std::int64_t index) const {
  const std::int64_t extent = this->dim(dim);
  const int d = dim < 0 ? dim + rank() : dim;
  if (index < 0 || index >= extent)
    throw Error(ErrorCode::invalid_argument,
                "index " + std::to_string(index) + " of dimension " + std::to_string(d) + " of " + shape_.to_string());
  const Tensor sliced = slice(d, index, index + 1);
  Tensor view = sliced;
  std::array<std::int64_t, Shape::kMaxRank> dims{};
  view.strides_ = {};
  std::size_t count = 0;
  for (int i = 0; i < rank(); ++i) {
    if (i == d) continue;
    dims[count] = shape_[i];
    view.strides_[count++] = strides_[static_cast<std::size_t>(i)];
  }
  view.shape_ = Shape(std::span<const std::int64_t>(dims.data(), count));
  return view;
}

Tensor Tensor::permute(std::initializer_list<int> order) const {
  std::array<bool, Shape::kMaxRank> seen{};
  bool valid = order.size() == static_cast<std::size_t>(rank());
  for (const int d : order) {
    if (!valid || d < 0 || d >= rank() || seen[static_cast<std::size_t>(d)]) {
      valid = false;
      break;
    }
    seen[static_cast<std::size_t>(d)] = true;
  }
  if (!valid)
    throw Error(ErrorCode::invalid_argument,
                "permute: the order must name each dimension of " + shape_.to_string() + " once");
  Tensor view = *this;
  std::array<std::int64_t, Shape::kMaxRank> dims{};
  view.strides_ = {};
  std::size_t count = 0;
  for (const int d : order) {
    dims[count] = shape_[d];
    view.strides_[count++] = strides_[static_cast<std::size_t>(d)];
  }
  view.shape_ = Shape(std::span<const std::int64_t>(dims.data(), count));
  return view;
}

Tensor Tensor::clone() const {
  if (is_meta()) return meta(dtype_, shape_);
  const void* from = raw();
  Tensor copy = empty(dtype_, shape_);
  if (numel() == 0) return copy;
  with_type(dtype_, [&](auto element) {
    using T = decltype(element);
    const T* elements = static_cast<const T*>(from);
    T* to = copy.mutable_data<T>();
    constexpr std::int64_t kPiece = 65536;
    Runs(*this).for_pieces(kPiece, [&](std::int64_t index, std::int64_t offset, std::int64_t count) {
      std::copy_n(elements + offset, count, to + index);
    });
  });
  return copy;
}

Tensor Tensor::contiguous() const { return is_contiguous() ? *this : clone(); }

Tensor Tensor::to(DType dtype) const {
  if (!is_meta()) raw();  // refuses what is undefined
  if (dtype == dtype_) return *this;
  if (is_float(dtype_) && !is_float(dtype))
    throw Error(ErrorCode::unsupported, std::string("a tensor of ") + dtype_name(dtype_) + " is not converted to " +
                                            dtype_name(dtype) + ": that is quantization, and needs a scale");
  if (!is_float(dtype_) && !is_float(dtype) && size_of(dtype) < size_of(dtype_))
    throw Error(ErrorCode::unsupported,
                std::string("a tensor of ") + dtype_name(dtype_) + " may not fit in " + dtype_name(dtype));
  if (is_meta()) return meta(dtype, shape_);
  const Tensor source = contiguous();
  Tensor result = empty(dtype, shape_);
  with_type(dtype_, [&](auto from_element) {
    with_type(dtype, [&](auto to_element) {
      using From = decltype(from_element);
      using To = decltype(to_element);
      constexpr bool to_integer = std::is_integral_v<To>;
      if constexpr (!to_integer || std::is_integral_v<From>)
        convert(source.data<From>(), result.mutable_data<To>(), numel());
    });
  });
  return result;
}

}  // namespace octavo
