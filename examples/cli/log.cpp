#include "log.hpp"

#include <cstdio>
#include <cstdlib>
#include <octavo/log.hpp>
#include <octavo/model.hpp>
#include <string>
#include <string_view>

#include "program.hpp"

namespace cli {

void log_as_asked(const char* program) {
  const char* const asked = std::getenv("OCTAVO_LOG");
  if (asked == nullptr || *asked == '\0') return;
  for (const octavo::LogLevel least : {octavo::LogLevel::debug, octavo::LogLevel::info, octavo::LogLevel::warning}) {
    if (asked != std::string_view(octavo::log_level_name(least))) continue;
    octavo::set_log(
        [program](octavo::LogLevel level, std::string_view module, std::string_view text) {
          const std::string line = std::string(program) + ": " + octavo::log_level_name(level) + ": " +
                                   std::string(module) + ": " + std::string(text) + "\n";
          std::fputs(line.c_str(), stderr);  // whole, whatever other threads print
        },
        least);
    return;
  }
  throw UsageError("OCTAVO_LOG is \"" + std::string(asked) + "\", one of debug, info, warning is needed");
}

void print_notes(const char* program, const octavo::Model& model) {
  if (octavo::log_is_heard(octavo::LogLevel::warning)) return;
  for (const std::string& note : model.notes()) std::fprintf(stderr, "%s: %s\n", program, note.c_str());
}

}  // namespace cli
