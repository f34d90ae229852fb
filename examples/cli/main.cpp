// octavo: check, quantize, verify and run vision-language models. Exit status: 0 fine, 1 the job found a difference or
// failed, 2 wrong usage.
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <thread>

#include "commands.hpp"
#include "completion.hpp"
#include "help.hpp"
#include "man.hpp"
#include "streams.hpp"

namespace cli {

std::atomic<bool> interrupted{false};

namespace {

// The first signal asks the job to stop and clean up; a second one does not wait for it. No handler ever runs: the
// signals are blocked before there is a second thread, so in every one, and a thread of their own waits for them. A
// handler could run in the middle of oneDNN's generated sgemm, which uses the stack pointer as a general register, and
// would write over the heap.
void catch_signals() {
  sigset_t stopping;
  sigemptyset(&stopping);
  sigaddset(&stopping, SIGINT);
  sigaddset(&stopping, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &stopping, nullptr);
  std::thread([stopping] {
    for (int signal = 0; sigwait(&stopping, &signal) == 0;)
      if (interrupted.exchange(true)) std::_Exit(1);
  }).detach();
}

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
