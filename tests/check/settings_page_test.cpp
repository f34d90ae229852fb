// docs/settings.md is the tables of the code, in words. OCTAVO_WRITE_SETTINGS=1 test_check "*settings.md*" writes it
// anew.
#include <cstdlib>

#include "catch.hpp"
#include "octavo/check.hpp"
#include "saved_model.hpp"

using namespace octavo;

namespace {

std::string page() {
  std::string text =
      "# Settings in a model's files\n\n"
      "What Octavo does with each key that transformers 4.49 to 5.17 may write. *Honoured*: read and acted upon. *Must "
      "equal*: another\nvalue changes results in a way that Octavo lacks; the file is refused, by name. *Named*: "
      "another "
      "value is not acted upon, and\n`octavo check` says so. *Does not matter*: it changes nothing that Octavo "
      "computes. "
      "`octavo check` also lists keys that are in no\ntable. A key that is left out has the default of transformers' "
      "class "
      "(lib/checkpoint/class_defaults.hpp, include/octavo/image.hpp).\n\n"
      "Written by `OCTAVO_WRITE_SETTINGS=1 build/release/tests/test_check \"*settings.md*\"`; a test compares it with "
      "the "
      "code and another\nsets each key to an unusual value (tests/check/settings_test.cpp).\n";
  for (const SettingsTable& table : settings_tables())
    text += "\n## " + std::string(table.file) + "\n\n" + settings_markdown(table);
  return text;
}

}  // namespace

TEST_CASE("docs/settings.md says what the tables say") {
  const std::string path = std::string(OCTAVO_SOURCE_DIR) + "/docs/settings.md";
  if (std::getenv("OCTAVO_WRITE_SETTINGS") != nullptr) test::write_text(path, page());
  CHECK(test::read_file(path) == page());
}
