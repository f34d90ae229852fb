#include "octavo/nearest.hpp"

#include <algorithm>
#include <string_view>

namespace octavo {

namespace {

// Restricted Damerau-Levenshtein distance (L. Boytsov, "Indexing methods for approximate dictionary searching", 2011,
// section 2.2: optimal string alignment).
std::size_t edit_distance(std::string_view a, std::string_view b) {
  const std::size_t columns = b.size() + 1;
  std::vector<std::size_t> table((a.size() + 1) * columns);
  const auto at = [&](std::size_t i, std::size_t j) -> std::size_t& { return table[i * columns + j]; };
  for (std::size_t i = 0; i <= a.size(); ++i) at(i, 0) = i;
  for (std::size_t j = 0; j <= b.size(); ++j) at(0, j) = j;
  for (std::size_t i = 1; i <= a.size(); ++i)
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t changed = at(i - 1, j - 1) + (a[i - 1] == b[j - 1] ? 0 : 1);
      at(i, j) = std::min({changed, at(i - 1, j) + 1, at(i, j - 1) + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        at(i, j) = std::min(at(i, j), at(i - 2, j - 2) + 1);
    }
  return table.back();
}

std::string_view letters(std::string_view word) {
  const std::size_t first = word.find_first_not_of('-');
  return first == std::string_view::npos ? std::string_view() : word.substr(first);
}

}  // namespace

std::string nearest(const std::string& word, const std::vector<std::string>& known) {
  std::string best;
  std::size_t least = 0;
  const std::string_view asked = letters(word);
  for (const std::string& name : known) {
    const std::string_view candidate = letters(name);
    const std::size_t distance = edit_distance(asked, candidate);
    if (distance > std::max<std::size_t>(1, asked.size() / 3)) continue;
    if (2 * distance >= std::min(asked.size(), candidate.size())) continue;
    if (!best.empty() && distance >= least) continue;
    best = name;
    least = distance;
  }
  return best;
}

}  // namespace octavo
