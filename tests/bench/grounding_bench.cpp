// What a second question on the same picture costs, and what prompt lookup gains on an answer of boxes, whatever the
// weights are: synthetic ones of a large model's shapes answer nonsense, so that the answer is forced, token by token,
// through GenerateOptions::on_logits. What is run, drafted and kept is then what a model that gave this answer would
// have.
//
//     grounding_bench MODEL [side of the picture] [rounds] [threads] [bf16]       448 3 0
//
// bf16: products and cache in bf16, lm_head in int8. Rounds of all ways in turn; medians.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "octavo/octavo.hpp"

namespace {

using octavo::GenerateOptions;
using octavo::GenerateResult;
using octavo::ModelInput;

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

octavo::Image picture(std::int64_t side) {
  octavo::Image image{side, side, {}};
  for (std::int64_t y = 0; y < side; ++y)
    for (std::int64_t x = 0; x < side; ++x)
      for (const std::int64_t value : {x, y, x + y}) image.rgb.push_back(static_cast<std::uint8_t>(value & 0xFF));
  return image;
}

/// Six objects in the form that Qwen2.5-VL answers in, cut as its tokenizer cuts it: digits, and a space before one,
/// alone; `{"`, `":`, `"},` with the line's end in one piece. Equal pieces get equal ids, of plain text in every
/// vocabulary.
std::vector<std::int32_t> answer_ids() {
  struct Object {
    std::vector<const char*> corners, label;
  };
  const std::vector<Object> objects{
      {{"93", "80", "121", "108"}, {"red", " circle"}},    {{"214", "75", "262", "131"}, {"blue", " square"}},
      {{"301", "198", "377", "254"}, {"red", " square"}},  {{"17", "305", "88", "402"}, {"green", " triangle"}},
      {{"140", "266", "195", "318"}, {"blue", " circle"}}, {{"333", "341", "421", "437"}, {"green", " square"}},
  };
  std::vector<std::string> pieces{"[\n"};
  for (const Object& object : objects) {
    for (const char* piece : {"\t", "{\"", "bbox", "_", "2", "d", "\":", " ["}) pieces.emplace_back(piece);
    for (std::size_t i = 0; i < object.corners.size(); ++i) {
      if (i > 0)
        for (const char* piece : {",", " "}) pieces.emplace_back(piece);
      for (const char digit : std::string(object.corners[i])) pieces.emplace_back(1, digit);
    }
    for (const char* piece : {"],", " \"", "label", "\":", " \""}) pieces.emplace_back(piece);
    for (const char* piece : object.label) pieces.emplace_back(piece);
    pieces.emplace_back(&object == &objects.back() ? "\"}\n" : "\"},\n");
  }
  pieces.emplace_back("]");
  std::map<std::string, std::int32_t> known;
  std::vector<std::int32_t> ids;
  for (const std::string& piece : pieces)
    ids.push_back(known.try_emplace(piece, 100 + static_cast<std::int32_t>(known.size())).first->second);
  return ids;
}

struct Settings {
  GenerateOptions options;
  int rounds = 3;
};

struct Way {
  std::string name;
  std::vector<double> seconds;  // by round
  GenerateResult last;
};

GenerateResult timed(const octavo::Model& model, const ModelInput& input, const GenerateOptions& options, Way& way) {
  const auto start = std::chrono::steady_clock::now();
  way.last = model.generate(input, options);
  way.seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  return way.last;
}

void second_question(const octavo::Model& model, const octavo::Image& image, const Settings& settings) {
  const ModelInput first = model.prepare("Locate every object of the picture and give each a label.", {&image, 1});
  const ModelInput second =
      model.prepare("Which of the objects is the largest one, and what colour does it have?", {&image, 1});
  GenerateOptions options = settings.options;
  options.max_new_tokens = 1;
  std::vector<Way> ways{
      {"the first question", {}, {}}, {"a second one", {}, {}}, {"a second one, prefix cache", {}, {}}};
  for (int round = -1; round < settings.rounds; ++round) {  // one to warm up
    options.prefix_cache = nullptr;
    timed(model, second, options, ways[1]);
    options.prefix_cache = std::make_shared<octavo::PrefixCache>();
    timed(model, first, options, ways[0]);
    timed(model, second, options, ways[2]);
    if (round < 0)
      for (Way& way : ways) way.seconds.clear();
    if (ways[1].last.tokens != ways[2].last.tokens) std::fprintf(stderr, "the answers differ by rounding\n");
  }
  std::printf("%-28s %8s %8s %12s %12s %14s\n", "", "prompt", "run", "vision ms", "prefill ms", "first token ms");
  for (const Way& way : ways)
    std::printf("%-28s %8lld %8lld %12.1f %12.1f %14.1f\n", way.name.c_str(),
                static_cast<long long>(way.last.prompt_tokens),
                static_cast<long long>(way.last.prompt_tokens - way.last.reused_tokens), 1e3 * way.last.vision_seconds,
                1e3 * way.last.prefill_seconds, 1e3 * median(way.seconds));
}

void prompt_lookup(const octavo::Model& model, const octavo::Image& image, const Settings& settings) {
  const ModelInput input = model.prepare("Locate every object of the picture and give each a label.", {&image, 1});
  const std::vector<std::int32_t> answer = answer_ids();
  GenerateOptions options = settings.options;
  options.max_new_tokens = static_cast<std::int64_t>(answer.size());
  options.ignore_eos = true;
  options.on_logits = [&](std::size_t, std::span<const std::int32_t> history, std::span<float> logits) {
    logits[static_cast<std::size_t>(answer.at(history.size() - input.ids.size()))] = 1e30F;
    return true;
  };
  struct Lookup {
    Way way;
    std::int64_t draft;
    std::vector<double> decode;
  };
  std::vector<Lookup> lookups;
  for (const std::int64_t draft : {0, 3, 5, 7})
    lookups.push_back({{draft == 0 ? "plain" : "lookup, " + std::to_string(draft) + " along", {}, {}}, draft, {}});
  options.prefix_cache = std::make_shared<octavo::PrefixCache>();  // so that rounds are decoding alone
  for (int round = -1; round < settings.rounds; ++round)
    for (Lookup& lookup : lookups) {
      options.lookup.reset();
      if (lookup.draft > 0) options.lookup = octavo::PromptLookup{.draft = lookup.draft};
      if (timed(model, input, options, lookup.way).tokens != answer)
        throw std::runtime_error(lookup.way.name + " gives another answer");
      if (round >= 0) lookup.decode.push_back(lookup.way.last.decode_seconds);
    }
  std::printf("\n%-28s %8s %8s %8s %12s %14s %7s\n", "boxes of six objects", "tokens", "drafted", "kept", "decode ms",
              "tokens/s", "gain");
  const double plain = median(lookups.front().decode);
  for (const Lookup& lookup : lookups) {
    const double seconds = median(lookup.decode);
    std::printf("%-28s %8zu %8lld %8lld %12.1f %14.1f %7.2f\n", lookup.way.name.c_str(), answer.size(),
                static_cast<long long>(lookup.way.last.drafted_tokens),
                static_cast<long long>(lookup.way.last.accepted_tokens), 1e3 * seconds,
                static_cast<double>(answer.size() - 1) / seconds, plain / seconds);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const auto number = [&](int at, int fallback) { return argc > at ? std::atoi(argv[at]) : fallback; };
  const int side = number(2, 448);
  Settings settings;
  settings.rounds = number(3, 3);
  const bool fast = argc > 5 && std::string(argv[5]) == "bf16";
  if (argc < 2 || argc > 6 || (argc > 5 && !fast) || side < 28 || settings.rounds < 1) {
    std::fprintf(stderr, "grounding_bench MODEL [side of the picture] [rounds] [threads] [bf16]\n");
    return 2;
  }
  try {
    octavo::set_num_threads(number(4, 0));
    octavo::ModelOptions how;
    if (fast) how = {octavo::FloatMath::bf16, octavo::FloatMath::bf16, octavo::HeadWeights::int8};
    settings.options.cache_dtype = fast ? octavo::DType::bf16 : octavo::DType::f32;
    settings.options.sampling = octavo::SamplingOptions{};
    const octavo::Model model = octavo::Model::open(argv[1], how);
    const octavo::Image image = picture(side);
    second_question(model, image, settings);
    prompt_lookup(model, image, settings);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "grounding_bench: %s\n", error.what());
    return 1;
  }
  return 0;
}
