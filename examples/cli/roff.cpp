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

std::string entry(const OptionText& option) {
  std::string out = ".TP\n";
  const bool positional = option.names.front()[0] != '-';
  for (std::size_t i = 0; i < option.names.size(); ++i)
    out += (i == 0 ? "" : ", ") + std::string(positional ? "\\fI" : "\\fB") + roff(option.names[i]) + "\\fR";
  if (option.takes_value && !positional) out += " \\fI" + roff(option.value.name) + "\\fR";
  return out + "\n" + paragraph(option.help);
}

}  // namespace cli
