// What build_info says, against what other sources say of the same.
#include "octavo/build_info.hpp"

#include <fstream>
#include <iterator>
#include <set>
#include <string>

#include "catch.hpp"
#include "octavo/gemm.hpp"

namespace {

std::string text_of(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

}  // namespace

TEST_CASE("the build facts are this build's") {
  const octavo::BuildInfo info = octavo::build_info();
  CHECK(text_of(std::string(OCTAVO_SOURCE_DIR) + "/CMakeLists.txt").find("VERSION " + info.version + " ") !=
        std::string::npos);
#if defined(__clang__)
  CHECK(info.compiler.rfind("Clang " + std::to_string(__clang_major__) + ".", 0) == 0);
#elif defined(__GNUC__)
  CHECK(info.compiler.rfind("GCC " + std::to_string(__GNUC__) + ".", 0) == 0);
#endif
  CHECK(info.cxx_standard == __cplusplus);
  // The shared library that runs is of the headers' major version, or the program would not have started.
  REQUIRE(info.onednn_built.find('.') != std::string::npos);
  CHECK(info.onednn_running.substr(0, info.onednn_running.find('.')) ==
        info.onednn_built.substr(0, info.onednn_built.find('.')));
  CHECK_FALSE(info.onednn_isa.empty());
  CHECK(info.onednn_problem.empty());  // tests/cli/no_engine.sh has the other case
}

TEST_CASE("the instruction sets are those that decide about a backend") {
  const octavo::BuildInfo info = octavo::build_info();
  const std::set<std::string> found(info.instruction_sets.begin(), info.instruction_sets.end());
  CHECK(found.size() == info.instruction_sets.size());  // no name twice
  const std::string cpuinfo = text_of("/proc/cpuinfo");
  for (const std::string& name : found) CHECK(cpuinfo.find(" " + name) != std::string::npos);
#if defined(__x86_64__)
  CHECK((found.count("avx2") == 1) == (__builtin_cpu_supports("avx2") != 0));
  CHECK((found.count("avx512f") == 1) == (__builtin_cpu_supports("avx512f") != 0));
#endif
}
