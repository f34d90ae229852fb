// In the man macros (man(7), groff_man(7)): what every man program reads.
#include "man.hpp"

#include <cstdio>
#include <octavo/version.hpp>
#include <string>

#include "describe.hpp"
#include "help.hpp"
#include "roff.hpp"

namespace cli {

namespace {

constexpr const char* kDate = "2026-11-26";  // of the last change to what this file says itself

std::string section(const CommandText& command) {
  std::string out = ".SS octavo " + roff(command.name) + "\n.nf\n" + roff(synopsis(command)) + "\n.fi\n.PP\n";
  out += paragraph(prose(command));
  for (const OptionText& positional : command.positionals) out += entry(positional);
  for (const OptionText& option : command.options) out += entry(option);
  if (!command.example.empty()) out += ".PP\nExample:\n.PP\n.RS\n.nf\n" + roff(command.example) + "\n.fi\n.RE\n";
  return out;
}

std::string page(const Program& program) {
  std::string out = ".\\\" Made by: octavo man\n.TH OCTAVO 1 \"" + std::string(kDate) + "\" \"octavo " +
                    octavo::kVersion + "\" \"User Commands\"\n.SH NAME\noctavo \\- " +
                    roff(program.app().get_description()) + "\n.SH SYNOPSIS\n.B octavo\n.I COMMAND\n[options]\n" +
                    ".br\n.B octavo help\n.I COMMAND\n.br\n.B octavo\n\\fB\\-\\-version\\fR [\\fB\\-\\-json\\fR]\n" +
                    ".SH COMMANDS\n";
  for (const CommandText& command : describe_commands(program)) out += section(command);
  out += ".SH OPTIONS\nWithout a command:\n";
  for (const CLI::Option* option : program.app().get_options()) out += entry(describe(program, *option));
  return out +
         ".PP\nAfter\n.B \\-\\-\nevery word is an argument, whatever it begins with.\n"
         ".SH STREAMS\nResults are written to standard output, with\n.B \\-\\-json\nas one document;\n"
         "progress, notes and errors to standard error.\nErrors are one line that begins with \\(lqoctavo:\\(rq.\n"
         ".SH EXIT STATUS\n.TP\n.B 0\nFine.\n.TP\n.B 1\nThe job failed, or found a difference.\n.TP\n.B 2\nWrong "
         "usage.\n"
         ".SH ENVIRONMENT\n.TP\n.B OCTAVO_INT8_BACKEND\nThe int8 backend to use; octavo \\-\\-version lists them.\n"
         ".TP\n.B OCTAVO_LOG\ndebug, info or warning: what the library decides goes to standard error.\n"
         ".TP\n.B OCTAVO_NUM_THREADS\nThreads, where \\-\\-threads is not given.\n"
         ".TP\n.B NO_COLOR\nSet to anything but nothing: no colours on a terminal.\n";
}

}  // namespace

void add_man_command(Program& program) {
  Command command = program.command("man", "Program", "print this program's manual page");
  command.example("octavo man | man -l -");
  command.run([&program] {
    std::fputs(page(program).c_str(), stdout);
    return 0;
  });
}

}  // namespace cli
