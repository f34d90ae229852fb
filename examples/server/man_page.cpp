#include "man_page.hpp"

#include <octavo/version.hpp>

#include "../cli/roff.hpp"

namespace server {
namespace {

using cli::paragraph;
using cli::roff;

constexpr const char* kDate = "2026-11-26";  // of the last change to what this file says itself

std::string entry(const CLI::Option& option) {
  std::string names;
  const auto add = [&](const std::string& name) {
    names += (names.empty() ? "" : ", ") + ("\\fB" + roff(name) + "\\fR");
  };
  for (const std::string& name : option.get_snames()) add("-" + name);
  for (const std::string& name : option.get_lnames()) add("--" + name);
  if (option.get_positional()) names = "\\fI" + roff(option.get_name()) + "\\fR";
  if (!option.get_positional() && option.get_expected_max() > 0)
    names += " \\fI" + roff(option.get_type_name()) + "\\fR";
  std::string help = option.get_description();
  if (!option.get_default_str().empty()) help += " (" + option.get_default_str() + ")";
  return ".TP\n" + names + "\n" + paragraph(help);
}

}  // namespace

std::string man_page(const CLI::App& app) {
  std::string out = ".\\\" Made by: octavo-server --man\n.TH OCTAVO-SERVER 1 \"" + std::string(kDate) + "\" \"octavo " +
                    octavo::kVersion + "\" \"User Commands\"\n.SH NAME\noctavo-server \\- " +
                    roff(app.get_description()) +
                    "\n.SH SYNOPSIS\n.B octavo\\-server\n.I MODEL_DIR\n[options]\n.SH OPTIONS\n";
  for (const CLI::Option* option : app.get_options()) out += entry(*option);
  return out +
         ".SH SIGNALS\n.TP\n.B SIGTERM, SIGINT\nNo new requests; running ones end, or the time of\n"
         ".B \\-\\-drain\\-timeout\ndoes.\nA second one ends them.\n"
         ".SH EXIT STATUS\n.TP\n.B 0\nStopped by a signal.\n.TP\n.B 1\nThe model cannot be read, or the address not be "
         "taken.\n.TP\n.B 2\nWrong usage.\n"
         ".SH ENVIRONMENT\n.TP\n.B OCTAVO_API_KEY\nThe key, where \\-\\-api\\-key is not given.\n"
         ".TP\n.B OCTAVO_LOG\ndebug, info or warning: what the library decides goes to standard error.\n"
         ".TP\n.B OCTAVO_NUM_THREADS\nThreads that compute.\n"
         ".SH SEE ALSO\n.BR octavo (1)";  // CLI11 ends the line
}

}  // namespace server
