// octavo: check, quantize, verify and run vision-language models. Exit status: 0 fine, 1 the job found a difference or
// failed, 2 wrong usage, 3 verify cannot judge.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <exception>

#include "commands.hpp"
#include "completion.hpp"
#include "help.hpp"
#include "man.hpp"
#include "signals.hpp"
#include "streams.hpp"

namespace cli {

namespace {

// An idle thread of GCC's OpenMP spins for milliseconds by default. Where other processes want the same cores, threads
// then spin waiting for one that does not run, and small models take many times as long. The runtime reads the setting
// before main, hence the second start. What the user has set stays.
void let_idle_threads_sleep(char** argv) {
  if (std::getenv("OMP_WAIT_POLICY") != nullptr || std::getenv("GOMP_SPINCOUNT") != nullptr) return;
  setenv("GOMP_SPINCOUNT", "1000", 1);  // some ten microseconds
  execv("/proc/self/exe", argv);        // returns only where it cannot; then it is slower, no more
}

int run(int argc, const char* const* argv) {
  Program program;
  add_quantize(program);
  add_verify(program);
  add_check(program);
  add_inspect(program);
  add_generate(program);
  add_trace(program);
  add_bench(program);
  add_completion_command(program);
  add_man_command(program);
  add_help_command(program);  // last: it knows the others
  return program.main(argc, argv);
}

int complain(const std::exception& error, int status) {
  std::fprintf(stderr, "octavo: %s\n", error.what());
  return status;
}

}  // namespace
}  // namespace cli

int main(int argc, char** argv) {
  cli::reserve_streams();
  cli::let_idle_threads_sleep(argv);
  cli::catch_signals();
  int status = 0;
  try {
    status = cli::run(argc, argv);
  } catch (const cli::UsageError& error) {
    status = cli::complain(error, 2);
  } catch (const std::exception& error) {
    status = cli::complain(error, 1);
  }
  if (!cli::finish_output() && status == 0) status = 1;
  return status;
}
