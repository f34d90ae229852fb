// The commands of the octavo program. Each returns the exit status: 0 fine, 1 the job found a difference.
#pragma once

#include <atomic>

#include "args.hpp"

namespace cli {

extern std::atomic<bool> interrupted;  // set by SIGINT and SIGTERM

extern const Command kQuantize, kVerify, kGenerate, kCheck, kInspect, kTrace;
int run_quantize(const Args& args);
int run_verify(const Args& args);
int run_generate(const Args& args);
int run_check(const Args& args);
int run_compare(const Args& args);  // check with --against
int run_inspect(const Args& args);
int run_trace(const Args& args);

}  // namespace cli
