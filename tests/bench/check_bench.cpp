// How long check takes on models of published shapes, of which only the headers exist: data is a hole in a sparse file.
//
//   check_bench DIR      DIR is created, and removed again (see docs/check.md)
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <octavo/octavo.hpp>
#include <vector>

#include "sparse_checkpoint.hpp"

namespace {

void measure(const char* name, const std::string& directory, const test::SparseModel& shape) {
  const test::SparseCheckpoint written(directory, shape);
  std::vector<double> runs;
  std::size_t problems = 0;
  octavo::CheckOptions options;
  options.images = {{1080, 1920}};
  for (int i = 0; i < 7; ++i) {
    const octavo::CheckResult result = octavo::check(directory, options);
    for (const octavo::CheckProblem& problem : result.problems) problems += problem.fatal ? 1 : 0;
    runs.push_back(result.seconds * 1e3);
  }
  std::sort(runs.begin(), runs.end());
  std::printf("%-22s %6zu tensors %7.1f GB  %6.1f ms (%.1f to %.1f)  %zu problems\n", name, written.tensor_count(),
              static_cast<double>(written.data_bytes()) / 1e9, runs[runs.size() / 2], runs.front(), runs.back(),
              problems);
  std::filesystem::remove_all(directory);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "check_bench DIR\n");
    return 2;
  }
  try {
    test::SparseModel model;  // 72B
    measure("72B", argv[1], model);
    model.int8 = true;
    measure("72B, W8A8", argv[1], model);
    model.tokenizer_words = 151643;
    measure("72B, W8A8, tokenizer", argv[1], model);
    test::SparseModel small{2048, 36, 16, 2, 11008, 151936, 1280, 32, 16, 3420, true};
    measure("3B", argv[1], small);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "check_bench: %s\n", error.what());
    return 1;
  }
  return 0;
}
