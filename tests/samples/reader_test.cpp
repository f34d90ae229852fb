#include <algorithm>
#include <string>
#include <vector>

#include "catch.hpp"
#include "jobs.hpp"
#include "octavo/samples.hpp"

using octavo::ChatPart;
using octavo::read_samples;
using octavo::Sample;
using test::contains;

namespace {

/// A folder with two pictures, a.png and b.png, and a samples file.
struct Folder : test::Scratch {
  Folder() {
    for (const char* name : {"a.png", "b.png"}) test::fs::copy_file(test::kModel + "/eval/000.png", path(name));
  }
  octavo::SampleSet read(const std::string& content, bool skip_bad = false) const {
    octavo::SampleSource source = write("s.jsonl", content);
    source.skip_bad = skip_bad;
    return read_samples(source);
  }
  /// The sample of one record, which a raw string may have laid out over several lines.
  Sample one(std::string record) const {
    std::replace(record.begin(), record.end(), '\n', ' ');
    const octavo::SampleSet set = read(record + "\n");
    REQUIRE(set.samples.size() == 1);
    return set.samples.front();
  }
  std::string refusal(const std::string& content) const {
    return test::message_of([&] { read(content); });
  }
};

/// A sample as one line: roles, texts, and [a.png] for a picture.
std::string shown(const Sample& sample) {
  std::string text;
  std::size_t picture = 0;
  for (const octavo::ChatMessage& message : sample.messages) {
    text += (text.empty() ? "" : " ") + message.role + ":";
    for (const octavo::ChatPart& part : message.parts)
      text += part.kind == ChatPart::Kind::text
                  ? part.text
                  : "[" + test::fs::path(sample.images.at(picture++).name).filename().string() + "]";
  }
  CHECK(picture == sample.images.size());
  return sample.answer.empty() ? text : text + " -> " + sample.answer;
}

}  // namespace

TEST_CASE("samples are read in order and picture paths are relative to their file") {
  const Folder folder;
  const auto samples = folder
                           .read(
                               "{\"id\": \"a\", \"image\": \"a.png\", \"prompt\": \"P\", \"answer\": \"A\", "
                               "\"task\": \"t\"}\n\n{\"images\": [\"b.png\", \"" +
                               folder.path("a.png") + "\"], \"prompt\": \"Q\"}\r\n{\"prompt\": \"no newline\"}")
                           .samples;
  REQUIRE(samples.size() == 3);
  CHECK(samples[0].id == "a");
  CHECK(samples[0].where == folder.path("s.jsonl") + ":1");
  CHECK(samples[0].images == std::vector<octavo::SampleImage>{folder.path("a.png")});
  CHECK(samples[0].answer == "A");
  CHECK(samples[0].task == "t");
  CHECK(samples[0].name() == "sample \"a\" (" + folder.path("s.jsonl") + ":1)");
  CHECK(samples[1].id == "line 3");
  CHECK(samples[1].images == std::vector<octavo::SampleImage>{folder.path("b.png"), folder.path("a.png")});
  CHECK(samples[2].images.empty());
  CHECK(read_samples(folder.path("s.jsonl"), 1).samples.size() == 1);
}

