#include "man_page.hpp"

#include <octavo/version.hpp>

#include "../cli/roff.hpp"

namespace server {
namespace {

using cli::roff;

constexpr const char* kDate = "2026-11-26";  // of the last change to what this file says itself

}  // namespace

std::string man_page(const cli::CommandText& program) {
  std::string out = ".\\\" Made by: octavo-server --man\n.TH OCTAVO-SERVER 1 \"" + std::string(kDate) + "\" \"octavo " +
                    octavo::kVersion + "\" \"User Commands\"\n.SH NAME\noctavo-server \\- " + roff(program.summary) +
                    "\n.SH SYNOPSIS\n.B octavo\\-server\n.I MODEL_DIR\n[options]\n.SH OPTIONS\n";
  for (const cli::OptionText& positional : program.positionals) out += cli::entry(positional);
  for (const cli::OptionText& option : program.options) out += cli::entry(option);
  return out +
         ".SH SIGNALS\n.TP\n.B SIGTERM, SIGINT\nNo new requests; running ones end, or the time of\n"
         ".B \\-\\-drain\\-timeout\ndoes.\nA second one ends them.\n"
         ".SH EXIT STATUS\n.TP\n.B 0\nStopped by a signal.\n.TP\n.B 1\nThe model cannot be read, or the address not be "
         "taken.\n.TP\n.B 2\nWrong usage.\n"
         ".SH ENVIRONMENT\n.TP\n.B OCTAVO_API_KEY\nThe key, where \\-\\-api\\-key is not given.\n"
         ".TP\n.B OCTAVO_LOG\ndebug, info or warning: what the library decides goes to standard error.\n"
         ".TP\n.B OCTAVO_NUM_THREADS\nThreads that compute.\n"
         ".SH SEE ALSO\n.BR octavo (1)\n";
}

}  // namespace server
