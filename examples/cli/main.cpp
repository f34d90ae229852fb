// octavo: check, quantize, verify and run vision-language models. Exit status: 0 fine, 1 the job found a difference or
// failed, 2 wrong usage, 3 verify cannot judge.
#include <cstdio>
#include <exception>
#include <new>

#include "commands.hpp"
#include "completion.hpp"
#include "help.hpp"
#include "log.hpp"
#include "man.hpp"
#include "signals.hpp"
#include "streams.hpp"

namespace cli {

namespace {

int run(int argc, const char* const* argv) {
  log_as_asked("octavo");
  Program program;
  add_quantize(program);
  add_verify(program);
  add_check(program);
  add_inspect(program);
  add_generate(program);
  add_chat(program);
  add_trace(program);
  add_bench(program);
  add_completion_command(program);
  add_man_command(program);
  add_help_command(program);  // last: it knows the others
  return program.main(argc, argv);
}

int complain(const char* what, int status) {
  std::fprintf(stderr, "octavo: %s\n", what);
  return status;
}

}  // namespace
}  // namespace cli

int main(int argc, char** argv) {
  cli::reserve_streams();
  int status = 0;
  try {
    cli::catch_signals();
    status = cli::run(argc, argv);
  } catch (const cli::UsageError& error) {
    status = cli::complain(error.what(), 2);
  } catch (const std::bad_alloc&) {
    status = cli::complain("there is not enough memory", 1);
  } catch (const std::exception& error) {
    status = cli::complain(error.what(), 1);
  }
  if (!cli::finish_output() && status == 0) status = 1;
  return status;
}
