// What every part of the reader says and asks in the same way.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "octavo/json.hpp"

namespace octavo::samples {

/// Values from files are quoted up to here.
inline constexpr std::size_t kMostQuoted = 200;

[[noreturn]] void refuse(const std::string& where, const std::string& what);  ///< Error, format
std::string cut(std::string_view text);    ///< at most kMostQuoted bytes of whole characters, control characters as ?
std::string lower(std::string_view text);  ///< ASCII

/// A string without a NUL character.
std::string text_of(const Json& value);
/// A member that is there and not null.
std::optional<Json> given(const Json& object, std::string_view key);
/// Refuses keys that are not among `known`, with what may have been meant, and does not look at those of `settled`,
/// which the caller has dealt with.
void require_keys(const Json& object, std::initializer_list<std::string_view> known,
                  std::initializer_list<std::string_view> settled = {});

}  // namespace octavo::samples
