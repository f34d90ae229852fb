// Octavo's side of forms_check.py: a job a line, {"schema" or "example" or "pattern": text, "walks": count, "texts":
// [...]}; writes {"walks": [texts that random bytes of the form make], "matches": [whether each text has it]}, or
// {"error": ..., "code": ...}.
//   form_lines < jobs.jsonl
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <iostream>
#include <random>
#include <string>
#include <vector>

#include "octavo/json.hpp"
#include "octavo/output_form.hpp"

namespace {

using octavo::FormState;
using octavo::Json;
using octavo::JsonBuilder;
using octavo::OutputForm;

constexpr std::size_t kBytes = 256, kLongest = 4000;

OutputForm form_of(const Json& job) {
  if (const auto schema = job.find("schema")) return OutputForm::json_schema(schema->as_string());
  if (const auto example = job.find("example")) return OutputForm::example(example->as_string());
  return OutputForm::pattern(job.at("pattern").as_string());
}

/// A text of the form, or "" where none came about.
std::string walk(FormState state, std::mt19937_64& random) {
  std::string text;
  std::vector<float> logits(kBytes);
  while (text.size() < kLongest) {
    if (state.exhausted() || (state.complete() && random() % 3 == 0)) return text;
    logits.assign(kBytes, 0.0F);
    state.mask(logits);
    std::vector<std::int32_t> allowed;
    for (std::size_t byte = 0; byte < kBytes; ++byte)
      if (!std::isinf(logits[byte])) allowed.push_back(static_cast<std::int32_t>(byte));
    std::int32_t next = allowed[random() % allowed.size()];
    if (text.size() > 40 || random() % 3 == 0)  // towards an end
      for (const std::int32_t closing : {'"', ']', '}'})
        if (!std::isinf(logits[static_cast<std::size_t>(closing)])) next = closing;
    state.take(next);
    text += static_cast<char>(static_cast<unsigned char>(next));
  }
  return "";
}

}  // namespace

int main() {
  std::vector<std::string> bytes;
  for (std::size_t byte = 0; byte < kBytes; ++byte) bytes.emplace_back(1, static_cast<char>(byte));
  const octavo::FormVocabulary vocabulary(bytes);
  std::mt19937_64 random(1);
  for (std::string line; std::getline(std::cin, line);) {
    JsonBuilder answer = JsonBuilder::object();
    try {
      const Json job = Json::parse(line, "standard input");
      const OutputForm form = form_of(job);
      JsonBuilder walks = JsonBuilder::array(), matches = JsonBuilder::array();
      for (std::int64_t i = job.get_int("walks", 0); i > 0; --i)
        if (const std::string text = walk(FormState(form, vocabulary, {}), random); !text.empty()) walks.push(text);
      if (const auto texts = job.find("texts"))
        for (std::size_t i = 0; i < texts->size(); ++i) matches.push(form.matches(texts->at(i).as_string()));
      answer.set("walks", std::move(walks)).set("matches", std::move(matches));
    } catch (const octavo::Error& error) {
      answer.set("error", error.what()).set("code", octavo::error_code_name(error.code()));
    }
    std::printf("%s\n", answer.dump().c_str());
  }
  return 0;
}
