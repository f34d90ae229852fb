// What a form costs: making it, and each step of an answer.
//
//     form_bench VOCABULARY [rounds]       a .tiktoken file (base64 and rank per line) or a model directory; 20
//     form_bench MODEL --decode [rounds]   answers of a model with and without a form, beside each other
//
// The first: a random text of each form is written token by token; each step's mask is timed, then once more where it
// was seen before. Medians and the slowest. docs/output_form.md has the numbers.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <octavo/octavo.hpp>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace {

using octavo::FormState;
using octavo::FormVocabulary;
using octavo::OutputForm;

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values.empty() ? 0 : values[values.size() / 2];
}

std::string from_base64(const std::string& text) {
  static const std::string letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  unsigned bits = 0, count = 0;
  for (const char c : text) {
    const auto value = letters.find(c);
    if (value == std::string::npos) break;
    bits = (bits << 6U) | static_cast<unsigned>(value);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes += static_cast<char>(static_cast<unsigned char>((bits >> count) & 0xFFU));
  }
  return bytes;
}

std::vector<std::string> vocabulary_of(const std::string& path) {
  std::vector<std::string> bytes;
  if (std::filesystem::is_directory(path)) {
    const octavo::Tokenizer tokenizer = octavo::Tokenizer::open(path);
    for (std::int32_t id = 0; id < tokenizer.size(); ++id)
      bytes.push_back(tokenizer.is_special(id) ? "" : tokenizer.token_bytes(id));
    return bytes;
  }
  std::ifstream file(path);
  std::string base64;
  for (std::size_t rank = 0; file >> base64 >> rank;) {
    if (bytes.size() <= rank) bytes.resize(rank + 1);
    bytes[rank] = from_base64(base64);
  }
  return bytes;
}

const std::vector<std::pair<const char*, const char*>>& forms() {
  static const std::vector<std::pair<const char*, const char*>> all{
      {"a box", R"({"type": "object", "properties": {"bbox_2d": {"type": "array", "items": {"type": "integer"},
         "minItems": 4, "maxItems": 4}}, "required": ["bbox_2d"]})"},
      {"boxes with labels", R"({"type": "array", "items": {"type": "object", "properties": {"bbox_2d": {"type": "array",
         "items": {"type": "integer", "minimum": 0, "maximum": 1000}, "minItems": 4, "maxItems": 4},
         "label": {"type": "string", "maxLength": 40}}, "required": ["bbox_2d", "label"]}})"},
      {"any JSON", "{}"},
      {"a string", R"({"type": "string"})"},
      {"a string of up to 1000", R"({"type": "string", "minLength": 500, "maxLength": 1000})"}};
  return all;
}

void masks(const std::string& path, int rounds) {
  const std::vector<std::string> bytes = vocabulary_of(path);
  double begin = now();
  const FormVocabulary vocabulary(bytes);
  std::printf("%zu tokens; tree of bytes: %.0f ms\n", bytes.size(), 1e3 * (now() - begin));
  std::printf("%-24s %9s %9s | %9s %9s %9s | %9s\n", "form", "states", "made us", "mask us", "slowest", "again us",
              "steps");
  for (const auto& [name, schema] : forms()) {
    std::vector<double> made, first, again;
    std::size_t states = 0;
    std::mt19937_64 random(1);
    std::vector<float> logits(bytes.size());
    for (int round = 0; round < rounds; ++round) {
      begin = now();
      const OutputForm form = OutputForm::json_schema(schema);
      made.push_back(now() - begin);
      states = form.states();
      FormState state(form, vocabulary, {});
      for (int step = 0; step < 100 && !state.exhausted(); ++step) {
        std::fill(logits.begin(), logits.end(), 0.0F);
        begin = now();
        state.mask(logits);
        first.push_back(now() - begin);
        begin = now();
        state.mask(logits);
        again.push_back(now() - begin);
        std::vector<std::int32_t> ids;
        for (std::size_t id = 0; id < logits.size(); ++id)
          if (logits[id] == 0) ids.push_back(static_cast<std::int32_t>(id));
        state.take(ids[random() % ids.size()]);
      }
    }
    std::printf("%-24s %9zu %9.0f | %9.0f %9.0f %9.0f | %9zu\n", name, states, 1e6 * median(made), 1e6 * median(first),
                1e6 * *std::max_element(first.begin(), first.end()), 1e6 * median(again), first.size());
  }
}

void decode(const std::string& directory, int rounds) {
  const octavo::Model model = octavo::Model::open(directory);
  const octavo::Image image = octavo::load_image(directory + "/eval/000.png");
  const octavo::ModelInput input = model.prepare("Where is the purple circle?", {&image, 1});
  octavo::GenerateOptions plain, formed;
  formed.form = OutputForm::example(R"({"bbox_2d": [int, int, int, int]})");
  std::vector<double> without, with;
  for (int round = 0; round < rounds; ++round)
    for (const bool form : {false, true}) {
      const octavo::GenerateResult result = model.generate(input, form ? formed : plain);
      (form ? with : without).push_back(result.decode_seconds / static_cast<double>(result.tokens.size() - 1));
    }
  std::printf("a step without a form: %.0f us; with: %.0f us\n", 1e6 * median(without), 1e6 * median(with));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: form_bench VOCABULARY [rounds] | form_bench MODEL --decode [rounds]\n");
    return 2;
  }
  const bool decoding = argc > 2 && std::string(argv[2]) == "--decode";
  const char* rounds = decoding ? (argc > 3 ? argv[3] : "200") : (argc > 2 ? argv[2] : "20");
  if (decoding)
    decode(argv[1], std::atoi(rounds));
  else
    masks(argv[1], std::atoi(rounds));
  return 0;
}
