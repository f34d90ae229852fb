#if defined(__GNUC__) && !defined(__clang__)
// GCC 12 sees an uninitialised std::function inside <regex> as soon as a sanitizer is on (GCC bug 105562).
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

// Links between the pages: to files that exist and headings that they have, in the form that Doxygen resolves, too.
#include <cctype>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "catch.hpp"

namespace fs = std::filesystem;

namespace {

const fs::path kRoot = OCTAVO_SOURCE_DIR;

std::vector<fs::path> pages() {
  std::vector<fs::path> found{"examples/README.md", "examples/models/octavo-tiny-vl/README.md", "capi/go/README.md",
                              "capi/python/README.md", "capi/rust/README.md"};
  for (const char* folder : {"", "docs"})
    for (const fs::directory_entry& entry : fs::directory_iterator(kRoot / folder))
      if (entry.path().extension() == ".md") found.push_back(fs::path(folder) / entry.path().filename());
  return found;
}

/// Without programs and the names in the text, where brackets and parentheses are those of a lambda.
std::string text_of(const fs::path& page) {
  static const std::regex program(R"(```[^`]*```)");
  static const std::regex name(R"(`[^`\n]*`)");
  std::ostringstream text;
  text << std::ifstream(kRoot / page).rdbuf();
  return std::regex_replace(std::regex_replace(text.str(), program, ""), name, "``");
}

/// As GitHub makes it of a heading: small letters, digits, `-` and `_`, with `-` for a space.
std::string anchor_of(const std::string& heading) {
  std::string anchor;
  for (const char c : heading) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == ' ') anchor += '-';
    if (std::isalnum(byte) != 0 || c == '-' || c == '_') anchor += static_cast<char>(std::tolower(byte));
  }
  return anchor;
}

std::set<std::string> anchors_of(const fs::path& page) {
  std::set<std::string> found;
  std::ifstream file(kRoot / page);
  bool program = false;
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("```", 0) == 0) program = !program;
    const std::size_t level = line.find_first_not_of('#');
    if (!program && level != std::string::npos && level > 0 && line[level] == ' ')
      found.insert(anchor_of(line.substr(level + 1)));
  }
  return found;
}

/// What is wrong with a link of a page; empty: nothing.
std::string fault_of(const fs::path& page, const std::string& target) {
  if (target.find("://") != std::string::npos) return "";
  const std::size_t mark = target.find('#');
  const std::string file = target.substr(0, mark);
  if (file.empty()) return "Doxygen 1.9.4 does not resolve it: name the page, too";
  const fs::path linked = (page.parent_path() / file).lexically_normal();
  if (!fs::exists(kRoot / linked)) return "there is no " + linked.string();
  if (mark != std::string::npos && anchors_of(linked).count(target.substr(mark + 1)) == 0)
    return linked.string() + " has no such heading";
  return "";
}

}  // namespace

TEST_CASE("every link between documents leads somewhere") {
  static const std::regex link(R"(\]\(([^)]+)\))");
  std::int64_t looked_at = 0;
  for (const fs::path& page : pages()) {
    const std::string text = text_of(page);
    for (std::sregex_iterator match(text.begin(), text.end(), link), end; match != end; ++match, ++looked_at) {
      INFO(page.string() << " links to " << (*match)[1].str());
      CHECK(fault_of(page, (*match)[1].str()) == "");
    }
  }
  CHECK(looked_at > 150);  // the pattern still finds them
}

TEST_CASE("a link that leads nowhere is found") {
  CHECK(fault_of("docs/model.md", "model.md#batches") == "");
  CHECK(fault_of("docs/model.md", "https://example.org/a#b") == "");
  CHECK(fault_of("docs/model.md", "#batches") != "");
  CHECK(fault_of("docs/model.md", "model.md#batch") != "");
  CHECK(fault_of("docs/model.md", "docs/model.md") != "");
  CHECK(fault_of("README.md", "model.md") != "");
}
