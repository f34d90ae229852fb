#include "octavo/output_form.hpp"

#include <utility>

#include "automaton.hpp"
#include "characters.hpp"
#include "example.hpp"
#include "form.hpp"
#include "json_grammar.hpp"
#include "regular.hpp"
#include "schema.hpp"
#include "utf8.hpp"

namespace octavo {
namespace {

constexpr std::size_t kMostText = std::size_t{1} << 20;  // bytes of a schema, a template, an expression

std::string_view checked(std::string_view text) {
  if (text.size() > kMostText)
    throw Error(ErrorCode::invalid_argument,
                "output form: its text has " + std::to_string(text.size()) + " bytes, 1 MiB is the most");
  return text;
}

std::shared_ptr<const output_form::Grammar> shared(output_form::Grammar grammar) {
  return std::make_shared<const output_form::Grammar>(std::move(grammar));
}

/// kNowhere where no text of the form begins like `text`.
bool follow(output_form::Automaton& automaton, std::string_view text, output_form::PositionId& at) {
  for (const char c : text) {
    at = automaton.next(at, static_cast<std::uint8_t>(c));
    if (at == output_form::kNowhere) return false;
    if (automaton.full()) automaton.forget({&at, 1});
  }
  return true;
}

}  // namespace

OutputForm OutputForm::json_schema(std::string_view schema, const FormOptions& options) {
  const output_form::Values values = output_form::read_schema(checked(schema));
  return OutputForm(std::make_shared<const Impl>(Impl{shared(output_form::json_grammar(values, options))}));
}

OutputForm OutputForm::example(std::string_view text, const FormOptions& options) {
  const output_form::Values values = output_form::read_example(checked(text));
  return OutputForm(std::make_shared<const Impl>(Impl{shared(output_form::json_grammar(values, options))}));
}

OutputForm OutputForm::pattern(std::string_view expression) {
  const auto regular = output_form::Regular::parse(checked(expression), true);
  output_form::Grammar grammar;
  const output_form::RuleId root = grammar.new_rule();
  grammar.end_rule(regular.write(grammar, grammar.start_of(root), output_form::utf8_edges));
  grammar.finish(root);
  return OutputForm(std::make_shared<const Impl>(Impl{shared(std::move(grammar))}));
}

OutputForm OutputForm::choices(std::span<const std::string> texts) {
  output_form::Grammar grammar;
  const output_form::RuleId root = grammar.new_rule();
  for (const std::string& text : texts) {
    if (text.empty() || !output_form::is_utf8(text))
      throw Error(ErrorCode::invalid_argument, text.empty() ? "output form: one of the choices is empty"
                                                            : "output form: a choice is not valid UTF-8");
    grammar.end_rule(grammar.literal(grammar.start_of(root), text));
  }
  if (texts.empty()) throw Error(ErrorCode::invalid_argument, "output form: there are no choices: give at least one");
  grammar.finish(root);
  return OutputForm(std::make_shared<const Impl>(Impl{shared(std::move(grammar))}));
}

bool OutputForm::matches(std::string_view text) const {
  output_form::Automaton automaton(impl_->grammar);
  output_form::PositionId at = automaton.begin();
  return follow(automaton, text, at) && automaton.complete(at);
}

bool OutputForm::begins(std::string_view text) const {
  output_form::Automaton automaton(impl_->grammar);
  output_form::PositionId at = automaton.begin();
  return follow(automaton, text, at);
}

std::size_t OutputForm::states() const noexcept { return impl_->grammar->states(); }

}  // namespace octavo
