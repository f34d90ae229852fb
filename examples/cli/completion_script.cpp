#include "completion.hpp"
#include "program.hpp"

namespace cli {

std::string completion_of(const std::string& shell, const Completed& program) {
  if (shell == "bash") return bash_completion(program);
  if (shell == "zsh") return zsh_completion(program);
  if (shell == "fish") return fish_completion(program);
  throw UsageError("SHELL is \"" + shell + "\", one of bash, zsh, fish is needed");
}

}  // namespace cli
