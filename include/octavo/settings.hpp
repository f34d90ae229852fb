/// @file
/// What Octavo does with each key of a model's JSON files, as tables: one per kind of file, kept by the module that
/// reads the file. A key that changes results is honoured, or its value must be one that Octavo computes, or it is
/// named; none is passed over in silence.
///
///     require_settings(json, preprocessor_settings());              // a reader: throws for what it cannot honour
///     for (const SettingFinding& finding : examine_settings(json, preprocessor_settings())) ...  // check: every one
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "octavo/json.hpp"

namespace octavo {

enum class SettingEffect : std::uint8_t {
  honoured,   ///< read and acted upon
  required,   ///< must be one of `accepted`; another value changes results in a way that Octavo lacks, and is refused
  named,      ///< a value outside `accepted` is not acted upon, and said
  no_matter,  ///< changes nothing that Octavo computes
};
/// "honoured", "must equal", "named", "does not matter"
std::string_view setting_effect_name(SettingEffect effect) noexcept;

/// One row of a table. All texts are literals.
struct Setting {
  std::string_view key;  ///< path in the file, with dots between levels: "size.shortest_edge"
  SettingEffect effect = SettingEffect::no_matter;
  /// JSON array of the values that change nothing, null among them where the file may hold it: "[true, null]". Of
  /// `required` and `named`; empty otherwise.
  std::string_view accepted;
  /// JSON: a value out of the ordinary, which the test that walks the table sets.
  std::string_view unusual;
  std::string_view sentence;  ///< what the key does, and what Octavo does with it
};

/// The rows of one kind of file, or of one object in it.
struct SettingsTable {
  std::string_view file;  ///< "preprocessor_config.json", "config.json: vision_config"
  std::span<const Setting> settings;
  const Setting* find(std::string_view key) const noexcept;  ///< null when no row has the key
};

/// A member of a file that a reader cannot simply take.
struct SettingFinding {
  enum class Kind : std::uint8_t { refused, named, unknown } kind = Kind::unknown;
  std::string where;   ///< file and key: "DIR/preprocessor_config.json: resample"
  std::string what;    ///< the whole line: where, the value (cut at 200 characters), and what it means
  std::string remedy;  ///< what to do
};

/// Every member of `object` held against the table, in the order of the file. A member that is an object and has no row
/// of its own is walked where rows lie below it ("size.height" below "size"). `unknown` are members that no row names.
/// Anything but an object has no members.
std::vector<SettingFinding> examine_settings(const Json& object, const SettingsTable& table);
/// @throws Error  unsupported with `what` of the first refused member.
void require_settings(const Json& object, const SettingsTable& table);
/// The table as Markdown: key, effect, accepted values, sentence. docs/settings.md is made of it.
std::string settings_markdown(const SettingsTable& table);

}  // namespace octavo
