// Numbers of JSON, as many as a reader's types hold.
#pragma once

#include <cstdint>
#include <optional>

#include "grammar.hpp"
#include "values.hpp"

namespace octavo::output_form {

/// Whole numbers from `least`, which is not negative, to `most`.
void write_magnitudes(Grammar& grammar, StateId from, StateId to, std::int64_t least, std::int64_t most);

/// An integer from `least` to `most` without leading zeros; both at most 18 digits. Returns where it ends.
StateId write_integer(Grammar& grammar, StateId from, std::int64_t least, std::int64_t most);

/// A number of JSON with at most 18 digits before the point, 18 behind it, and 2 of an exponent, so that a double holds
/// it.
StateId write_number(Grammar& grammar, StateId from);

/// A number from `least` to `most` without an exponent. Behind the point stand at most 9 digits, and fewer next to
/// large bounds: with 15 digits in all no two of them are the same double, so that what is below a bound stays below.
/// @throws Error  unsupported for bounds of more than 18 digits before the point.
StateId write_number_between(Grammar& grammar, StateId from, const std::optional<NumberBound>& least,
                             const std::optional<NumberBound>& most);

}  // namespace octavo::output_form
