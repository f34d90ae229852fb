#include "text_fields.hpp"

#include "octavo/error.hpp"

namespace octavo::checkpoint_detail {

std::optional<Json> present(const Json& object, std::string_view key) {
  std::optional<Json> value = object.find(key);
  return value && !value->is_null() ? value : std::nullopt;
}

bool same_value(const Json& a, const Json& b) {
  if (a.is_number() && b.is_number()) return a.as_number() == b.as_number();
  return a.dump() == b.dump();
}

std::optional<Json> agreed(const std::optional<Json>& first, const std::optional<Json>& second) {
  if (first && second && !same_value(*first, *second)) {
    throw Error(ErrorCode::format, first->where() + " is " + first->dump() + ", but " + second->where() + " is " +
                                       second->dump() + ": the file contradicts itself");
  }
  return first ? first : second;
}

TextFields::TextFields(const Json& config) : top_(config), nested_(present(config, "text_config")) {
  if (nested_ && !nested_->is_object()) throw Error(ErrorCode::format, nested_->where() + " must be an object");
}

std::optional<Json> TextFields::find_anywhere(std::string_view key) const {
  std::optional<Json> value = find(key);
  return value ? value : present(top_, key);
}

}  // namespace octavo::checkpoint_detail
