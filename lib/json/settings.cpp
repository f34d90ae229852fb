#include "octavo/settings.hpp"

#include <algorithm>
#include <string>

#include "octavo/message.hpp"

namespace octavo {
namespace {

bool same(const Json& a, const Json& b) {
  if (a.is_number() && b.is_number()) return a.as_number() == b.as_number();
  return a.dump() == b.dump();
}

bool accepts(const Setting& setting, const Json& value) {
  const Json list = Json::parse(setting.accepted, "accepted");
  for (std::size_t i = 0; i < list.size(); ++i)
    if (same(list.at(i), value)) return true;
  return false;
}

/// "true", or "one of 1, 2": null, which stands for a key that is left out, is not told.
std::string accepted_values(const Setting& setting) {
  const Json list = Json::parse(setting.accepted, "accepted");
  std::string text;
  std::size_t count = 0;
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (list.at(i).is_null()) continue;
    text += (count++ == 0 ? "" : ", ") + list.at(i).dump();
  }
  if (count == 0) return "null";
  return count == 1 ? text : "one of " + text;
}

bool has_rows_below(const SettingsTable& table, const std::string& key) {
  const std::string prefix = key + ".";
  return std::any_of(table.settings.begin(), table.settings.end(),
                     [&](const Setting& setting) { return setting.key.starts_with(prefix); });
}

void examine(const Json& object, const std::string& prefix, const SettingsTable& table,
             std::vector<SettingFinding>& findings) {
  object.for_each_member([&](std::string_view name, const Json& value) {
    const std::string key = prefix + std::string(name);
    const std::string where = value.where();
    const Setting* setting = table.find(key);
    if (setting == nullptr) {
      if (has_rows_below(table, key) && value.is_object()) return examine(value, key + ".", table, findings);
      if (has_rows_below(table, key) && value.is_null()) return;
      findings.push_back({SettingFinding::Kind::unknown, where, where + " is no key that Octavo knows",
                          "correct its name, or drop it if nothing else reads it"});
      return;
    }
    const bool limited = setting->effect == SettingEffect::required || setting->effect == SettingEffect::named;
    if (!limited || accepts(*setting, value)) return;
    const bool refused = setting->effect == SettingEffect::required;
    findings.push_back({refused ? SettingFinding::Kind::refused : SettingFinding::Kind::named, where,
                        where + " is " + shortened(value.dump()) +
                            (refused ? ", Octavo has " : ", which is not acted upon; ") +
                            (refused ? accepted_values(*setting) + ": " : "") + std::string(setting->sentence),
                        refused ? "take " + accepted_values(*setting) + " if the model was trained with it"
                                : "expect what the key does to be missing"});
  });
}

std::string cell(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '|') escaped += '\\';
    escaped += c;
  }
  return escaped;
}

}  // namespace

std::string_view setting_effect_name(SettingEffect effect) noexcept {
  switch (effect) {
    case SettingEffect::honoured:
      return "honoured";
    case SettingEffect::required:
      return "must equal";
    case SettingEffect::named:
      return "named";
    case SettingEffect::no_matter:
      break;
  }
  return "does not matter";
}

const Setting* SettingsTable::find(std::string_view key) const noexcept {
  const auto found =
      std::find_if(settings.begin(), settings.end(), [&](const Setting& setting) { return setting.key == key; });
  return found == settings.end() ? nullptr : &*found;
}

std::vector<SettingFinding> examine_settings(const Json& object, const SettingsTable& table) {
  std::vector<SettingFinding> findings;
  if (object.is_object()) examine(object, "", table, findings);
  return findings;
}

void require_settings(const Json& object, const SettingsTable& table) {
  for (const SettingFinding& finding : examine_settings(object, table))
    if (finding.kind == SettingFinding::Kind::refused) throw Error(ErrorCode::unsupported, finding.what);
}

std::string settings_markdown(const SettingsTable& table) {
  std::string text = "| key | Octavo | values | |\n|---|---|---|---|\n";
  for (const Setting& setting : table.settings) {
    text += "| `" + cell(setting.key) + "` | " + std::string(setting_effect_name(setting.effect)) + " | ";
    if (!setting.accepted.empty()) text += "`" + cell(setting.accepted) + "`";
    text += " | " + cell(setting.sentence) + " |\n";
  }
  return text;
}

}  // namespace octavo
