#include "numbers.hpp"

#include <algorithm>
#include <string>

#include "characters.hpp"

namespace octavo::output_form {
namespace {

constexpr int kMostDigits = 18;

/// At least one digit, at most `most`.
void digits(Grammar& grammar, StateId from, StateId to, int most) {
  for (int i = 0; i < most; ++i) {
    from = grammar.byte(from, '0', '9');
    grammar.free_edge(from, to);
  }
}

/// Without a leading zero, at most 18 digits.
void whole_digits(Grammar& grammar, StateId from, StateId to, bool zero) {
  const StateId first = grammar.byte(from, '1', '9');
  grammar.free_edge(first, to);
  digits(grammar, first, to, kMostDigits - 1);
  if (zero) grammar.byte_edge(from, '0', '0', to);
}

}  // namespace

void write_magnitudes(Grammar& grammar, StateId from, StateId to, std::int64_t least, std::int64_t most) {
  if (most == kLargestInteger && least <= 1) return whole_digits(grammar, from, to, least == 0);
  for (std::int64_t first = 0, last = 9;; first = last + 1, last = last * 10 + 9) {  // of one length
    const std::int64_t low = std::max(first, least), high = std::min(last, most);
    if (low <= high) between(grammar, from, to, std::to_string(low), std::to_string(high), '0', '9');
    if (last >= most) return;
  }
}

StateId write_integer(Grammar& grammar, StateId from, std::int64_t least, std::int64_t most) {
  const StateId to = grammar.new_state();
  if (most >= 0) write_magnitudes(grammar, from, to, std::max<std::int64_t>(least, 0), most);
  if (least < 0) {
    const StateId minus = grammar.byte(from, '-', '-');
    write_magnitudes(grammar, minus, to, std::max<std::int64_t>(-most, 1), -least);
  }
  return to;
}

StateId write_number(Grammar& grammar, StateId from) {
  const StateId unsigned_part = grammar.byte(from, '-', '-');
  grammar.free_edge(from, unsigned_part);
  const StateId whole = grammar.new_state();
  whole_digits(grammar, unsigned_part, whole, true);
  const StateId fraction = grammar.new_state(), end = grammar.new_state();
  grammar.free_edge(whole, fraction);
  digits(grammar, grammar.byte(whole, '.', '.'), fraction, kMostDigits);
  grammar.free_edge(fraction, end);
  const StateId exponent = grammar.byte(fraction, 'e', 'e');
  grammar.byte_edge(fraction, 'E', 'E', exponent);
  const StateId exponent_digits = grammar.byte(exponent, '+', '+');
  grammar.byte_edge(exponent, '-', '-', exponent_digits);
  grammar.free_edge(exponent, exponent_digits);
  digits(grammar, exponent_digits, end, 2);
  return end;
}

}  // namespace octavo::output_form