TEST_CASE("every form of a sample is read") {
  const Folder folder;
  struct Form {
    const char* line;
    const char* is;
  };
  const std::vector<Form> forms{
      // Our own.
      {R"({"image": "a.png", "prompt": "Q"})", "user:[a.png]Q"},
      {R"({"images": "a.png", "prompt": "Q"})", "user:[a.png]Q"},
      {R"({"image": ["a.png", "b.png"], "prompt": "Q", "answer": "A"})", "user:[a.png][b.png]Q -> A"},
      {R"({"image": null, "prompt": "Q"})", "user:Q"},
      {R"({"images": [], "prompt": "Q", "videos": [], "tools": null})", "user:Q"},
      {R"({"image": "a.png", "prompt": "Q", "answer": 3})", "user:[a.png]Q -> 3"},
      {R"({"image": "a.png", "prompt": "Q", "metadata": {"source": 1}})", "user:[a.png]Q"},
      {R"({"image": "a.png", "system": "S", "prompt": "Q"})", "system:S user:[a.png]Q"},
      {R"({"image": "a.png", "prompt": "<image>\nQ"})", "user:[a.png]\nQ"},
      {R"({"images": ["a.png", "b.png"], "prompt": "Is <image> like <image>?"})", "user:Is [a.png] like [b.png]?"},
      {R"({"image": {"path": "a.png", "bytes": null}, "prompt": "Q"})", "user:[a.png]Q"},
      // ms-swift.
      {R"({"query": "<image>Q", "response": "A", "images": ["a.png"]})", "user:[a.png]Q -> A"},
      {R"({"query": "Q", "response": "A", "history": [["<image>q", "a"]], "images": ["a.png"]})",
       "user:[a.png]q assistant:a user:Q -> A"},
      {R"({"messages": [{"role": "user", "content": "<image>Q"}, {"role": "assistant", "content": "A"}],
           "images": ["a.png"]})",
       "user:[a.png]Q -> A"},
      {R"({"messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}], "images": ["a.png"]})",
       "user:[a.png]Q -> A"},
      // OpenAI.
      {R"({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "a.png"}},
                                                     {"type": "text", "text": "Q"}]}]})",
       "user:[a.png]Q"},
      {R"({"messages": [{"role": "user", "content": [{"type": "text", "text": "Is "},
           {"type": "image_url", "image_url": {"url": "b.png", "detail": "auto"}}, {"type": "text", "text": " big?"}]},
           {"role": "assistant", "content": [{"type": "text", "text": "A"}]}]})",
       "user:Is [b.png] big? -> A"},
      {R"({"messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "q"},
           {"role": "assistant", "content": "a"}, {"role": "user", "content": "Q"},
           {"role": "assistant", "content": "A"}]})",
       "system:S user:q assistant:a user:Q -> A"},
      {R"({"messages": [{"role": "user", "content": "Q"}], "answer": "A"})", "user:Q -> A"},
      // Qwen's and transformers' parts.
      {R"({"messages": [{"role": "user", "content": [{"type": "image", "image": "a.png"},
           {"type": "text", "text": "Q", "image": null}]}]})",
       "user:[a.png]Q"},
      {R"({"messages": [{"role": "user", "content": [{"type": "text", "text": "Q"}, {"type": "image"}]}],
           "images": [{"path": "b.png"}]})",
       "user:Q[b.png]"},
      // LLaVA, ShareGPT.
      {R"({"id": "1", "image": "a.png", "conversations": [{"from": "human", "value": "<image>\nQ"},
           {"from": "gpt", "value": "A"}]})",
       "user:[a.png]\nQ -> A"},
      {R"({"image": ["a.png", "b.png"], "conversations": [{"from": "system", "value": "S"},
           {"from": "human", "value": "<image><image>q"}, {"from": "gpt", "value": "a"},
           {"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"}]})",
       "system:S user:[a.png][b.png]q assistant:a user:Q -> A"},
  };
  for (const Form& form : forms) {
    CAPTURE(form.line);
    CHECK(shown(folder.one(form.line)) == form.is);
  }
}

TEST_CASE("a prompt without its pictures is the text of the last user turn") {
  const Folder folder;
  CHECK(folder.one(R"({"image": "a.png", "prompt": "<image>\n Where? "})").prompt == "Where?");
  CHECK(folder.one(R"({"image": "a.png", "prompt": "<image>"})").prompt.empty());
}

TEST_CASE("ids may be numbers") {
  const Folder folder;
  CHECK(folder.one(R"({"id": 17, "prompt": "Q"})").id == "17");
  CHECK(folder.one(R"({"id": "", "prompt": "Q"})").id == "line 1");
  CHECK(folder.one(R"({"id": null, "prompt": "Q"})").id == "line 1");
  CHECK(contains(folder.refusal(R"({"id": true, "prompt": "Q"})"), "s.jsonl:1: id: an id is a text or a number"));
}

