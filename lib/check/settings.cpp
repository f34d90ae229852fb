#include <span>

#include "octavo/check.hpp"
#include "octavo/checkpoint.hpp"
#include "octavo/config.hpp"
#include "octavo/image.hpp"

namespace octavo {

std::vector<SettingsTable> settings_tables() {
  std::vector<SettingsTable> all;
  const auto add = [&](std::span<const SettingsTable> tables) { all.insert(all.end(), tables.begin(), tables.end()); };
  add(config_settings());
  add(quantization_settings());
  add(image_settings());
  return all;
}

}  // namespace octavo
