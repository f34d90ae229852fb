// What the library decides, on standard error where somebody wants to see it; of octavo and of octavo-server. `program`
// begins each line, and lives as long as the process.
#pragma once

namespace octavo {
class Model;
}

namespace cli {

/// As the environment variable OCTAVO_LOG says: "debug", "info", "warning"; unset or empty: nothing.
/// @throws UsageError  for anything else.
void log_as_asked(const char* program);

/// What the model's files ask for and is not done, unless the log has said so.
void print_notes(const char* program, const octavo::Model& model);

}  // namespace cli
