#include "version.hpp"

#include <cstdio>
#include <octavo/octavo.hpp>
#include <string>
#include <vector>

#include "describe.hpp"

namespace cli {

namespace {

struct BackendChoice {
  std::string name, why;
};

// The backend that packing would take now, and what speaks for it.
BackendChoice backend_in_use(const std::vector<octavo::BackendInfo>& backends) {
  try {
    const std::string name = octavo::int8_backend_in_use();
    std::string best;
    for (const octavo::BackendInfo& backend : backends)
      if (backend.available && best.empty()) best = backend.name;
    if (name != best) return {name, "named by OCTAVO_INT8_BACKEND; " + best + " would be faster"};
    if (name == backends.front().name) return {name, "the fastest"};
    return {name, "a fallback: " + backends.front().name + " is not available, " + backends.front().detail};
  } catch (const octavo::Error& error) {
    return {"none", error.what()};
  }
}

std::string standard_name(long cplusplus) { return "C++" + std::to_string(cplusplus / 100 % 100); }

void print_text(const octavo::BuildInfo& build, const std::vector<octavo::BackendInfo>& backends) {
  std::printf("octavo %s\n", build.version.c_str());
  std::printf("%-14s %s, %s, %s\n", "compiler", build.compiler.c_str(), standard_name(build.cxx_standard).c_str(),
              build.build_type.empty() ? "no build type" : build.build_type.c_str());
  std::printf("%-14s %s, built against %s; uses %s\n", "oneDNN", build.onednn_running.c_str(),
              build.onednn_built.c_str(), build.onednn_isa.c_str());
  if (!build.onednn_problem.empty())
    std::printf("%-14s its engine could not be made, so it takes no part in int8 products: %s\n", "",
                build.onednn_problem.c_str());
  std::printf("%-14s %s\n", "instructions",
              build.instruction_sets.empty() ? "unknown" : joined(build.instruction_sets, " ").c_str());
  std::printf("%-14s %d\n", "threads", octavo::num_threads());
  const BackendChoice chosen = backend_in_use(backends);
  std::printf("%-14s %s (%s)\n", "int8 backend", chosen.name.c_str(), chosen.why.c_str());
  for (const octavo::BackendInfo& backend : backends)
    std::printf("  %-12s %s: %s\n", backend.name.c_str(), backend.available ? "available" : "not available",
                backend.detail.c_str());
}

void print_json(const octavo::BuildInfo& build, const std::vector<octavo::BackendInfo>& backends) {
  using octavo::JsonBuilder;
  JsonBuilder sets = JsonBuilder::array();
  for (const std::string& name : build.instruction_sets) sets.push(name);
  JsonBuilder list = JsonBuilder::array();
  for (const octavo::BackendInfo& backend : backends)
    list.push(JsonBuilder::object()
                  .set("name", backend.name)
                  .set("available", backend.available)
                  .set("detail", backend.detail));
  const BackendChoice chosen = backend_in_use(backends);
  const JsonBuilder document =
      JsonBuilder::object()
          .set("version", build.version)
          .set("compiler", build.compiler)
          .set("cxx_standard", standard_name(build.cxx_standard))
          .set("build_type", build.build_type)
          .set("onednn", JsonBuilder::object()
                             .set("running", build.onednn_running)
                             .set("built_against", build.onednn_built)
                             .set("isa", build.onednn_isa)
                             .set("problem", build.onednn_problem))
          .set("instruction_sets", std::move(sets))
          .set("threads", octavo::num_threads())
          .set("int8_backend", JsonBuilder::object().set("name", chosen.name).set("why", chosen.why))
          .set("int8_backends", std::move(list));
  std::printf("%s\n", document.dump(2).c_str());
}

}  // namespace

int print_version(bool json) {
  const octavo::BuildInfo build = octavo::build_info();
  const std::vector<octavo::BackendInfo> backends = octavo::int8_backends();
  json ? print_json(build, backends) : print_text(build, backends);
  return 0;
}

}  // namespace cli
