#if defined(__GNUC__) && !defined(__clang__)
// GCC 12 sees an uninitialised std::function inside <regex> as soon as a sanitizer is on (GCC bug 105562).
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

// The rules of docs/architecture.md, read off the sources: who may include whom, where third-party names end.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "catch.hpp"

namespace fs = std::filesystem;

namespace {

const fs::path kRoot = OCTAVO_SOURCE_DIR;

struct Include {
  fs::path file;
  std::string name;
};

std::vector<fs::path> sources(const fs::path& folder) {
  std::vector<fs::path> found;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(kRoot / folder)) {
    const std::string extension = entry.path().extension().string();
    if (extension == ".cpp" || extension == ".hpp" || extension == ".h" || extension == ".c")
      found.push_back(fs::relative(entry.path(), kRoot));
  }
  std::sort(found.begin(), found.end());
  return found;
}

std::string text_of(const fs::path& file) {
  std::ostringstream text;
  text << std::ifstream(kRoot / file).rdbuf();
  return text.str();
}

std::vector<Include> includes(const fs::path& folder) {
  static const std::regex pattern(R"(#\s*include\s*[<"]([^>"]+)[>"])");
  std::vector<Include> found;
  for (const fs::path& file : sources(folder)) {
    const std::string text = text_of(file);
    for (std::sregex_iterator match(text.begin(), text.end(), pattern), end; match != end; ++match)
      found.push_back({file, (*match)[1]});
  }
  return found;
}

/// Modules by level; public headers that are no module of their own belong to one.
const std::map<std::string, int> kLevels{
    {"tensor", 1},  {"json", 1},        {"pattern", 1}, {"gemm", 2},    {"checkpoint", 2}, {"trace", 3},
    {"metrics", 2}, {"output_form", 2}, {"text", 3},    {"image", 3},   {"quant", 3},      {"attention", 3},
    {"model", 4},   {"job", 5},         {"samples", 5}, {"check", 6},   {"compare", 6},    {"evaluation", 6},
    {"verify", 7},  {"attribution", 7}, {"report", 8},  {"quantize", 9}};
const std::map<std::string, std::string> kModuleOfHeader{{"version", "tensor"},
                                                         {"message", "tensor"},
                                                         {"error", "tensor"},
                                                         {"contract", "tensor"},
                                                         {"parallel", "tensor"},
                                                         {"build_info", "gemm"},
                                                         {"atomic_file", "checkpoint"},
                                                         {"memory_pool", "tensor"},
                                                         {"ledger", "tensor"},
                                                         {"observer", "tensor"},
                                                         {"interval", "metrics"},
                                                         {"settings", "json"},
                                                         {"config", "checkpoint"},
                                                         {"generation_config", "checkpoint"},
                                                         {"plan", "model"},
                                                         {"structure", "model"},
                                                         {"sampling", "model"},
                                                         {"session", "model"},
                                                         {"blockwise", "model"},
                                                         {"model_contracts", "model"},
                                                         {"boxes", "model"},
                                                         {"box_labels", "model"},
                                                         {"prefix_cache", "model"},
                                                         {"nearest", "tensor"},
                                                         {"float_math", "tensor"},
                                                         {"allocator", "tensor"},
                                                         {"cancel", "tensor"},
                                                         {"log", "tensor"},
                                                         {"file_sampling", "model"},
                                                         {"files", "json"},
                                                         {"model_info", "model"},
                                                         {"quantized_writer", "quantize"},
                                                         {"running_batch", "model"},
                                                         {"architecture", "model"},
                                                         {"linear_block", "model"},
                                                         {"model_operations", "model"}};

std::string module_of_header(const std::string& include) {  // "octavo/gemm.hpp" -> "gemm"
  if (include.rfind("octavo/", 0) != 0) return "";
  if (include.rfind("octavo/detail/", 0) == 0) return "tensor";
  const std::string stem = fs::path(include).stem().string();
  const auto mapped = kModuleOfHeader.find(stem);
  return mapped == kModuleOfHeader.end() ? stem : mapped->second;
}

bool may_know(const std::string& who, const std::string& whom) {
  if (who == whom) return true;
  const int mine = kLevels.at(who);
  const int theirs = kLevels.at(whom);
  if (theirs < mine) return true;
  // Of one level: a picture's Grid is attention's, and JSON and patterns fail with tensor's Error.
  return (who == "image" && whom == "attention") || ((who == "json" || who == "pattern") && whom == "tensor");
}

}  // namespace

