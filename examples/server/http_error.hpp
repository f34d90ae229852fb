// What a client is told when its request cannot be served: a status, and the fields of OpenAI's error object.
#pragma once

#include <octavo/json.hpp>
#include <stdexcept>
#include <string>

namespace server {

struct HttpError : std::runtime_error {
  HttpError(int http_status, const std::string& message, std::string at = {}, std::string error_code = {})
      : std::runtime_error(message), status(http_status), param(std::move(at)), code(std::move(error_code)) {}

  int status = 500;
  std::string param;  ///< the key of the request that is at fault; empty for none
  std::string code;   ///< a word for programs: "context_length_exceeded"; empty for none
};

inline constexpr const char* kBody = "request";  ///< what a request's JSON is called by Octavo's own errors

/// "messages[0].content": where a value stands in the request.
inline std::string path_of(const octavo::Json& value) {
  const std::string where = value.where(), origin = std::string(kBody) + ": ";
  return where.starts_with(origin) ? where.substr(origin.size()) : where;
}

/// 400, for a value that cannot be honoured.
inline HttpError refused(const octavo::Json& value, const std::string& why) {
  return HttpError(400, path_of(value) + ": " + why, path_of(value));
}

/// OpenAI's name for the kind of an error with this status.
constexpr const char* error_type(int status) noexcept {
  if (status == 401) return "authentication_error";
  if (status == 429) return "rate_limit_error";
  return status >= 500 ? "server_error" : "invalid_request_error";
}

}  // namespace server
