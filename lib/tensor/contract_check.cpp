#include <algorithm>
#include <array>

#include "contract_terms.hpp"
#include "octavo/contract.hpp"

namespace octavo {

using detail::Argument;
using detail::Condition;
using detail::ParsedContract;
using detail::Range;
using detail::Relation;
using detail::Step;

Contract Contract::parse(std::string_view text) {
  try {
    return Contract(detail::ContractParser(text).parse());
  } catch (const detail::ContractSyntax& syntax) {
    throw Error(ErrorCode::format, "contract \"" + std::string(text) + "\": expected " + syntax.what + " at offset " +
                                       std::to_string(syntax.offset));
  }
}

namespace {

std::string named(std::string_view letter) {
  const std::string_view meaning = meaning_of(letter);
  return meaning == letter ? std::string(letter) : std::string(letter) + ", " + std::string(meaning);
}

std::string dtype_list(std::uint8_t dtypes) {
  std::string text;
  for (unsigned i = 0; i < 7; ++i)
    if ((dtypes >> i & 1U) != 0) text += (text.empty() ? "" : " or ") + std::string(dtype_name(static_cast<DType>(i)));
  return text;
}

constexpr const char* kNoValue = " has no value: it exceeds 64 bits or divides by 0";

bool holds(Relation relation, std::int64_t left, std::int64_t right) {
  switch (relation) {
    case Relation::equal:
      return left == right;
    case Relation::not_equal:
      return left != right;
    case Relation::less:
      return left < right;
    case Relation::less_equal:
      return left <= right;
    case Relation::greater:
      return left > right;
    case Relation::greater_equal:
      return left >= right;
  }
  return false;
}

}  // namespace

// The checks and their messages, apart from the binding so that each reads on its own.
class BinderCheck {
 public:
  explicit BinderCheck(const Binder& binder) : binder_(binder), parsed_(binder.contract_.parsed()) {}

  void run() {
    for (const Binder::Given& given : binder_.given_) argument(given);
    for (std::size_t i = 0; i < parsed_.arguments.size(); ++i) {
      const Argument& wanted = parsed_.arguments[i];
      const bool present = std::any_of(binder_.given_.begin(), binder_.given_.end(),
                                       [&](const Binder::Given& given) { return given.argument == i; });
      if (!present && !wanted.optional && !wanted.output)
        throw Error(ErrorCode::invalid_argument, head() + "the argument " + std::string(parsed_.text(wanted.name)) +
                                                     " is missing. Contract: " + std::string(parsed_.text()));
    }
    for (std::size_t i = 0; i < parsed_.conditions.size(); ++i) condition(parsed_.conditions[i]);
  }

 private:
  std::optional<std::int64_t> letter_value(std::string_view letter) const {
    for (std::size_t i = 0; i < parsed_.letters.size(); ++i)
      if (parsed_.text(parsed_.letters[i]) == letter && binder_.letters_[i].bound) return binder_.letters_[i].value;
    return std::nullopt;
  }

  void argument(const Binder::Given& given) {
    const Argument& wanted = parsed_.arguments[given.argument];
    if (given.shape.rank() != wanted.dimensions.count) {
      name(wanted);
      detail_.dim = -1;
      detail_.dim_name = "rank";
      detail_.expected = wanted.dimensions.count;
      detail_.actual = given.shape.rank();
      fail(head() + shown(given) + " has " + std::to_string(detail_.actual) + " dimensions, the contract has " +
               std::to_string(detail_.expected) + ": " + std::string(parsed_.text()),
           "rank");
    }
    if (wanted.dtypes != 0 && (wanted.dtypes >> static_cast<unsigned>(given.dtype) & 1U) == 0) {
      name(wanted);
      detail_.dim = -1;
      detail_.dim_name = "dtype";
      throw Error(
          ErrorCode::dtype_mismatch,
          head() + shown(given) + " holds " + dtype_name(given.dtype) + ", " + dtype_list(wanted.dtypes) + " is needed",
          detail_);
    }
    for (int d = 0; d < given.shape.rank(); ++d) dimension(given, wanted, d);
  }

  void dimension(const Binder::Given& given, const Argument& wanted, int d) {
    const Range alternatives = parsed_.dimensions[wanted.dimensions.begin + static_cast<std::size_t>(d)].alternatives;
    std::optional<std::int64_t> expected;
    for (std::size_t i = 0; i < alternatives.count; ++i) {
      const std::optional<std::int64_t> value = binder_.evaluate(parsed_.expressions[alternatives.begin + i]);
      if (value == given.shape[d]) return;
      if (!value && !all_bound(parsed_.expressions[alternatives.begin + i])) return;  // cannot be wrong here
      if (!expected) expected = value;
    }
    name(wanted);
    const Range first = parsed_.expressions[alternatives.begin];
    const Step& step = parsed_.steps[first.begin];
    const bool is_letter = first.count == 1 && step.kind == 'l';
    const std::string letter(is_letter ? parsed_.text(parsed_.letters[step.letter]) : std::string_view());
    detail_.dim = d;
    detail_.dim_name = is_letter ? named(letter) : spelled(first);
    detail_.expected = expected.value_or(0);
    detail_.actual = given.shape[d];

    std::string text = head() + shown(given) + " dim " + std::to_string(d);
    if (!expected) fail(text + ": " + detail_.dim_name + kNoValue + bound_letters(first) + ".", letter);
    if (first.count == 1 && step.kind == 'n' && alternatives.count == 1)
      fail(text + " is " + std::to_string(detail_.actual) + ", the contract says " + detail_.dim_name + ".", letter);
    text += " (" + detail_.dim_name + ") is " + std::to_string(detail_.actual) + ", but ";
    if (is_letter)
      text += binder_.source_of(binder_.letters_[step.letter]) + " set " + std::string(meaning_of(letter)) + " to " +
              std::to_string(detail_.expected);
    else
      text += detail_.dim_name + " is " + std::to_string(detail_.expected) + bound_letters(first);
    text += derivation(letter);
    for (std::size_t i = 1; i < alternatives.count; ++i)
      text += (i == 1 ? " (or " : ", ") + spelled(parsed_.expressions[alternatives.begin + i]);
    if (alternatives.count > 1) text += " would do)";
    text += ".";
    fail(std::move(text), letter);
  }

