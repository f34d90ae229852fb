#include "pointer.hpp"

#include <charconv>
#include <cstddef>
#include <optional>
#include <string_view>

#include "octavo/error.hpp"

namespace octavo::output_form {
namespace {

/// One step, without its "/": percent-encoding first, since it stands in a URI; then "~1" and "~0".
std::optional<std::string> decoded(std::string_view step) {
  std::string name;
  for (std::size_t i = 0; i < step.size(); ++i) {
    if (step[i] != '%') {
      name += step[i];
      continue;
    }
    unsigned value = 0;
    const char* first = step.data() + i + 1;
    if (i + 2 >= step.size() || std::from_chars(first, first + 2, value, 16).ptr != first + 2) return std::nullopt;
    name += static_cast<char>(static_cast<unsigned char>(value));
    i += 2;
  }
  std::string plain;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const bool escaped = name[i] == '~' && i + 1 < name.size() && (name[i + 1] == '0' || name[i + 1] == '1');
    plain += escaped ? (name[++i] == '1' ? '/' : '~') : name[i];
  }
  return plain;
}

std::optional<Json> step_into(const Json& at, const std::string& name) {
  if (!at.is_array()) return at.find(name);
  std::size_t index = 0;
  const auto read = std::from_chars(name.data(), name.data() + name.size(), index);
  if (read.ec != std::errc() || read.ptr != name.data() + name.size() || index >= at.size()) return std::nullopt;
  return at.at(index);
}

}  // namespace

Json at_pointer(const Json& document, const std::string& pointer) {
  Json at = document;
  for (std::size_t begin = 0; begin < pointer.size();) {
    const std::size_t end = std::min(pointer.find('/', begin + 1), pointer.size());
    const std::optional<std::string> name = decoded(std::string_view(pointer).substr(begin + 1, end - begin - 1));
    const std::optional<Json> next = name ? step_into(at, *name) : std::nullopt;
    if (!next)
      throw Error(ErrorCode::not_found, "output form: $ref \"#" + pointer + "\" leads to nothing in the schema");
    at = *next;
    begin = end;
  }
  return at;
}

}  // namespace octavo::output_form
