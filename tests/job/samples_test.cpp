#include "catch.hpp"
#include "jobs.hpp"
#include "octavo/job.hpp"

using octavo::read_samples;

TEST_CASE("samples are read in order, image paths relative to their file") {
  const test::Scratch scratch;
  const std::string path = scratch.write("s.jsonl",
                                         "{\"id\": \"a\", \"image\": \"x.png\", \"prompt\": \"P\", \"answer\": \"A\", "
                                         "\"task\": \"t\"}\n\n"
                                         "{\"images\": [\"y.png\", \"/z.png\"], \"prompt\": \"Q\"}\r\n"
                                         "{\"prompt\": \"no newline at the end\"}");
  const auto samples = read_samples(path);
  REQUIRE(samples.size() == 3);
  CHECK(samples[0].id == "a");
  CHECK(samples[0].images == std::vector<std::string>{scratch.path("x.png")});
  CHECK(samples[0].answer == "A");
  CHECK(samples[0].task == "t");
  CHECK(samples[1].id == "line 3");
  CHECK(samples[1].images == std::vector<std::string>{scratch.path("y.png"), "/z.png"});
  CHECK(samples[2].images.empty());
  CHECK(read_samples(path, 1).size() == 1);
}

TEST_CASE("a samples file that cannot be used is refused by file and line") {
  const test::Scratch scratch;
  const auto refusal = [&](const std::string& content) {
    const std::string path = scratch.write("s.jsonl", content);
    return test::message_of([&] { read_samples(path); });
  };
  const std::string path = scratch.path("s.jsonl");
  CHECK(refusal("") == "samples: " + path + " holds no sample");
  CHECK(refusal("\n \n") == "samples: " + path + " holds no sample");
  CHECK(test::contains(refusal("{\"prompt\": \"P\"}\n{\"prompt\": "), path + ":2"));
  CHECK(test::contains(refusal("[1]\n"), path + ":1"));
  CHECK(test::contains(refusal("{\"prompt\": \"\"}"), "the prompt is empty"));
  CHECK(test::contains(refusal("{\"image\": \"x.png\"}"), "prompt"));
  CHECK(test::contains(refusal("{\"prompt\": \"P\", \"image\": \"a\", \"images\": []}"), "keep one"));
  CHECK(test::message_of([&] { read_samples(scratch.path("gone")); }) ==
        "samples: " + scratch.path("gone") + " is not a file; expected one JSON object per line");
}
