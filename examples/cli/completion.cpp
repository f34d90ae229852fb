#include "completion.hpp"

#include <cstdio>
#include <memory>

#include "describe.hpp"
#include "program.hpp"

namespace cli {

void add_completion_command(Program& program) {
  const auto shell = std::make_shared<std::string>();
  Command command = program.command("completion", "Program",
                                    "print the completion script of bash, zsh or fish\n\nWhere octavo was installed by "
                                    "cmake --install, the three stand where the shells look for them.");
  command.positional({"SHELL", ValueKind::choice, {"bash", "zsh", "fish"}}, *shell, "bash, zsh or fish");
  command.example("source <(octavo completion bash)");
  command.run([&program, shell] {
    Completed completed{"octavo", "octavo completion", describe_commands(program), {}};
    for (const CLI::Option* option : program.app().get_options())
      completed.program_options.push_back(describe(program, *option));
    std::fputs(completion_of(*shell, completed).c_str(), stdout);
    return 0;
  });
}

}  // namespace cli
