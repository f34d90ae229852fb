// Needs bash 4 alone, not the bash-completion package.
#include <algorithm>

#include "completion.hpp"

namespace cli {

namespace {

std::string names_of(const std::vector<OptionText>& options) {
  std::string words;
  for (const OptionText& option : options) words += (words.empty() ? "" : " ") + joined(option.names, " ");
  return words;
}

// What completes a value, as shell words that set `kind` and `words`.
std::string completes(const Value& value) {
  const std::string words = joined(value.choices, " ");
  switch (value.kind) {
    case ValueKind::text:
      return "kind=none";
    case ValueKind::file:
      return "kind=file";
    case ValueKind::directory:
      return "kind=directory";
    case ValueKind::choice:
      return "kind=none words='" + words + "'";
    case ValueKind::choice_or_file:
      return "kind=file words='" + words + "'";
  }
  return "kind=none";
}

// Sets `command` to the first word that is no option, and completes it where there is none yet.
std::string find_command(const Completed& program) {
  std::string commands;
  for (const CommandText& command : program.commands) commands += command.name + " ";
  return "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
         "    if [[ -z $command && ${COMP_WORDS[i]} != -* ]]; then command=${COMP_WORDS[i]}; fi\n"
         "  done\n"
         "  if [[ -z $command ]]; then\n"
         "    mapfile -t COMPREPLY < <(compgen -W '" +
         commands + names_of(program.program_options) +
         "' -- \"$cur\")\n"
         "    return\n"
         "  fi\n";
}

}  // namespace

std::string bash_completion(const Completed& program) {
  std::string values, options, positionals, function = "_" + program.program;
  std::replace(function.begin(), function.end(), '-', '_');
  for (const CommandText& command : program.commands) {
    options += "    '" + command.name + "') words='" + names_of(command.options) + "' ;;\n";
    if (!command.positionals.empty())
      positionals += "    '" + command.name + "') " + completes(command.positionals.front().value) + " ;;\n";
    for (const OptionText& option : command.options) {
      if (!option.takes_value) continue;
      std::string patterns;
      for (const std::string& name : option.names)
        patterns += (patterns.empty() ? "'" : " | '") + command.name + " " + name + "'";
      values += "    " + patterns + ") " + completes(option.value) + " ;;\n";
    }
  }
  return "# bash completion of " + program.program + "; made by: " + program.made_by + " bash\n" + function +
         "() {\n"
         "  local cur=${COMP_WORDS[COMP_CWORD]} option= command= kind= words= i ended=\n"
         "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
         "    if [[ ${COMP_WORDS[i]} == -- ]]; then ended=1; fi\n"
         "  done\n"
         "  option=${COMP_WORDS[COMP_CWORD - 1]}\n"
         "  # --option=value arrives as three words\n"
         "  if [[ $cur == '=' ]]; then cur=; elif [[ $option == '=' ]]; then option=${COMP_WORDS[COMP_CWORD - 2]}; fi\n"
         "  COMPREPLY=()\n" +
         (program.has_commands() ? find_command(program) : "") + "  case \"$command $option\" in\n" + values +
         "  esac\n"
         "  if [[ -z $kind && -z $ended && $cur == -* ]]; then\n"
         "    kind=none\n"
         "    case $command in\n" +
         options +
         "    esac\n"
         "  elif [[ -z $kind ]]; then\n"
         "    case $command in\n" +
         positionals +
         "    esac\n"
         "  fi\n"
         "  case $kind in\n"
         "    file) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- \"$cur\") ;;\n"
         "    directory) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -d -- \"$cur\") ;;\n"
         "  esac\n"
         "  if [[ -n $words ]]; then\n"
         "    local found\n"
         "    mapfile -t found < <(compgen -W \"$words\" -- \"$cur\")\n"
         "    COMPREPLY+=(\"${found[@]}\")\n"
         "  fi\n"
         "}\n"
         "complete -F " +
         function + " " + program.program + "\n";
}

}  // namespace cli
