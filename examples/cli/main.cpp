// octavo: check, quantize, verify and run vision-language models. Exit status: 0 fine, 1 the job found a difference or
// failed, 2 wrong usage.
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <octavo/octavo.hpp>
#include <string>
#include <thread>
#include <vector>

#include "commands.hpp"

namespace cli {

std::atomic<bool> interrupted{false};

namespace {

struct Entry {
  const Command* command;
  int (*run)(const Args&);
};
const std::array<Entry, 6> kEntries{{{&kQuantize, run_quantize},
                                     {&kVerify, run_verify},
                                     {&kGenerate, run_generate},
                                     {&kCheck, run_check},
                                     {&kInspect, run_inspect},
                                     {&kTrace, run_trace}}};

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

void print_overview(std::FILE* to) {
  std::fprintf(to, "octavo %s: vision-language models in W8A8, quantized, verified and run on a CPU\n\n",
               OCTAVO_VERSION_STRING);
  for (const Entry& entry : kEntries)
    std::fprintf(to, "  octavo %s %s\n      %s\n", entry.command->name.c_str(), entry.command->synopsis.c_str(),
                 entry.command->summary.c_str());
  std::fprintf(to, "\n  octavo COMMAND --help\n");
}

int run(const std::vector<std::string>& words) {
  if (words.empty()) {
    print_overview(stderr);
    return 2;
  }
  if (words[0] == "--help" || words[0] == "-h" || words[0] == "help") {
    print_overview(stdout);
    return 0;
  }
  if (words[0] == "--version") {
    std::printf("octavo %s\n", OCTAVO_VERSION_STRING);
    return 0;
  }
  std::vector<std::string> names;
  for (const Entry& entry : kEntries) {
    names.push_back(entry.command->name);
    if (entry.command->name != words[0]) continue;
    const std::vector<std::string> rest(words.begin() + 1, words.end());
    for (const std::string& word : rest)
      if (word == "--help" || word == "-h") {
        print_help(*entry.command);
        return 0;
      }
    const Args args(*entry.command, rest);
    if (const std::int64_t threads = args.integer("--threads", 0, 1); threads > 0)
      octavo::set_num_threads(static_cast<int>(std::min<std::int64_t>(threads, 4096)));
    return entry.run(args);
  }
  const std::string near = nearest(words[0], names);
  throw UsageError("unknown command " + words[0] +
                   (near.empty() ? "; octavo --help lists them" : "; did you mean " + near + "?"));
}

}  // namespace
}  // namespace cli

int main(int argc, char** argv) {
  cli::let_idle_threads_sleep(argv);
  cli::catch_signals();
  try {
    return cli::run(std::vector<std::string>(argv + 1, argv + argc));
  } catch (const cli::UsageError& error) {
    std::fprintf(stderr, "octavo: %s\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "octavo: %s\n", error.what());
    return 1;
  }
}
