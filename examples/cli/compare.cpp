// octavo check QUANTIZED --against ORIGINAL
#include <array>
#include <cstdio>
#include <octavo/octavo.hpp>

#include "commands.hpp"
#include "progress.hpp"

namespace cli {

int run_compare(const Args& args) {
  const std::string page = args.text("--html");
  if (!page.empty()) octavo::check_new_file(page);
  octavo::CompareOptions options;
  options.values = !args.has("--no-values");
  options.cancel = &interrupted;
  octavo::CompareResult result;
  {
    ProgressBar bar;
    options.progress = bar.callback();
    result = octavo::compare(args.text("--against"), args.positional(0), options);
  }
  if (!page.empty()) {
    const std::string html = octavo::compare_page(result);
    const std::array<octavo::NewFile, 1> files{octavo::NewFile{page, html}};
    octavo::write_files(files);
  }
  std::printf("%s", args.has("--json") ? (result.to_json().dump(2) + "\n").c_str() : result.to_text().c_str());
  return result.ok() ? 0 : 1;
}

}  // namespace cli
