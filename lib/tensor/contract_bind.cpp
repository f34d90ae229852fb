// What an operation binds before its check, and what it may ask after it.
#include <algorithm>
#include <array>
#include <limits>
#include <span>

#include "octavo/contract.hpp"
#include "octavo/ledger.hpp"

namespace octavo {

using detail::Argument;
using detail::ParsedContract;
using detail::Range;
using detail::Step;

Binder::Binder(const Contract& contract, std::string_view module_path)
    : contract_(contract), module_path_(module_path) {}

Binder& Binder::dim(std::string_view letter, std::int64_t value, std::string_view origin) {
  const ParsedContract& parsed = contract_.parsed();
  for (std::size_t i = 0; i < parsed.letters.size(); ++i) {
    if (parsed.text(parsed.letters[i]) != letter) continue;
    letters_[i] = {.value = value, .origin = origin, .bound = true};
    return *this;
  }
  throw Error(ErrorCode::invalid_argument, "contract " + std::string(contract_.op()) + " has no letter " +
                                               std::string(letter) + ": " + std::string(contract_.text()));
}

Binder& Binder::arg(std::string_view name, const Tensor& tensor) {
  if (!tensor.defined())
    throw Error(ErrorCode::invalid_argument, std::string(contract_.op()) +
                                                 (module_path_.empty() ? "" : " (" + std::string(module_path_) + ")") +
                                                 ": " + std::string(name) + " is an undefined tensor");
  has_data_ = has_data_ && !tensor.is_meta();
  return arg(name, tensor.dtype(), tensor.shape());
}

Binder& Binder::weight(std::string_view name, const Tensor& tensor) {
  arg(name, tensor);
  given_.back().is_weight = true;
  return *this;
}

Binder& Binder::weight(std::string_view name, DType dtype, const Shape& shape, bool has_data) {
  has_data_ = has_data_ && has_data;
  arg(name, dtype, shape);
  given_.back().is_weight = true;
  return *this;
}

Binder& Binder::given(std::string_view name, const Tensor& tensor) {
  if (!Ledger::counts(tensor)) caller_bytes_ += tensor.size_bytes();
  return arg(name, tensor);
}

Binder& Binder::given(std::string_view name, DType dtype, const Shape& shape) {
  caller_bytes_ += static_cast<std::uint64_t>(shape.numel()) * size_of(dtype);
  return arg(name, dtype, shape);
}

Binder& Binder::workspace(std::uint64_t bytes) {
  workspace_bytes_ = bytes;
  return *this;
}

Binder& Binder::arg_if(std::string_view name, const Tensor& tensor) {
  return tensor.defined() ? arg(name, tensor) : *this;
}

Binder& Binder::arg(std::string_view name, DType dtype, const Shape& shape) {
  const ParsedContract& parsed = contract_.parsed();
  for (std::size_t i = 0; i < parsed.arguments.size(); ++i) {
    if (parsed.text(parsed.arguments[i].name) != name) continue;
    if (given_.full())
      throw Error(ErrorCode::invalid_argument, "contract " + std::string(contract_.op()) + ": more than " +
                                                   std::to_string(given_.size()) +
                                                   " arguments were given: name each once");
    given_.push_back({i, dtype, shape, false});
    bind_letters(given_.size() - 1);
    return *this;
  }
  throw Error(ErrorCode::invalid_argument, "contract " + std::string(contract_.op()) + " has no argument " +
                                               std::string(name) + ": " + std::string(contract_.text()));
}

std::optional<std::int64_t> Binder::evaluate(Range steps) const {
  std::array<std::int64_t, 32> stack{};
  std::size_t depth = 0;
  const ParsedContract& parsed = contract_.parsed();
  for (std::size_t i = steps.begin; i < steps.begin + std::size_t{steps.count}; ++i) {
    const Step& step = parsed.steps[i];
    if (step.kind == 'l' || step.kind == 'n') {
      if (depth == stack.size() || (step.kind == 'l' && !letters_[step.letter].bound)) return std::nullopt;
      stack[depth++] = step.kind == 'n' ? step.number : letters_[step.letter].value;
      continue;
    }
    const std::int64_t right = stack[--depth];
    std::int64_t& left = stack[depth - 1];
    bool overflow = false;
    switch (step.kind) {
      case '+':
        overflow = __builtin_add_overflow(left, right, &left);
        break;
      case '-':
        overflow = __builtin_sub_overflow(left, right, &left);
        break;
      case '*':
        overflow = __builtin_mul_overflow(left, right, &left);
        break;
      default:
        // The least int64 by -1 is no int64, and stops the processor.
        if (right == 0 || (right == -1 && left == std::numeric_limits<std::int64_t>::min())) return std::nullopt;
        left = step.kind == '/' ? left / right : left % right;
    }
    if (overflow) return std::nullopt;
  }
  return stack[0];
}

void Binder::bind_letters(std::size_t index) {
  const Given& given = given_[index];
  const ParsedContract& parsed = contract_.parsed();
  const Argument& argument = parsed.arguments[given.argument];
  if (given.shape.rank() != argument.dimensions.count) return;  // check() says so
  for (int d = 0; d < given.shape.rank(); ++d) {
    const Range alternatives = parsed.dimensions[argument.dimensions.begin + static_cast<std::size_t>(d)].alternatives;
    const auto expression = [&](std::size_t i) { return parsed.expressions[alternatives.begin + i]; };
    bool fits = false;
    for (std::size_t i = 0; i < alternatives.count; ++i) fits = fits || evaluate(expression(i)) == given.shape[d];
    for (std::size_t i = 0; i < alternatives.count && !fits; ++i) {
      const Range steps = expression(i);
      const Step& only = parsed.steps[steps.begin];
      if (steps.count != 1 || only.kind != 'l' || letters_[only.letter].bound) continue;
      letters_[only.letter] = {.value = given.shape[d],
                               .origin = {},
                               .given = static_cast<std::uint8_t>(index),
                               .at = static_cast<std::uint8_t>(d),
                               .bound = true};
      fits = true;
    }
  }
}

std::string Binder::source_of(const Letter& letter) const {
  if (!letter.origin.empty()) return std::string(letter.origin);
  const Given& given = given_[letter.given];
  const ParsedContract& parsed = contract_.parsed();
  return std::string(parsed.text(parsed.arguments[given.argument].name)) + " " + given.shape.to_string() + " dim " +
         std::to_string(letter.at);
}

Tensor Binder::output(std::string_view name, DType dtype, const Shape& expected) const {
  if (has_data_) return Tensor::empty(dtype, expected);
  return Tensor::meta(dtype, broken_ ? expected : shape_of(name));
}

Tensor Binder::view(std::string_view name, const Tensor& of, const Shape& expected) const {
  if (broken_ && of.numel() != expected.numel()) return Tensor::meta(of.dtype(), expected);
  return of.reshape(broken_ ? expected : shape_of(name));
}

std::int64_t Binder::value(std::string_view letter) const {
  const ParsedContract& parsed = contract_.parsed();
  for (std::size_t i = 0; i < parsed.letters.size(); ++i)
    if (parsed.text(parsed.letters[i]) == letter && letters_[i].bound) return letters_[i].value;
  throw Error(ErrorCode::invalid_argument,
              "contract " + std::string(contract_.op()) + ": nothing bound the letter " + std::string(letter));
}

Shape Binder::shape_of(std::string_view output) const {
  const ParsedContract& parsed = contract_.parsed();
  for (std::size_t i = 0; i < parsed.arguments.size(); ++i) {
    const Argument& argument = parsed.arguments[i];
    if (parsed.text(argument.name) != output) continue;
    std::array<std::int64_t, Shape::kMaxRank> dims{};
    for (std::size_t d = 0; d < argument.dimensions.count; ++d) {
      const Range alternatives = parsed.dimensions[argument.dimensions.begin + d].alternatives;
      const std::optional<std::int64_t> value = evaluate(parsed.expressions[alternatives.begin]);
      if (!value)
        throw Error(ErrorCode::invalid_argument, "contract " + std::string(contract_.op()) + ": dimension " +
                                                     std::to_string(d) + " of " + std::string(output) +
                                                     " is not bound");
      dims[d] = *value;
    }
    return Shape(std::span<const std::int64_t>(dims.data(), argument.dimensions.count));
  }
  throw Error(ErrorCode::invalid_argument,
              "contract " + std::string(contract_.op()) + " has no argument " + std::string(output));
}

}  // namespace octavo
