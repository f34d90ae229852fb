/// @file
/// Tensors: an element type, a shape, strides, and storage that is owned, borrowed, memory-mapped or without data.
///
/// A Tensor is a handle: copying it shares the storage, `clone()` copies the bytes. Dimensions are
/// outermost first, row-major. Distinct tensors may be used from distinct threads; one tensor may be
/// read from many threads at once.
///
/// A tensor without data (`Tensor::meta`, as on torch's meta device) has a dtype and a shape alone. Operations check
/// their contract with it and compute nothing, so that a forward pass over such tensors shows every shape and every
/// allocation of a real one, for the price of the checks. ledger.hpp counts the bytes that they would take.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "octavo/error.hpp"

namespace octavo {

enum class DType : std::uint8_t { f32, f16, bf16, s8, u8, s32, i64 };

/// Size of one element in bytes.
constexpr std::size_t size_of(DType dtype) noexcept {
  switch (dtype) {
    case DType::f32:
    case DType::s32:
      return 4;
    case DType::f16:
    case DType::bf16:
      return 2;
    case DType::s8:
    case DType::u8:
      return 1;
    case DType::i64:
      return 8;
  }
  return 0;
}
/// "f32", "bf16", ...
const char* dtype_name(DType dtype) noexcept;

/// 16-bit floats as bits; conversions round to nearest, ties to even, and keep NaN a NaN.
struct BFloat16 {
  std::uint16_t bits = 0;
};
struct Float16 {
  std::uint16_t bits = 0;
};
float to_float(BFloat16 value) noexcept;
float to_float(Float16 value) noexcept;
BFloat16 to_bfloat16(float value) noexcept;
Float16 to_float16(float value) noexcept;

/// Maps a C++ type to its DType: dtype_of<float> == DType::f32.
template <class T>
inline constexpr bool kIsElement = false;
template <class T>
inline constexpr DType dtype_of = DType::f32;
template <>
inline constexpr bool kIsElement<float> = true;
template <>
inline constexpr bool kIsElement<BFloat16> = true;
template <>
inline constexpr bool kIsElement<Float16> = true;
template <>
inline constexpr bool kIsElement<std::int8_t> = true;
template <>
inline constexpr bool kIsElement<std::uint8_t> = true;
template <>
inline constexpr bool kIsElement<std::int32_t> = true;
template <>
inline constexpr bool kIsElement<std::int64_t> = true;
template <>
inline constexpr DType dtype_of<BFloat16> = DType::bf16;
template <>
inline constexpr DType dtype_of<Float16> = DType::f16;
template <>
inline constexpr DType dtype_of<std::int8_t> = DType::s8;
template <>
inline constexpr DType dtype_of<std::uint8_t> = DType::u8;
template <>
inline constexpr DType dtype_of<std::int32_t> = DType::s32;
template <>
inline constexpr DType dtype_of<std::int64_t> = DType::i64;

/// Up to eight non-negative extents whose product fits in int64; refused otherwise.
class Shape {
 public:
  static constexpr int kMaxRank = 8;
  Shape() = default;  ///< rank 0: a scalar
  Shape(std::initializer_list<std::int64_t> dims);
  explicit Shape(std::span<const std::int64_t> dims);

  int rank() const noexcept { return rank_; }
  std::int64_t operator[](int i) const noexcept { return dims_[static_cast<std::size_t>(i)]; }
  std::span<const std::int64_t> dims() const noexcept { return {dims_.data(), static_cast<std::size_t>(rank_)}; }
  std::int64_t numel() const noexcept;
  /// "[1, 16, 228, 128]"
  std::string to_string() const;
  /// The indices of the element that is `flat`-th in row-major order: "[3, 17]". `flat` lies in 0 .. numel - 1.
  std::string indices(std::int64_t flat) const;
  friend bool operator==(const Shape& a, const Shape& b) noexcept;

 private:
  std::array<std::int64_t, kMaxRank> dims_{};
  int rank_ = 0;
};

/// Bytes that tensors share. Owned memory is 64-byte aligned. A mapped file stays mapped until the
/// last tensor over it goes.
class Storage;

class Tensor {
 public:
  Tensor() = default;  ///< undefined: `defined()` is false