TEST_CASE("pictures come from paths and URLs and base64") {
  const Folder folder;
  test::fs::copy_file(folder.path("a.png"), folder.path("with space.png"));
  const auto first = [&](const std::string& image) {
    return folder.one("{\"image\": " + image + ", \"prompt\": \"Q\"}").images.front();
  };
  CHECK(first("\"with space.png\"").name == folder.path("with space.png"));
  CHECK(first("\"file://" + folder.path("with%20space.png") + "\"").name == folder.path("with space.png"));
  CHECK(first("\"file://localhost" + folder.path("a.png") + "\"").name == folder.path("a.png"));

  // "hello" and "hello!", from RFC 4648's alphabet by hand: 68 65 6c 6c 6f (21).
  const auto text = [](const octavo::SampleImage& image) {
    REQUIRE(image.bytes != nullptr);
    return std::string(reinterpret_cast<const char*>(image.bytes->data()), image.bytes->size());
  };
  CHECK(text(first("\"data:image/png;base64,aGVsbG8=\"")) == "hello");
  CHECK(text(first("\"DATA:image/x-any;charset=x;base64,aGVsbG8h\"")) == "hello!");
  CHECK(text(first(R"({"path": "any name.png", "bytes": "aGVs\nbG8="})")) == "hello");
  CHECK(text(first(R"({"bytes": "aGVsbA=="})")) == "hell");
  CHECK(first("\"data:image/png;base64,aGVsbG8=\"").name == "picture 1 of " + folder.path("s.jsonl") + ":1");
  const Sample openai = folder.one(
      R"({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": "data:image/png;base64,aGVsbG8="},
          {"type": "image", "base64": "aGVsbG8h"}, {"type": "text", "text": "Q"}]}]})");
  REQUIRE(openai.images.size() == 2);
  CHECK(text(openai.images[1]) == "hello!");
}

