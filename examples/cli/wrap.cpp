#include "wrap.hpp"

#include <algorithm>

namespace cli {

std::string wrapped(const std::string& text, std::size_t columns, std::size_t first_column, std::size_t indent) {
  std::string out;
  std::size_t column = first_column;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find(' ', begin), text.size());
    const bool first = out.empty();
    if (!first && column + 1 + end - begin > columns) {
      out += "\n" + std::string(indent, ' ');
      column = indent;
    } else if (!first) {
      out += ' ';
      ++column;
    }
    out.append(text, begin, end - begin);
    column += end - begin;
    begin = end + 1;
  }
  return out;
}

}  // namespace cli
