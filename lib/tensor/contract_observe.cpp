// What an observer hears of a finished operation.
#include <algorithm>

#include "contract_terms.hpp"
#include "octavo/contract.hpp"

namespace octavo {

namespace {

int row_dim_of(const detail::ParsedContract& parsed, const detail::Argument& output) {
  for (std::size_t d = 0; d < output.dimensions.count; ++d) {
    const detail::Range alternatives = parsed.dimensions[output.dimensions.begin + d].alternatives;
    const detail::Range steps = parsed.expressions[alternatives.begin];
    for (std::size_t i = steps.begin; i < steps.begin + std::size_t{steps.count}; ++i) {
      const detail::Step& step = parsed.steps[i];
      if (step.kind == 'l' && counts_rows(parsed.text(parsed.letters[step.letter]))) return static_cast<int>(d);
    }
  }
  return -1;
}

}  // namespace

void Binder::tell(OperationObserver& observer, std::initializer_list<Output> outputs) const {
  const detail::ParsedContract& parsed = contract_.parsed();
  if (!checked_) check();  // operations that trust their caller come unchecked
  Binder whole(*this);     // outputs bind the letters that no argument shows
  for (const Output& output : outputs) whole.arg(output.name, output.value);
  const Binder& bound = broken_ ? *this : whole;
  try {
    const ObserverScope quiet(nullptr);
    if (!broken_) whole.check();
  } catch (const Error& error) {
    throw Error(ErrorCode::internal, std::string("an operation's result breaks its own contract: ") + error.what());
  }
  ObservedOperation operation;
  operation.module_path = module_path_;
  operation.operation = contract_.op();
  operation.contract = contract_.text();
  for (std::size_t i = 0; i < parsed.letters.size(); ++i)
    if (bound.letters_[i].bound) operation.dims.push_back({parsed.text(parsed.letters[i]), bound.letters_[i].value});
  for (const Given& given : given_)
    operation.arguments.push_back(
        {parsed.text(parsed.arguments[given.argument].name), given.dtype, given.shape, nullptr, -1, given.is_weight});
  const Output* output = outputs.begin();
  for (std::size_t i = given_.size(); i < whole.given_.size(); ++i, ++output) {
    const Given& given = whole.given_[i];
    const detail::Argument& wanted = parsed.arguments[given.argument];
    operation.outputs.push_back(
        {parsed.text(wanted.name), given.dtype, given.shape, &output->value, row_dim_of(parsed, wanted), false});
  }
  operation.workspace_bytes = workspace_bytes_;
  operation.caller_bytes = caller_bytes_;
  observer.on_operation(operation);
}

}  // namespace octavo
