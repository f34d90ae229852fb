#include "version.hpp"

#include <cstdio>
#include <octavo/octavo.hpp>
#include <string>
#include <vector>

#include "describe.hpp"
#include "lines.hpp"

namespace cli {

namespace {

void print_text(const octavo::BuildInfo& build, const std::vector<octavo::BackendInfo>& backends) {
  std::printf("octavo %s\n", build.version.c_str());
  std::printf("%-14s %s, %s, %s\n", "compiler", build.compiler.c_str(),
              ("C++" + std::to_string(build.cxx_standard / 100 % 100)).c_str(),
              build.build_type.empty() ? "no build type" : build.build_type.c_str());
  std::printf("%-14s %s, built against %s; uses %s\n", "oneDNN", build.onednn_running.c_str(),
              build.onednn_built.c_str(), build.onednn_isa.c_str());
  if (!build.onednn_problem.empty())
    std::printf("%-14s its engine could not be made, so it takes no part in int8 products: %s\n", "",
                build.onednn_problem.c_str());
  std::printf("%-14s %s\n", "instructions",
              build.instruction_sets.empty() ? "unknown" : joined(build.instruction_sets, " ").c_str());
  std::printf("%-14s %d\n", "threads", octavo::num_threads());
  std::printf("%-14s %s\n", "line editing", line_editing().c_str());
  const octavo::BackendChoice chosen = octavo::int8_backend_choice();
  std::printf("%-14s %s (%s)\n", "int8 backend", chosen.name.c_str(), chosen.why.c_str());
  for (const octavo::BackendInfo& backend : backends)
    std::printf("  %-12s %s: %s\n", backend.name.c_str(), backend.available ? "available" : "not available",
                backend.detail.c_str());
}

}  // namespace

int print_version(bool json) {
  if (json)
    std::printf("%s\n", octavo::build_json().dump(2).c_str());
  else
    print_text(octavo::build_info(), octavo::int8_backends());
  return 0;
}

}  // namespace cli
