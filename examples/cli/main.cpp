// octavo: check, quantize, verify and run vision-language models. Exit status: 0 fine, 1 the job found a difference or
// failed, 2 wrong usage.
#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <octavo/octavo.hpp>
#include <string>
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

// The first signal asks the job to stop and clean up; a second one does not wait for it.
void on_signal(int /*signal*/) {
  if (interrupted.exchange(true)) std::_Exit(1);
}

// On a stack of their own: oneDNN's generated sgemm uses the stack pointer as a general register, and a handler that
// ran on the "current stack" in the middle of it would write over the heap.
void catch_signals() {
  static char stack[64 * 1024];
  stack_t alternate{};
  alternate.ss_sp = stack;
  alternate.ss_size = sizeof stack;
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  if (sigaltstack(&alternate, nullptr) == 0) action.sa_flags |= SA_ONSTACK;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
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