  void condition(const Condition& condition) {
    const std::optional<std::int64_t> left = binder_.evaluate(condition.left);
    const std::optional<std::int64_t> right = binder_.evaluate(condition.right);
    if (!left || !right || holds(condition.relation, *left, *right)) {
      if (left && right) return;
      if (!all_bound(condition.left) || !all_bound(condition.right)) return;  // an absent optional argument's letter
    }
    detail_.dim = -1;
    detail_.dim_name = std::string(parsed_.text(condition.text));
    detail_.expected = right.value_or(0);
    detail_.actual = left.value_or(0);
    std::string text = head() + detail_.dim_name + " does not hold";
    if (!left || !right) text += std::string(": a side") + kNoValue;
    if (left && right)
      text += ": the left side is " + std::to_string(*left) + ", the right side " + std::to_string(*right);
    text += bound_letters(condition.left, condition.right) + ".";
    fail(std::move(text), "");
  }

  // Words are made only once a check has failed.
  std::string head() const {
    const std::string module(binder_.module_path_);
    return std::string(binder_.contract_.op()) + (module.empty() ? "" : " (" + module + ")") + ": ";
  }
  std::string shown(const Binder::Given& given) const { return detail_.argument + " " + given.shape.to_string(); }
  // The failure is about this argument; else it is about a condition.
  void name(const Argument& argument) {
    name_operation();
    detail_.argument = std::string(parsed_.text(argument.name));
  }

  void name_operation() {
    detail_.op = std::string(binder_.contract_.op());
    detail_.module = std::string(binder_.module_path_);
  }

  [[noreturn]] void fail(std::string text, std::string_view letter) {
    name_operation();
    Violation violation;
    violation.op = detail_.op;
    violation.argument = detail_.argument;
    violation.letter = letter;
    if (detail_.argument.empty()) violation.condition = detail_.dim_name;
    violation.expected = detail_.expected;
    violation.actual = detail_.actual;
    violation.value_of = [this](std::string_view name) { return letter_value(name); };
    const std::string remedy = remedy_for(violation);
    if (!remedy.empty()) text += (text.ends_with('.') ? " " : ". ") + remedy;
    throw Error(ErrorCode::shape_mismatch, std::move(text), detail_);
  }

  // " = past 227 + new 228", when a condition of the contract says how the letter comes about.
  std::string derivation(std::string_view letter) const {
    if (letter != "Lk") return "";
    const auto past = letter_value("past");
    const auto q_len = letter_value("Lq");
    const auto kv_len = letter_value("Lk");
    if (!past || !q_len || !kv_len || *past + *q_len != *kv_len || *past == 0) return "";
    return " = past " + std::to_string(*past) + " + new " + std::to_string(*q_len);
  }

  bool all_bound(Range steps) const {
    for (std::size_t i = steps.begin; i < steps.begin + std::size_t{steps.count}; ++i)
      if (parsed_.steps[i].kind == 'l' && !binder_.letters_[parsed_.steps[i].letter].bound) return false;
    return true;
  }

  // " (num_attention_heads Hq is 5 by q dim 1, ...)"
  std::string bound_letters(Range a, Range b = {}) const {
    std::string text;
    std::vector<std::uint8_t> seen;
    for (const Range& steps : {a, b})
      for (std::size_t i = steps.begin; i < steps.begin + std::size_t{steps.count}; ++i) {
        const Step& step = parsed_.steps[i];
        if (step.kind != 'l' || !binder_.letters_[step.letter].bound) continue;
        if (std::find(seen.begin(), seen.end(), step.letter) != seen.end()) continue;
        seen.push_back(step.letter);
        const Binder::Letter& bound = binder_.letters_[step.letter];
        text += (text.empty() ? " (" : "; ") + named(parsed_.text(parsed_.letters[step.letter])) + " is " +
                std::to_string(bound.value) + " by " + binder_.source_of(bound);
      }
    return text.empty() ? text : text + ")";
  }

  // An expression as it was written, but for brackets.
  std::string spelled(Range steps) const {
    std::vector<std::string> stack;
    for (std::size_t i = steps.begin; i < steps.begin + std::size_t{steps.count}; ++i) {
      const Step& step = parsed_.steps[i];
      if (step.kind == 'n') {
        stack.push_back(std::to_string(step.number));
      } else if (step.kind == 'l') {
        stack.emplace_back(parsed_.text(parsed_.letters[step.letter]));
      } else {
        const std::string right = std::move(stack.back());
        stack.pop_back();
        stack.back() += std::string(1, step.kind) + right;
      }
    }
    return stack.empty() ? "" : stack.back();
  }

  const Binder& binder_;
  const ParsedContract& parsed_;
  ShapeDetail detail_;  // empty while all is well
};

void Binder::check() const {
  checked_ = true;
  OperationObserver* observer = current_observer();
  if (observer == nullptr) return BinderCheck(*this).run();
  try {
    BinderCheck(*this).run();
  } catch (const Error& error) {
    broken_ = observer->on_problem(error);
    if (broken_) return;
    const std::string recent = observer->recent();
    if (recent.empty() || error.shape() == nullptr) throw;
    throw Error(error.code(), std::string(error.what()) + "\n" + recent, *error.shape());
  }
}

}  // namespace octavo
