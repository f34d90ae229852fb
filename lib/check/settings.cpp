#include <span>

#include "octavo/check.hpp"
#include "octavo/checkpoint.hpp"
#include "octavo/config.hpp"
#include "octavo/generation_config.hpp"
#include "octavo/image.hpp"
#include "octavo/text.hpp"

namespace octavo {

std::vector<SettingsTable> settings_tables() {
  std::vector<SettingsTable> all;
  const auto add = [&](std::span<const SettingsTable> tables) { all.insert(all.end(), tables.begin(), tables.end()); };
  add(config_settings());
  add(quantization_settings());
  add(image_settings());
  all.push_back(generation_settings());
  all.push_back(tokenizer_settings());
  return all;
}

}  // namespace octavo
