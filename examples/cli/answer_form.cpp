#include "answer_form.hpp"

#include <octavo/json.hpp>

namespace cli {

std::optional<octavo::OutputForm> AnswerForm::read() const {
  if (schema && example) throw UsageError("--json-schema and --form exclude each other");
  if (example) return octavo::OutputForm::example(*example);
  if (!schema) return std::nullopt;
  const bool text = schema->find_first_of("{") == schema->find_first_not_of(" \t\r\n");  // no file is called like that
  return octavo::OutputForm::json_schema(text ? *schema : octavo::Json::read_file(*schema).dump());
}

void add_answer_form(Command& command, AnswerForm& form) {
  command.text("--json-schema", {"FILE|JSON", ValueKind::file}, form.schema,
               "answers are JSON that this schema describes; see docs/output_form.md");
  command.text("--form", {"TEMPLATE", ValueKind::text}, form.example,
               "answers are JSON like this: {\"bbox_2d\": [int, int, int, int], \"label\": string}");
}

}  // namespace cli
