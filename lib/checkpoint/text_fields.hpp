/// Where config.json states what: the text model's keys at the top (flat layout, transformers 4.49 to 4.51) or in
/// text_config (4.52 and later, which leave older values at the top behind).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "octavo/json.hpp"

namespace octavo::checkpoint_detail {

/// A member that is there and not null.
std::optional<Json> present(const Json& object, std::string_view key);
/// Equal values; 1 equals 1.0.
bool same_value(const Json& a, const Json& b);
/// One value that may be stated in two places, which must then agree. @throws Error  format
std::optional<Json> agreed(const std::optional<Json>& first, const std::optional<Json>& second);

/// The text model's keys. Where text_config is an object, it alone counts, as for transformers since 4.52: a key that
/// it leaves out has the class default, whatever the top level says.
class TextFields {
 public:
  /// @throws Error  format when text_config is neither an object nor null.
  explicit TextFields(const Json& config);
  std::optional<Json> find(std::string_view key) const { return present(home(), key); }
  /// As find, but the top level as well: for keys that may be on either.
  std::optional<Json> find_anywhere(std::string_view key) const;
  const Json& home() const { return nested_ ? *nested_ : top_; }
  const std::optional<Json>& nested() const { return nested_; }
  const Json& top() const { return top_; }

 private:
  Json top_;
  std::optional<Json> nested_;
};

}  // namespace octavo::checkpoint_detail
