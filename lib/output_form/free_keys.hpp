// Keys of members that an object's form does not name.
#pragma once

#include <vector>

#include "grammar.hpp"
#include "values.hpp"

namespace octavo::output_form {

/// A string in quotes that is the key of none of `members`, which have a form of their own. Each key has one spelling,
/// so that none comes back in disguise: characters stand for themselves but for the short escapes.
StateId write_free_key(Grammar& grammar, StateId from, const std::vector<Member>& members);

}  // namespace octavo::output_form
