// Samples files with bytes changed, cut and doubled: read or refused with file and line, and never anything else.
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "catch.hpp"
#include "jobs.hpp"
#include "octavo/samples.hpp"

namespace {

const std::vector<std::string> kSeeds{
    R"({"id": 1, "image": "a.png", "prompt": "<image>\nWhere? é\ud83d\ude00", "answer": "[1, 2, 3, 4]", "task": "t"})",
    R"({"images": [{"path": "a.png", "bytes": null}, "data:image/png;base64,aGVsbG8="], "query": "Q", "response": "A"})",
    R"({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "a.png"}},
       {"type": "text", "text": "Q"}]}, {"role": "assistant", "content": "A"}]})",
    R"({"image": "a.png", "conversations": [{"from": "human", "value": "<image>Q"}, {"from": "gpt", "value": "A"}]})",
    R"({"system": "S", "history": [["q", "a"]], "prompt": "Q", "metadata": [1, 2.5e3, true, null]})",
};

/// A change at random: a bit, a cut, a piece twice, or one of the bytes that JSON and the forms turn on.
void mutate(std::string& text, std::mt19937& random) {
  if (text.empty()) return;
  static const std::string kTelling("{}[]\",:\\/\n\r\0<>|=+-0eE\xFF\xEF\xBB", 24);
  const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random()) % n; };
  const std::size_t at = below(text.size());
  switch (below(5)) {
    case 0:
      text[at] = static_cast<char>(text[at] ^ static_cast<char>(1U << below(8)));
      break;
    case 1:
      text.erase(at, 1 + below(8));
      break;
    case 2:
      text.insert(at, text.substr(below(text.size()), below(40)));
      break;
    case 3:
      text[at] = kTelling[below(kTelling.size())];
      break;
    default:
      text.resize(at);
  }
}

}  // namespace

TEST_CASE("a samples file with changed bytes is read or refused with file and line") {
  const test::Scratch scratch;
  test::fs::copy_file(test::kModel + "/eval/000.png", scratch.path("a.png"));
  const std::string path = scratch.path("s.jsonl");
  std::mt19937 random(20261126);
  int read = 0;
  int refused = 0;
  for (int round = 0; round < 6000; ++round) {
    std::string one = kSeeds[random() % kSeeds.size()];
    for (char& c : one)
      if (c == '\n') c = ' ';
    std::string text = kSeeds.front() + "\n" + one + "\n";
    if (round % 3 == 0) text = "[" + kSeeds.front() + ",\n" + one + "]\n";
    for (auto changes = 1 + random() % 3; changes > 0; --changes) mutate(text, random);
    scratch.write("s.jsonl", text);
    try {
      for (const octavo::Sample& sample : octavo::read_samples(path).samples) {
        std::size_t pictures = 0;
        for (const octavo::ChatMessage& message : sample.messages)
          for (const octavo::ChatPart& part : message.parts) pictures += part.kind == octavo::ChatPart::Kind::image;
        if (pictures != sample.images.size() || sample.where.empty()) FAIL(text);
      }
      ++read;
    } catch (const octavo::Error& error) {
      const std::string said = error.what();
      // Of a file as a whole, the file; of a sample, the line, too.
      const bool whole = said.rfind("samples: " + path, 0) == 0;
      if (!whole && !test::contains(said, path + ":")) FAIL(said << "\n" << text);
      ++refused;
    }
    octavo::SampleSource lenient = path;
    lenient.skip_bad = true;
    try {
      const octavo::SampleSet set = octavo::read_samples(lenient);
      for (const octavo::SkippedSample& sample : set.skipped)
        if (!test::contains(sample.where, path + ":") || sample.reason.empty()) FAIL(text);
    } catch (const octavo::Error& error) {
      CHECK(test::contains(error.what(), "samples: "));
    }
  }
  CHECK(read > 200);
  CHECK(refused > 200);
}