TEST_CASE("what a sample has wrong is said with file and line and what to do") {
  const Folder folder;
  struct Wrong {
    const char* line;
    const char* says;
  };
  const std::vector<Wrong> all{
      {R"({"image_path": "a.png", "prompt": "Q"})", R"(unknown key "image_path"; did you mean "image"?)"},
      {R"({"imgae": "a.png", "prompt": "Q"})", R"(did you mean "image"?)"},
      {R"({"img": "a.png", "prompt": "Q"})", R"(did you mean "image"?)"},
      {R"({"Image": "a.png", "prompt": "Q"})", R"(did you mean "image"?)"},
      {R"({"pictures": ["a.png"], "prompt": "Q"})", R"(did you mean "image"?)"},
      {R"({"image": "a.png", "question": "Q"})", R"(did you mean "prompt"?)"},
      {R"({"image": "a.png", "prompt": "Q", "ground_truth": "A"})", R"(did you mean "answer"?)"},
      {R"({"image": "a.png", "prompt": "Q", "weight": 1})", R"(unknown key "weight"; known are id, image)"},
      {R"({"image": "a.png"})", "nothing is asked"},
      {R"({"image": "a.png", "prompt": " "})", "the prompt is empty"},
      {R"({"image": "a.png", "prompt": ["Q"]})", "a string"},
      {R"({"image": 3, "prompt": "Q"})", "a string"},
      {R"({"image": "", "prompt": "Q"})", "the picture's path is empty"},
      {R"({"image": "a.png", "prompt": "Q", "answer": ["A"]})", "the answer must be text"},
      {R"({"image": "a.png", "prompt": "Q", "answer": true})", "the answer must be text"},
      {R"({"image": "a.png", "prompt": "Q", "answer": "A", "response": "A"})", "keep one"},
      {R"({"image": "a.png", "images": [], "prompt": "Q"})", "keep one"},
      {R"({"prompt": "Q", "query": "Q"})", "keep one"},
      {R"({"prompt": "Q", "image": "a.png", "image": "a.png"})", "appears twice"},
      {R"({"prompt": "a\u0000b"})", "NUL"},
      {R"({"prompt": "Q", "id": "a\u0000b"})", "NUL"},
      {R"({"prompt": "a\ud83d b"})", "surrogate"},
      {"{\"prompt\": \"a\xFF\"}", "UTF-8"},
      {R"({"prompt": )", "a sample stands on one line"},
      {R"([1])", "a sample is a JSON object"},
      {R"("Q")", "a sample is a JSON object"},
      {R"({"prompt": "Q"} {"prompt": "Q"})", "not valid JSON"},
      // Pictures and their places.
      {R"({"prompt": "<image>Q"})", "1 place for a picture (<image>), but 0 pictures"},
      {R"({"image": "a.png", "prompt": "<image><image>Q"})", "2 places for a picture (<image>), but 1 picture"},
      {R"({"images": ["a.png", "b.png"], "prompt": "<image>Q"})", "1 place for a picture (<image>), but 2 pictures"},
      {R"({"image": "a.png", "conversations": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"}]})",
       "0 places for a picture (<image>), but 1 picture"},
      {R"({"messages": [{"role": "user", "content": [{"type": "image", "image": "a.png"},
           {"type": "text", "text": "Q"}]}], "images": ["b.png"]})",
       "0 places for a picture (<image>), but 1 picture besides those in the parts"},
      {R"({"image": "a.png", "prompt": "Q", "answer": "<image>"})", "a picture stands in an answer"},
      {R"({"image": "a.png", "system": "<image>", "prompt": "Q"})", "a picture stands in a system turn"},
      {R"({"image": "a.png", "prompt": "<|vision_start|><|image_pad|><|vision_end|>Q"})", "<|image_pad|>"},
      {R"({"prompt": "Q", "answer": "<|video_pad|>"})", "<|video_pad|>"},
      {R"({"prompt": "<video>Q"})", "<video>"},
      {R"({"video": "a.mp4", "prompt": "Q"})", "videos are not read"},
      {R"({"videos": ["a.mp4"], "prompt": "Q"})", "videos are not read"},
      {R"({"objects": {"bbox": [[1, 2, 3, 4]]}, "prompt": "Q"})", "boxes are read from the answer's text"},
      // Where pictures are.
      {R"({"image": "gone.png", "prompt": "Q"})", "gone.png does not exist; paths are relative to the samples file"},
      {R"({"image": ".", "prompt": "Q"})", "is a folder"},
      {R"({"image": "https://example.com/a.png", "prompt": "Q"})", "download the picture"},
      {R"({"image": "s3://bucket/a.png", "prompt": "Q"})", "download the picture"},
      {R"({"image": "file://host/a.png", "prompt": "Q"})", "another machine"},
      {R"({"image": "file:///%zz.png", "prompt": "Q"})", "hexadecimal"},
      {R"({"image": "file:///a%00.png", "prompt": "Q"})", "NUL"},
      {R"({"image": "data:image/png,abc", "prompt": "Q"})", "data:image/png;base64,"},
      {R"({"image": "data:text/plain;base64,aGVsbG8=", "prompt": "Q"})", "text/plain"},
      {R"({"image": "data:image/png;base64,aGVsbG8", "prompt": "Q"})", "is cut"},
      {R"({"image": "data:image/png;base64,aG-sbG8=", "prompt": "Q"})", "wrong character at position 3"},
      {R"({"image": "data:image/png;base64,aGVsbG8=aGVs", "prompt": "Q"})", "wrong character"},
      {R"({"image": "data:image/png;base64,", "prompt": "Q"})", "is empty"},
      {R"({"image": {"bytes": null}, "prompt": "Q"})", "neither"},
      {R"({"image": {"path": "a.png", "file": "x"}, "prompt": "Q"})", R"(unknown key "file")"},
      // Turns.
      {R"({"messages": []})", "nothing is asked"},
      {R"({"messages": [{"role": "assistant", "content": "A"}]})", "nothing is asked"},
      {R"({"messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": " "}]})", "is empty"},
      {R"({"messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}], "answer": "A"})",
       "ends with the expected answer already"},
      {R"({"messages": [{"role": "tool", "content": "Q"}]})", R"(the role "tool")"},
      {R"({"messages": [{"role": "user", "content": "Q", "mask": 1}]})", R"(unknown key "mask")"},
      {R"({"messages": [{"role": "user", "content": "Q"}, {"role": "system", "content": "S"}]})", "comes first"},
      {R"({"messages": [{"role": "user", "content": null}]})", "content"},
      {R"({"messages": "Q"})", "an array of turns"},
      {R"({"messages": [{"role": "user", "content": [{"type": "video", "video": "a.mp4"}]}]})", R"("video")"},
      {R"({"messages": [{"role": "user", "content": [{"type": "video_url"}]}]})", R"(type "video_url")"},
      {R"({"messages": [{"role": "user", "content": [{"type": "image", "image": "a.png", "max_pixels": 9}]}]})",
       "max_pixels of one picture"},
      {R"({"messages": [{"role": "user", "content": [{"type": "image", "image": "a.png", "url": "a.png"}]}]})",
       "keep one"},
      {R"({"messages": [{"role": "user", "content": ["Q"]}]})", "a part is an object"},
      {R"({"messages": [{"role": "user", "content": "Q"}], "history": []})", "take \"history\" out"},
      {R"({"query": "Q", "history": ["q", "a"]})", "a pair"},
  };
  for (const Wrong& wrong : all) {
    CAPTURE(wrong.line);
    std::string line = wrong.line;
    std::replace(line.begin(), line.end(), '\n', ' ');
    const std::string said = folder.refusal("{\"prompt\": \"fine\"}\n" + line + "\n");
    CAPTURE(said);
    CHECK(contains(said, folder.path("s.jsonl") + ":2"));
    CHECK(contains(said, wrong.says));
  }
  CHECK(contains(folder.refusal(R"({"id": "the one", "prompt": 3})"), "sample \"the one\": " + folder.path("s.jsonl")));
}

