#include "octavo/build_info.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "backend.hpp"
#include "choice.hpp"
#include "octavo/gemm.hpp"
#include "octavo/parallel.hpp"
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

JsonBuilder backends_json(const std::vector<BackendInfo>& backends) {
  JsonBuilder list = JsonBuilder::array();
  for (const BackendInfo& backend : backends)
    list.push(JsonBuilder::object()
                  .set("name", backend.name)
                  .set("available", backend.available)
                  .set("detail", backend.detail));
  return list;
}

JsonBuilder choice_json(const BackendChoice& chosen) {
  return JsonBuilder::object().set("name", chosen.name).set("why", chosen.why);
}

/// Of `backends`, best first; `variable` may have named the one in use.
BackendChoice choice(std::string (*in_use)(), const std::vector<BackendInfo>& backends, const std::string& variable) {
  try {
    const std::string name = in_use();
    std::string best, lacking;
    for (const BackendInfo& backend : backends) {
      if (backend.available) {
        best = backend.name;
        break;
      }
      lacking += (lacking.empty() ? "" : "; ") + backend.name + " is not available, " + backend.detail;
    }
    if (name != best) return {name, "named by " + variable + "; " + best + " would be faster"};
    return {name, lacking.empty() ? "the fastest" : "a fallback: " + lacking};
  } catch (const Error& error) {
    return {"none", error.what()};
  }
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

BackendChoice int8_backend_choice() {
  return choice(int8_backend_in_use, gemm::best_int8_backends(), "OCTAVO_INT8_BACKEND");
}

BackendChoice float_backend_choice() {
  return choice(gemm::float_backend_in_use, float_backends(), "OCTAVO_FLOAT_BACKEND");
}

JsonBuilder build_json() {
  const BuildInfo info = build_info();
  return JsonBuilder::object()
      .set("version", info.version)
      .set("compiler", info.compiler)
      .set("cxx_standard", "C++" + std::to_string(info.cxx_standard / 100 % 100))
      .set("build_type", info.build_type)
      .set("onednn", JsonBuilder::object()
                         .set("running", info.onednn_running)
                         .set("built_against", info.onednn_built)
                         .set("isa", info.onednn_isa)
                         .set("problem", info.onednn_problem))
      .set("instruction_sets", JsonBuilder::array_of(info.instruction_sets))
      .set("threads", num_threads())
      .set("int8_backend", choice_json(int8_backend_choice()))
      .set("float_backend", choice_json(float_backend_choice()))
      .set("int8_backends", backends_json(int8_backends()))
      .set("float_backends", backends_json(float_backends()));
}

}  // namespace octavo
