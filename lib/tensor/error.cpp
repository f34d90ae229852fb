#include "octavo/error.hpp"

namespace octavo {

struct Error::Body {
  ErrorCode code = ErrorCode::internal;
  std::string text;
  std::optional<ShapeDetail> shape;
};

Error::Error(PlainCode code, std::string message)
    : body_(std::make_shared<const Body>(Body{code, std::move(message), std::nullopt})) {}

Error::Error(ErrorCode code, std::string message, ShapeDetail shape)
    : body_(std::make_shared<const Body>(Body{code, std::move(message), std::move(shape)})) {}

Error::Error(std::shared_ptr<const Body> body) : body_(std::move(body)) {}

Error Error::of(ErrorCode code, std::string message) {
  if (code == ErrorCode::shape_mismatch)
    throw Error(ErrorCode::invalid_argument, "Error::of: a shape_mismatch needs its fields: " + message);
  return Error(std::make_shared<const Body>(Body{code, std::move(message), std::nullopt}));
}

ErrorCode Error::code() const noexcept { return body_->code; }

const char* Error::what() const noexcept { return body_->text.c_str(); }

const ShapeDetail* Error::shape() const noexcept { return body_->shape ? &*body_->shape : nullptr; }

Error Error::with_context(std::string_view frame) const {
  return Error(std::make_shared<const Body>(Body{body_->code, std::string(frame) + ": " + body_->text, body_->shape}));
}

const char* error_code_name(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::invalid_argument:
      return "invalid_argument";
    case ErrorCode::shape_mismatch:
      return "shape_mismatch";
    case ErrorCode::dtype_mismatch:
      return "dtype_mismatch";
    case ErrorCode::not_found:
      return "not_found";
    case ErrorCode::io:
      return "io";
    case ErrorCode::format:
      return "format";
    case ErrorCode::unsupported:
      return "unsupported";
    case ErrorCode::out_of_memory:
      return "out_of_memory";
    case ErrorCode::cancelled:
      return "cancelled";
    case ErrorCode::exists:
      return "exists";
    case ErrorCode::not_finite:
      return "not_finite";
    case ErrorCode::internal:
      return "internal";
  }
  return "unknown";
}

}  // namespace octavo
