// The options that say what form answers have.
#pragma once

#include <octavo/output_form.hpp>
#include <optional>
#include <string>

#include "program.hpp"

namespace cli {

struct AnswerForm {
  std::optional<std::string> schema, example;

  /// Absent: any text. @throws UsageError  for both at once; octavo::Error as OutputForm, and for a file that cannot be
  ///                read.
  std::optional<octavo::OutputForm> read() const;
};
/// --json-schema and --form.
void add_answer_form(Command& command, AnswerForm& form);

}  // namespace cli