TEST_CASE("a JSON array is read like lines and each element is named by its own line") {
  const Folder folder;
  const auto samples =
      folder.read("\xEF\xBB\xBF\n[{\"prompt\": \"a, ]\\\"\"},\n {\n  \"prompt\": \"b\"\n },{\"prompt\": \"c\"}\n]\n")
          .samples;
  REQUIRE(samples.size() == 3);
  CHECK(samples[0].prompt == "a, ]\"");
  CHECK(samples[0].id == "line 2");
  CHECK(samples[1].id == "line 3");
  CHECK(samples[2].id == "line 5");
  const std::string path = folder.path("s.jsonl");
  CHECK(folder.refusal("[]") == "samples: " + path + " holds no sample");
  CHECK(contains(folder.refusal("[{\"prompt\": \"a\"},\n{\"prompt\": 1}]"), path + ":2: prompt"));
  CHECK(contains(folder.refusal("[{\"prompt\": \"a\"},\n{\"prompt\": "), path + ":2: the array does not end"));
  CHECK(contains(folder.refusal("[{\"prompt\": \"a\"},\n]"), path + ":2: an element is missing"));
  CHECK(contains(folder.refusal("[{\"prompt\": \"a\"}]\n{}"), path + ":2: there is text behind"));
  CHECK(contains(folder.refusal("[\n1]"), path + ":2: a sample is a JSON object"));
}

TEST_CASE("files of other encodings and packed ones are named") {
  using namespace std::string_literals;
  const Folder folder;
  const std::string path = folder.path("s.jsonl");
  CHECK(folder.refusal("\xFF\xFE{\0"s) == "samples: " + path + " is UTF-16; save it as UTF-8");
  CHECK(folder.refusal("\xFE\xFF\0{"s) == "samples: " + path + " is UTF-16; save it as UTF-8");
  CHECK(folder.refusal("{\0\"\0"s) == "samples: " + path + " is UTF-16; save it as UTF-8");
  CHECK(folder.refusal("\xFF\xFE\0\0{\0\0\0"s) == "samples: " + path + " is UTF-32; save it as UTF-8");
  CHECK(contains(folder.refusal("\x1F\x8B\x08"), "gzip"));
  CHECK(contains(folder.refusal("PAR1"), "Parquet"));
  CHECK(folder.read("\xEF\xBB\xBF{\"prompt\": \"Q\"}\r\n\r\n").samples.size() == 1);
  CHECK(folder.refusal("") == "samples: " + path + " holds no sample");
  CHECK(folder.refusal("\n \n") == "samples: " + path + " holds no sample");
  CHECK(test::message_of([&] { read_samples(folder.path("gone")); }) ==
        "samples: " + folder.path("gone") + " is not a file; expected JSON lines, one sample a line, or a JSON array");
}

