/// @file
/// "did you mean": the known word that a misspelt one is closest to.
#pragma once

#include <string>
#include <vector>

namespace octavo {

/// Among words that are closer than chance: at most a third of the letters differ (one in a short word), where letters
/// changed, added, left out or swapped with their neighbour count one each. "" when none is.
std::string nearest(const std::string& word, const std::vector<std::string>& known);

}  // namespace octavo
