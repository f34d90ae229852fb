// The commands of the octavo program, one file each. A command describes its options, bound to a plain struct, and what
// it runs; the run returns the exit status: 0 fine, 1 the job found a difference.
#pragma once

#include <atomic>
#include <octavo/octavo.hpp>
#include <string>

#include "program.hpp"

namespace cli {

extern std::atomic<bool> interrupted;  // by a signal: signals.hpp

void add_quantize(Program& program);
void add_verify(Program& program);
void add_check(Program& program);
void add_inspect(Program& program);
void add_generate(Program& program);
void add_chat(Program& program);
void add_trace(Program& program);
void add_bench(Program& program);

/// What `check --against` is asked for.
struct CompareCommand {
  std::string model, original, page;
  bool no_values = false, json = false, quiet = false;
};
int run_compare(const CompareCommand& command);

}  // namespace cli
