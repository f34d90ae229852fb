// How much faster tokens come when several sequences decode as one batch, against the same run one after the other.
//
//     batch_bench MODEL [sequences] [tokens] [threads]      8 64 1
//
// Checks that both ways give the same tokens before printing a time. Medians of five rounds, both ways in turn.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <octavo/octavo.hpp>
#include <string>
#include <vector>

namespace {

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

int run(const char* directory, std::size_t sequences, std::int64_t tokens) {
  const octavo::Model model = octavo::Model::open(directory);
  std::vector<octavo::ModelInput> inputs;
  std::string text = "Count the circles";
  for (std::size_t i = 0; i < sequences; ++i) {
    inputs.push_back(model.prepare(text, {}));
    text += " and the squares";  // unequal lengths
  }
  octavo::GenerateOptions options;
  options.max_new_tokens = tokens;
  options.ignore_eos = true;
  options.sampling = octavo::SamplingOptions{};
  std::vector<double> alone;
  std::vector<double> together;
  for (int round = 0; round < 5; ++round) {
    double seconds = 0;
    std::vector<std::vector<std::int32_t>> answers;
    for (const octavo::ModelInput& input : inputs) {
      octavo::GenerateResult result = model.generate(input, options);
      seconds += result.decode_seconds;
      answers.push_back(std::move(result.tokens));
    }
    alone.push_back(seconds);
    const std::vector<octavo::GenerateResult> results = model.generate(inputs, options);
    together.push_back(results.front().decode_seconds);  // all take part in every step
    for (std::size_t i = 0; i < sequences; ++i)
      if (results[i].tokens != answers[i]) {
        std::fprintf(stderr, "batch_bench: sequence %zu gets other tokens in the batch\n", i);
        return 1;
      }
  }
  const double decoded = static_cast<double>(sequences) * static_cast<double>(tokens - 1);
  std::printf("%zu sequences, %lld tokens each: one by one %.0f tokens/s, as a batch %.0f tokens/s, ratio %.2f\n",
              sequences, static_cast<long long>(tokens), decoded / median(alone), decoded / median(together),
              median(alone) / median(together));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const auto number = [&](int at, int fallback) { return argc > at ? std::atoi(argv[at]) : fallback; };
  const int sequences = number(2, 8);
  const int tokens = number(3, 64);
  if (argc < 2 || argc > 5 || sequences < 1 || tokens < 2) {
    std::fprintf(stderr, "batch_bench MODEL [sequences] [tokens] [threads]\n");
    return 2;
  }
  try {
    octavo::set_num_threads(number(4, 1));
    return run(argv[1], static_cast<std::size_t>(sequences), tokens);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "batch_bench: %s\n", error.what());
    return 1;
  }
}
