#include "roff.hpp"

#include "wrap.hpp"

namespace cli {

std::string roff(const std::string& text) {
  std::string out;
  for (const char letter : text) {
    if (letter == '\\')
      out += "\\e";
    else if (letter == '-')
      out += "\\-";
    else if (letter == '\'')
      out += "\\(aq";
    else
      out += letter;
  }
  return out;
}

std::string paragraph(const std::string& text) {
  std::string out;
  std::size_t begin = 0;
  while (begin < text.size()) {
    const std::size_t stop = text.find(". ", begin);
    const std::size_t end = stop == std::string::npos ? text.size() : stop + 1;
    out += wrapped(roff(text.substr(begin, end - begin)), 76) + "\n";
    begin = end + 1;
  }
  for (std::size_t i = 0; i < out.size(); ++i)
    if (out[i] == '.' && (i == 0 || out[i - 1] == '\n')) out.insert(i++, "\\&"), ++i;
  return out;
}

}  // namespace cli
