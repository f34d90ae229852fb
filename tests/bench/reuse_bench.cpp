// What the means of doing less work for the same answer save: prompts in chunks, prompts and pictures found again,
// tokens looked up.
//
//     reuse_bench MODEL SAMPLES [samples] [rounds] [threads] [tokens] [turns] [task]      20 5 1 64 0
//
// turns: questions, with their pictures and answers, that each question stands behind. task: samples of that alone.
// Every answer is compared with the plain one before a number is printed. Rounds of all ways in turn; medians.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <octavo/octavo.hpp>
#include <octavo/samples.hpp>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

struct Totals {
  double vision = 0, prefill = 0, decode = 0;
  std::int64_t prompt = 0, tokens = 0, reused = 0, drafted = 0, accepted = 0;
};

struct Way {
  std::string name;
  octavo::GenerateOptions options;
  std::vector<double> first_token, decode;  // seconds, by round
  Totals last{};
};

Totals run(const octavo::Model& model, const std::vector<octavo::ModelInput>& inputs,
           const octavo::GenerateOptions& options, std::vector<std::vector<std::int32_t>>& answers) {
  Totals totals;
  const bool first = answers.empty();
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const octavo::GenerateResult result = model.generate(inputs[i], options);
    totals.vision += result.vision_seconds;
    totals.prefill += result.prefill_seconds;
    totals.decode += result.decode_seconds;
    totals.prompt += result.prompt_tokens;
    totals.tokens += static_cast<std::int64_t>(result.tokens.size());
    totals.reused += result.reused_tokens;
    totals.drafted += result.drafted_tokens;
    totals.accepted += result.accepted_tokens;
    if (first)
      answers.push_back(result.tokens);
    else if (answers[i] != result.tokens)
      throw std::runtime_error("sample " + std::to_string(i) + " gets another answer");
  }
  return totals;
}

int bench(const octavo::Model& model, const std::vector<octavo::ModelInput>& inputs, int rounds, std::int64_t tokens) {
  octavo::GenerateOptions plain;
  plain.max_new_tokens = tokens;
  plain.sampling = octavo::SamplingOptions{};
  std::vector<Way> ways{{"plain", plain, {}, {}}};
  for (const std::int64_t draft : {3, 5, 7}) {
    ways.push_back({"lookup " + std::to_string(draft), plain, {}, {}});
    ways.back().options.lookup = octavo::PromptLookup{.draft = draft};
  }
  ways.push_back({"prefix cache", plain, {}, {}});
  for (const std::int64_t chunk : {64, 128, 256, 512, 1024, 0}) {
    ways.push_back({chunk == 0 ? "in one call" : "chunks of " + std::to_string(chunk), plain, {}, {}});
    ways.back().options.prefill_chunk = chunk;
  }
  std::vector<std::vector<std::int32_t>> answers;
  for (int round = 0; round < rounds; ++round)
    for (Way& way : ways) {
      if (way.name == "prefix cache") way.options.prefix_cache = std::make_shared<octavo::PrefixCache>();
      way.last = run(model, inputs, way.options, answers);
      way.first_token.push_back(way.last.vision + way.last.prefill);
      way.decode.push_back(way.last.decode);
    }
  const double before = median(ways.front().decode);
  const double first_before = median(ways.front().first_token);
  std::printf("%-16s %14s %7s %14s %7s %8s %8s %8s\n", "", "decode tok/s", "ratio", "first tok ms", "ratio", "reused",
              "drafted", "accepted");
  for (const Way& way : ways) {
    // The first token of each answer comes from the prompt.
    const double decoded = static_cast<double>(way.last.tokens) - static_cast<double>(inputs.size());
    const double first_ms = median(way.first_token) * 1000 / static_cast<double>(inputs.size());
    std::printf("%-16s %14.1f %7.2f %14.2f %7.2f %7.0f%% %8lld %8lld\n", way.name.c_str(), decoded / median(way.decode),
                before / median(way.decode), first_ms, first_before / median(way.first_token),
                100.0 * static_cast<double>(way.last.reused) / static_cast<double>(way.last.prompt),
                static_cast<long long>(way.last.drafted), static_cast<long long>(way.last.accepted));
  }
  return 0;
}

/// The samples, each behind the `turns` before it, with their pictures and answers.
std::vector<octavo::ModelInput> conversations(const octavo::Model& model, const std::vector<octavo::Sample>& samples,
                                              std::size_t count, std::size_t turns) {
  std::vector<octavo::ModelInput> inputs;
  for (std::size_t i = turns; i < samples.size() && inputs.size() < count; ++i) {
    octavo::Sample asked = samples[i];
    asked.messages.clear();
    asked.images.clear();
    for (std::size_t j = i - turns; j <= i; ++j) {
      for (const octavo::ChatMessage& message : octavo::messages_of(samples[j])) asked.messages.push_back(message);
      asked.images.insert(asked.images.end(), samples[j].images.begin(), samples[j].images.end());
      if (j < i) asked.messages.push_back({"assistant", {{octavo::ChatPart::Kind::text, samples[j].answer}}});
    }
    inputs.push_back(octavo::prepare_question(model, asked));
  }
  return inputs;
}

}  // namespace

int main(int argc, char** argv) {
  const auto number = [&](int at, int fallback) { return argc > at ? std::atoi(argv[at]) : fallback; };
  const int count = number(3, 20);
  const int rounds = number(4, 5);
  const int tokens = number(6, 64);
  const int turns = number(7, 0);
  if (argc < 3 || argc > 9 || turns < 0 || count < 1 || rounds < 1 || tokens < 2) {
    std::fprintf(stderr, "reuse_bench MODEL SAMPLES [samples] [rounds] [threads] [tokens] [turns] [task]\n");
    return 2;
  }
  try {
    octavo::set_num_threads(number(5, 1));
    const octavo::Model model = octavo::Model::open(argv[1]);
    octavo::SampleSource source;
    source.file = argv[2];
    std::vector<octavo::Sample> samples = octavo::read_samples(source).samples;
    if (argc > 8) std::erase_if(samples, [&](const octavo::Sample& sample) { return sample.task != argv[8]; });
    const std::vector<octavo::ModelInput> inputs =
        conversations(model, samples, static_cast<std::size_t>(count), static_cast<std::size_t>(turns));
    if (inputs.empty()) throw std::runtime_error("no sample is left");
    return bench(model, inputs, rounds, tokens);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "reuse_bench: %s\n", error.what());
    return 1;
  }
}