  static Tensor empty(DType dtype, const Shape& shape);  ///< owned, uninitialised
  static Tensor zeros(DType dtype, const Shape& shape);
  /// Over the caller's memory, row-major, which must outlive every handle and view.
  static Tensor borrow(void* data, DType dtype, const Shape& shape);
  static Tensor borrow(const void* data, DType dtype, const Shape& shape);  ///< read-only
  /// Over memory that `keeper` keeps alive and that nobody moves meanwhile. `strides` are in elements, one per
  /// dimension, not negative, 0 where all indices mean the same element; row-major where they are empty.
  /// @throws Error  invalid_argument: null data, data that are not aligned to an element, strides that do not fit.
  static Tensor adopt(std::shared_ptr<void> keeper, void* data, DType dtype, const Shape& shape,
                      std::span<const std::int64_t> strides = {}, bool read_only = false);
  /// Over shared storage, from `offset_bytes`; the range is checked.
  static Tensor over(std::shared_ptr<Storage> storage, std::size_t offset_bytes, DType dtype, const Shape& shape);
  template <class T>
  static Tensor from(std::span<const T> values, const Shape& shape);  ///< owned copy
  /// Without data. Views, clone(), contiguous() and to() of it are without data, too; reading and writing throw
  /// invalid_argument.
  static Tensor meta(DType dtype, const Shape& shape);
  /// `empty`, or without data where `x` is: for what is computed from x.
  static Tensor empty_like(const Tensor& x, DType dtype, const Shape& shape);

  bool defined() const noexcept { return storage_ != nullptr; }
  DType dtype() const noexcept { return dtype_; }
  const Shape& shape() const noexcept { return shape_; }
  int rank() const noexcept { return shape_.rank(); }
  std::int64_t dim(int i) const;                           ///< negative counts from the end
  std::span<const std::int64_t> strides() const noexcept;  ///< in elements
  std::int64_t numel() const noexcept { return shape_.numel(); }
  std::size_t size_bytes() const noexcept;  ///< numel * element size
  bool is_contiguous() const noexcept;
  bool is_read_only() const noexcept;
  bool is_meta() const noexcept;    ///< defined, but without data
  bool is_mapped() const noexcept;  ///< over a file that is mapped
  /// Gives back the memory of the pages that lie wholly in a contiguous mapped tensor; they are read from the file
  /// again when they are touched again. Of other tensors nothing happens. May be called while others read.
  void drop_pages() const noexcept;

  /// First element. All need data; the typed forms the dtype to match; the mutable forms writable storage;
  /// the span forms contiguity. Each throws otherwise. Mapped weights may be unaligned in the file:
  /// `over` then copies the range, so that typed pointers are always aligned.
  const void* raw() const;
  void* mutable_raw();
  template <class T>
  const T* data() const;
  template <class T>
  T* mutable_data();
  template <class T>
  std::span<const T> values() const;
  template <class T>
  std::span<T> mutable_values();

  // Views: share the storage, never copy.
  Tensor reshape(const Shape& shape) const;  ///< contiguous tensors only
  Tensor slice(int dim, std::int64_t begin, std::int64_t end) const;
  Tensor select(int dim, std::int64_t index) const;  ///< drops the dimension
  Tensor permute(std::initializer_list<int> order) const;

  // Copies.
  Tensor clone() const;
  Tensor contiguous() const;     ///< itself when already contiguous
  Tensor to(DType dtype) const;  ///< itself when already of that dtype; floats to integers are refused

 private:
  friend class Ledger;
  static Tensor on(std::shared_ptr<Storage> storage, DType dtype, const Shape& shape);

  std::shared_ptr<Storage> storage_;
  std::size_t offset_bytes_ = 0;
  DType dtype_ = DType::f32;
  Shape shape_;
  std::array<std::int64_t, Shape::kMaxRank> strides_{};
};

/// Where the first NaN or infinity of a float tensor stands, counted row by row; none where all values are finite, and
/// of integers and tensors without data. Reads every value once.
std::optional<std::int64_t> first_not_finite(const Tensor& x);

/// Maps a whole file read-only. Throws io / not_found with the path. `size_bytes` out: file size.
std::shared_ptr<Storage> map_file(const std::string& path);
/// The same of an open descriptor of a regular file or a memfd, which may be closed then; `name` stands in messages.
std::shared_ptr<Storage> map_descriptor(int descriptor, const std::string& name);
/// Over the caller's bytes, which must outlive every tensor over them; read-only.
std::shared_ptr<Storage> borrow_bytes(std::span<const std::byte> bytes);
std::span<const std::byte> bytes_of(const Storage& storage) noexcept;

}  // namespace octavo