TEST_CASE("bad samples are left out and listed where that is asked for") {
  const Folder folder;
  const octavo::SampleSet set = folder.read(
      "{\"prompt\": \"first\"}\n"
      "{\"id\": \"typo\", \"imgae\": \"a.png\", \"prompt\": \"Q\"}\n"
      "{\"id\": 7, \"image\": \"gone.png\", \"prompt\": \"Q\"}\n"
      "{\"prompt\": \n"
      "{\"prompt\": \"last\"}\n",
      true);
  REQUIRE(set.samples.size() == 2);
  CHECK(set.samples[1].prompt == "last");
  REQUIRE(set.skipped.size() == 3);
  CHECK(set.skipped[0].id == "typo");
  CHECK(set.skipped[0].where == folder.path("s.jsonl") + ":2");
  CHECK(contains(set.skipped[0].reason, "unknown key \"imgae\""));
  CHECK(set.skipped[1].id == "7");
  CHECK(set.skipped[2].id == "line 4");
  CHECK(contains(test::message_of([&] { folder.read("{}\n", true); }), "none of the 1 samples can be used"));
}

TEST_CASE("pictures that do not decode or have an impossible shape are the sample's fault") {
  const Folder folder;
  folder.write("broken.png", "no picture");
  folder.write("long.ppm", "P6\n222 1\n255\n" + std::string(666, 'x'));
  const std::string lines = R"({"id": "fine", "image": "a.png", "prompt": "Q"}
{"id": "broken", "image": "broken.png", "prompt": "Q"}
{"id": "long", "image": "long.ppm", "prompt": "Q"}
{"id": "cut", "image": "data:image/png;base64,iVBORw0KGgo=", "prompt": "Q"}
)";
  const octavo::ImageProcessorConfig processor;
  octavo::SampleSet strict = folder.read(lines);
  const std::string said = test::message_of([&] { check_pictures(strict, processor, false); });
  CHECK(contains(said, "sample \"broken\" (" + folder.path("s.jsonl") + ":2)"));
  CHECK(contains(said, "broken.png"));

  octavo::SampleSet set = folder.read(lines);
  check_pictures(set, processor, true);
  REQUIRE(set.samples.size() == 1);
  CHECK(set.samples.front().id == "fine");
  REQUIRE(set.skipped.size() == 3);
  CHECK(set.skipped[1].id == "long");
  CHECK(contains(set.skipped[1].reason, "222 x 1"));
  CHECK(contains(set.skipped[1].reason, "long.ppm"));
  CHECK(contains(set.skipped[2].reason, "picture 1 of " + folder.path("s.jsonl") + ":4"));
}

TEST_CASE("a folder of pictures is one sample each with the same prompt") {
  const test::Scratch scratch;
  for (const char* folder : {"in/b", "in/.hidden"}) test::fs::create_directories(scratch.path(folder));
  for (const char* name : {"in/c.PNG", "in/a.jpeg", "in/b/a.png", "in/notes.txt", "in/.x.png", "in/.hidden/y.png"})
    scratch.write(name, "");
  octavo::SampleSource source;
  source.pictures = scratch.path("in");
  source.prompt = "What is <image>?";
  const octavo::SampleSet set = read_samples(source);
  REQUIRE(set.samples.size() == 3);
  CHECK(set.samples[0].id == "a.jpeg");
  CHECK(set.samples[1].id == "b/a.png");
  CHECK(set.samples[2].id == "c.PNG");
  CHECK(set.samples[1].images.front().name == scratch.path("in/b/a.png"));
  CHECK(shown(set.samples[0]) == "user:What is [a.jpeg]?");
  CHECK(read_samples(source, 2).samples.size() == 2);

  source.prompt = "What is this?";
  CHECK(shown(read_samples(source).samples[0]) == "user:[a.jpeg]What is this?");
  scratch.write("in/d.heic", "");
  CHECK(contains(test::message_of([&] { read_samples(source); }), "d.heic: pictures of this kind are not read"));
  source.skip_bad = true;
  CHECK(read_samples(source).skipped.size() == 1);
  source.prompt = " ";
  CHECK(contains(test::message_of([&] { read_samples(source); }), "say what to ask"));
  source.prompt = "<image><image>";
  CHECK(contains(test::message_of([&] { read_samples(source); }), "2 places"));
  source = {};
  CHECK(contains(test::message_of([&] { read_samples(source); }), "name a samples file"));
  source.file = "x";
  source.pictures = "y";
  CHECK(contains(test::message_of([&] { read_samples(source); }), "both a samples file and a folder"));
}
