#include "octavo/build_info.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <sstream>
#include <string_view>

#include "backend.hpp"
#include "octavo/version.hpp"

namespace octavo {

namespace {

std::string compiler() {
#if defined(__clang__)
  return "Clang " __clang_version__;
#elif defined(__GNUC__)
  return "GCC " __VERSION__;
#else
  return "unknown";
#endif
}

// x86: products in float32, bf16 and int8. ARM: the same.
constexpr std::array<std::string_view, 18> kOfInterest{
    "avx2",     "fma",      "f16c",     "avx_vnni", "avx512f", "avx512bw", "avx512_vnni", "avx512_bf16", "avx512_fp16",
    "amx_tile", "amx_int8", "amx_bf16", "asimd",    "asimdhp", "asimddp",  "i8mm",        "bf16",        "sve"};

std::vector<std::string> instruction_sets() {
  std::ifstream file("/proc/cpuinfo");
  std::vector<std::string> found;
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("flags", 0) != 0 && line.rfind("Features", 0) != 0) continue;
    std::istringstream words(line.substr(std::min(line.size(), line.find(':') + 1)));
    for (std::string word; words >> word;)
      if (std::find(kOfInterest.begin(), kOfInterest.end(), word) != kOfInterest.end()) found.push_back(word);
    break;  // every core says the same
  }
  return found;
}

}  // namespace

BuildInfo build_info() {
  BuildInfo info;
  info.version = kVersion;
  info.compiler = compiler();
  info.build_type = OCTAVO_BUILD_TYPE;
  info.cxx_standard = __cplusplus;
  info.onednn_built = gemm::onednn_built();
  info.onednn_running = gemm::onednn_running();
  info.onednn_isa = gemm::onednn_isa();
  info.onednn_problem = gemm::onednn_problem();
  info.instruction_sets = instruction_sets();
  return info;
}

}  // namespace octavo