TEST_CASE("modules include only modules of a lower level") {
  std::int64_t looked_at = 0;
  for (const char* folder : {"lib", "include"}) {
    for (const Include& include : includes(folder)) {
      const std::string whom = module_of_header(include.name);
      if (whom.empty() || whom == "octavo") continue;
      const std::string who = std::string(folder) == "lib"
                                  ? std::next(include.file.begin())->string()
                                  : module_of_header("octavo/" + include.file.filename().string());
      if (who == "octavo" || include.file.string().find("detail") != std::string::npos) continue;  // the list of all
      INFO(include.file.string() << " includes " << include.name);
      REQUIRE(kLevels.count(who) == 1);
      REQUIRE(kLevels.count(whom) == 1);
      CHECK(may_know(who, whom));
      ++looked_at;
    }
  }
  CHECK(looked_at > 100);  // the pattern still finds them
}

TEST_CASE("a file of lib includes public headers and its own folder's only") {
  for (const Include& include : includes("lib")) {
    if (include.name.find('/') != std::string::npos && include.name.rfind("octavo/", 0) == 0) continue;
    const fs::path module = *std::next(include.file.begin());
    const bool own = fs::exists(kRoot / include.file.parent_path() / include.name) ||
                     fs::exists(kRoot / "lib" / module / include.name);
    if (own) continue;
    INFO(include.file.string() << " includes " << include.name);
    for (const auto& [other, level] : kLevels) CHECK_FALSE(fs::exists(kRoot / "lib" / other / include.name));
  }
}

TEST_CASE("third-party names end where the architecture says") {
  const std::map<std::string, std::set<std::string>> allowed{
      {"CLI/", {"examples/cli", "examples/server/options.cpp", "examples/server/description"}},
      {"histedit.h", {"examples/cli/line_editor.cpp"}},
      {"Eigen/", {"lib/quant"}},
      {"dnnl", {"lib/gemm/backend_onednn.cpp", "lib/gemm/onednn_version.hpp"}},
      {"oneapi/", {}},
      {"nlohmann/", {"lib/json"}},
      {"httplib.h", {"examples/server"}},
      {"gif_lib.h", {"lib/image/decode_gif.cpp"}},
      {"jpeglib.h", {"lib/image/libjpeg.hpp"}},
      {"png.h", {"lib/image/decode_png.cpp", "lib/image/encode_png.cpp"}},
      {"webp/", {"lib/image/decode_webp.cpp"}},
      {"pcre2", {"lib/pattern/pattern.cpp"}}};
  std::map<std::string, int> seen;
  for (const char* folder : {"include", "lib", "capi", "examples"}) {
    for (const Include& include : includes(folder)) {
      for (const auto& [library, places] : allowed) {
        if (include.name.rfind(library, 0) != 0) continue;
        ++seen[library];
        INFO(include.file.string() << " includes " << include.name);
        const std::string file = include.file.generic_string();
        CHECK(std::any_of(places.begin(), places.end(),
                          [&](const std::string& place) { return file.rfind(place, 0) == 0; }));
      }
    }
  }
  CHECK(seen.size() == 11);  // each is used somewhere; oneapi/ nowhere
}

TEST_CASE("the C ABI and the examples stand on the public API alone") {
  for (const char* folder : {"capi", "examples"}) {
    for (const Include& include : includes(folder)) {
      INFO(include.file.string() << " includes " << include.name);
      CHECK(include.name.find("lib/") == std::string::npos);
      CHECK(include.name.find("octavo/detail/") == std::string::npos);
    }
  }
}

TEST_CASE("every module has its header, its tests, and a place in the list of all") {
  const std::string all = text_of("include/octavo/octavo.hpp");
  for (const auto& [module, level] : kLevels) {
    CAPTURE(module);
    CHECK(fs::exists(kRoot / "include" / "octavo" / (module + ".hpp")));
    CHECK(all.find("octavo/" + module + ".hpp") != std::string::npos);
    CHECK_FALSE(sources(fs::path("tests") / module).empty());
  }
}

TEST_CASE("no test has a name that a runner splits or that means something to it") {
  // Catch2 2.13's discovery makes two tests of a name with `;`, which match nothing, run nothing and pass.
  static const std::regex name(R"name(TEST_CASE\("([^"]*)")name");
  std::int64_t looked_at = 0;
  for (const fs::path& file : sources("tests")) {
    const std::string text = text_of(file);
    for (std::sregex_iterator match(text.begin(), text.end(), name), end; match != end; ++match) {
      INFO(file.string() << ": " << (*match)[1]);
      CHECK((*match)[1].str().find(';') == std::string::npos);
      ++looked_at;
    }
  }
  CHECK(looked_at > 400);
}
