// Numbers between two, digit by digit: exact, since decimals are compared as decimals.
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>

#include "numbers.hpp"
#include "octavo/error.hpp"

namespace octavo::output_form {
namespace {

constexpr std::size_t kMostFraction = 9, kExactDigits = 15;

/// What is not negative, as digits.
struct Decimal {
  std::int64_t whole = 0;
  std::string fraction{};  // without zeros at its end
  bool exclusive = false;

  std::size_t whole_digits() const { return std::to_string(whole).size(); }
};

Decimal decimal_of(double value, bool exclusive) {
  if (!(std::abs(value) < static_cast<double>(kLargestInteger)))
    throw Error(ErrorCode::unsupported, "output form: a bound of numbers has at most 18 digits before its point");
  std::array<char, 512> text{};
  const auto written = std::to_chars(text.data(), text.data() + text.size(), std::abs(value), std::chars_format::fixed);
  const std::string digits(text.data(), written.ptr);
  const std::size_t point = std::min(digits.find('.'), digits.size());
  Decimal decimal;
  std::from_chars(digits.data(), digits.data() + point, decimal.whole);
  if (point < digits.size()) decimal.fraction = digits.substr(point + 1);
  while (!decimal.fraction.empty() && decimal.fraction.back() == '0') decimal.fraction.pop_back();
  decimal.exclusive = exclusive;
  return decimal;
}

/// The digits behind a point, where the whole part equals that of the lower bound, the upper one, both or neither.
class Fraction {
 public:
  Fraction(Grammar& grammar, const Decimal* least, const Decimal* most, std::size_t most_digits)
      : grammar_(grammar), least_(least), most_(most), most_digits_(most_digits), end_(grammar.new_state()) {}

  StateId write(StateId whole) {
    if (may_end(0, least_ != nullptr, most_ != nullptr)) grammar_.free_edge(whole, end_);
    const StateId point = grammar_.byte(whole, '.', '.');
    digits(point, 0, least_ != nullptr, most_ != nullptr);
    return end_;
  }

 private:
  /// `at_least`, `at_most`: the digits so far are the bound's own. Those that come after are zeros, if it ends here.
  bool may_end(std::size_t count, bool at_least, bool at_most) const {
    if (at_least && (count < least_->fraction.size() || least_->exclusive)) return false;
    return !(at_most && count >= most_->fraction.size() && most_->exclusive);
  }

  static char digit_of(const Decimal& bound, std::size_t index) {
    return index < bound.fraction.size() ? bound.fraction[index] : '0';
  }

  void digits(StateId from, std::size_t count, bool at_least, bool at_most) {
    if (count == most_digits_) return;
    const char low = at_least ? digit_of(*least_, count) : '0';
    const char high = at_most ? digit_of(*most_, count) : '9';
    for (char digit = low; digit <= high; ++digit) {
      const auto byte = static_cast<std::uint8_t>(digit);
      grammar_.byte_edge(from, byte, byte, behind(count + 1, at_least && digit == low, at_most && digit == high));
    }
  }

  StateId behind(std::size_t count, bool at_least, bool at_most) {
    const auto [known, added] = behind_.try_emplace({count, at_least, at_most});
    if (!added) return known->second;
    const StateId state = known->second = grammar_.new_state();
    if (may_end(count, at_least, at_most)) grammar_.free_edge(state, end_);
    digits(state, count, at_least, at_most);
    return state;
  }

  Grammar& grammar_;
  const Decimal* least_;
  const Decimal* most_;
  std::size_t most_digits_;
  StateId end_;
  std::map<std::tuple<std::size_t, bool, bool>, StateId> behind_;
};

/// Numbers that are not negative; no `most`: without end.
void write_range(Grammar& grammar, StateId from, StateId to, const Decimal& least, const Decimal* most) {
  const std::size_t own = std::max(least.fraction.size(), most == nullptr ? 0 : most->fraction.size());
  const std::size_t whole = std::max(least.whole_digits(), most == nullptr ? 1 : most->whole_digits());
  const std::size_t digits = std::max(own, std::min(kMostFraction, kExactDigits - std::min(whole, kExactDigits)));
  const std::int64_t last = most == nullptr ? kLargestInteger : most->whole;
  if (least.whole > last) return;
  const auto end_of = [&](StateId behind, const Decimal* low, const Decimal* high) {
    grammar.free_edge(Fraction(grammar, low, high, digits).write(behind), to);
  };
  const bool one = most != nullptr && least.whole == last;
  end_of(grammar.literal(from, std::to_string(least.whole)), &least, one ? most : nullptr);
  if (one) return;
  const std::int64_t inner = most == nullptr ? last : last - 1;
  if (least.whole < inner) {
    const StateId behind = grammar.new_state();
    write_magnitudes(grammar, from, behind, least.whole + 1, inner);
    end_of(behind, nullptr, nullptr);
  }
  if (most != nullptr) end_of(grammar.literal(from, std::to_string(last)), nullptr, most);
}

}  // namespace

StateId write_number_between(Grammar& grammar, StateId from, const std::optional<NumberBound>& least,
                             const std::optional<NumberBound>& most) {
  const StateId to = grammar.new_state();
  const auto decimal = [](const std::optional<NumberBound>& bound) {
    return bound ? std::optional<Decimal>(decimal_of(bound->value, bound->exclusive)) : std::nullopt;
  };
  const std::optional<Decimal> low = decimal(least), high = decimal(most);
  const bool low_negative = !least || least->value < 0, high_negative = most && most->value < 0;
  if (!high_negative) write_range(grammar, from, to, low_negative ? Decimal{} : *low, high ? &*high : nullptr);
  if (low_negative) {  // what follows the minus grows the other way; -0 is left out
    const StateId minus = grammar.byte(from, '-', '-');
    write_range(grammar, minus, to, high_negative ? *high : Decimal{0, {}, true}, low ? &*low : nullptr);
  }
  return to;
}

}  // namespace octavo::output_form
