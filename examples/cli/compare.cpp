// octavo check QUANTIZED --against ORIGINAL
#include <cstdio>
#include <fstream>
#include <octavo/octavo.hpp>

#include "commands.hpp"
#include "progress.hpp"

namespace cli {

int run_compare(const Args& args) {
  octavo::CompareOptions options;
  options.values = !args.has("--no-values");
  options.cancel = &interrupted;
  octavo::CompareResult result;
  {
    ProgressBar bar;
    options.progress = bar.callback();
    result = octavo::compare(args.text("--against"), args.positional(0), options);
  }
  if (args.has("--html")) {
    const std::string path = args.text("--html");
    std::ofstream file(path, std::ios::binary);
    file << result.to_html();
    file.close();
    if (!file) throw octavo::Error(octavo::ErrorCode::io, path + ": cannot be written");
  }
  std::printf("%s", args.has("--json") ? (result.to_json().dump(2) + "\n").c_str() : result.to_text().c_str());
  return result.ok() ? 0 : 1;
}

}  // namespace cli
