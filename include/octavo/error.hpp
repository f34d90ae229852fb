/// @file
/// How Octavo reports failure: one exception type that carries a code, one clear line,
/// and, when a shape contract was broken, the structured fields behind that line.
#pragma once

#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace octavo {

/// Values are pinned: the C ABI exposes the same numbers as octavo_status.
enum class ErrorCode : std::int32_t {
  invalid_argument = 1,  ///< a value the caller chose is out of its domain
  shape_mismatch = 2,    ///< a contract was broken; Error::shape() has the fields
  dtype_mismatch = 3,    ///< the shape fits, the element type does not
  not_found = 4,         ///< a file, tensor or key that must exist does not
  io = 5,                ///< the operating system refused to read or write
  format = 6,            ///< bytes that are not what their name promises
  unsupported = 7,       ///< well-formed, but outside what this build can do
  out_of_memory = 8,
  cancelled = 9,    ///< the caller's cancel flag or callback stopped the job
  exists = 10,      ///< an output that would be overwritten
  not_finite = 11,  ///< NaN or infinity among weights, activations or logits
  internal = 99,    ///< a bug in Octavo
};

/// "shape_mismatch", "io", ... ; never null.
const char* error_code_name(ErrorCode code) noexcept;

/// The fields behind a broken contract.
struct ShapeDetail {
  std::string op;        ///< operation, e.g. "attention"
  std::string module;    ///< module path in the model, may be empty
  std::string argument;  ///< e.g. "mask"
  int dim = -1;          ///< dimension index, outermost first; -1 when rank or dtype is at fault
  std::string dim_name;  ///< letter and meaning, e.g. "Lk (kv_len)"
  std::int64_t expected = 0;
  std::int64_t actual = 0;
};

/// A code that is no shape_mismatch, which the compiler sees to: a broken contract is never told without its fields.
class PlainCode {
 public:
  consteval PlainCode(ErrorCode code) : code_(code) {
    if (code == ErrorCode::shape_mismatch) throw "a shape_mismatch needs its ShapeDetail";
  }
  constexpr operator ErrorCode() const noexcept { return code_; }

 private:
  ErrorCode code_;
};

/// Every failure of the C++ API. Cheap to copy, so that it may travel between threads.
class Error : public std::exception {
 public:
  Error(PlainCode code, std::string message);
  /// shape_mismatch, or the dtype_mismatch of a contract. Every field but `module` and `dim_name` is to be filled in.
  Error(ErrorCode code, std::string message, ShapeDetail shape);
  /// Of a code that is known at run time only. @throws Error  invalid_argument for shape_mismatch
  static Error of(ErrorCode code, std::string message);

  ErrorCode code() const noexcept;
  /// The message preceded by its context frames, outermost first: "while quantizing block 17: ...".
  const char* what() const noexcept override;
  /// Null unless a shape contract was broken.
  const ShapeDetail* shape() const noexcept;
  /// Returns a copy with one more frame in front.
  Error with_context(std::string_view frame) const;

 private:
  struct Body;
  explicit Error(std::shared_ptr<const Body> body);
  std::shared_ptr<const Body> body_;
};

/// Runs `job`; an Error that escapes gains `frame` in front of its message.
template <class Job>
decltype(auto) in_context(std::string_view frame, Job&& job) {
  try {
    return std::forward<Job>(job)();
  } catch (const Error& error) {
    throw error.with_context(frame);
  }
}

}  // namespace octavo
