// octavo check QUANTIZED --against ORIGINAL
#include <array>
#include <cstdio>

#include "commands.hpp"
#include "progress.hpp"

namespace cli {

int run_compare(const CompareCommand& command) {
  if (!command.page.empty()) octavo::check_new_file(command.page, octavo::kPageMark);
  octavo::CompareOptions options;
  options.values = !command.no_values;
  options.cancel = &interrupted;
  octavo::CompareResult result;
  {
    ProgressBar bar(command.quiet);
    options.progress = bar.callback();
    result = octavo::compare(command.original, command.model, options);
  }
  if (!command.page.empty()) {
    const std::string html = octavo::compare_page(result);
    const std::array<octavo::NewFile, 1> files{octavo::NewFile{command.page, html, octavo::kPageMark}};
    octavo::write_files(files);
  }
  std::printf("%s", command.json ? (result.to_json().dump(2) + "\n").c_str() : result.to_text().c_str());
  return result.ok() ? 0 : 1;
}

}  // namespace cli
