#include "values.hpp"

#include "octavo/error.hpp"

namespace octavo::output_form {

/// Choices alone take no byte. Those that lead to no circle are taken away, from the last on; what stays is one.
void refuse_empty_circles(const Values& values) {
  std::vector<std::size_t> open(values.size(), 0);
  std::vector<std::vector<ValueId>> chosen_by(values.size());
  std::vector<ValueId> through;
  for (ValueId id = 0; id < values.size(); ++id) {
    if (const auto* choice = std::get_if<OneOf>(&values[id])) {
      open[id] = choice->values.size();
      for (const ValueId value : choice->values) chosen_by[value].push_back(id);
    }
    if (open[id] == 0) through.push_back(id);
  }
  for (std::size_t i = 0; i < through.size(); ++i)
    for (const ValueId choice : chosen_by[through[i]])
      if (--open[choice] == 0) through.push_back(choice);
  if (through.size() != values.size())
    throw Error(ErrorCode::invalid_argument,
                "output form: a $ref leads back to where it stands with neither an object nor an array between");
}

}  // namespace octavo::output_form
