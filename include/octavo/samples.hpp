/// @file
/// Samples: what is asked of a model, about which pictures, and the answer that is expected. They are read from the
/// files that people have (OpenAI's messages, LLaVA's conversations, ms-swift's queries, and a short form of our own),
/// or from a folder of pictures. docs/samples.md shows every form. What cannot be read is an error, or is left out and
/// listed; a sample never loses its picture, or a part of its text, without a word.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "octavo/image.hpp"
#include "octavo/json.hpp"
#include "octavo/model.hpp"
#include "octavo/text.hpp"

namespace octavo {

/// A picture of a sample: a file, or bytes that stand in the sample itself.
struct SampleImage {
  std::string name;  ///< the file's path; or, for bytes, where they stand: "picture 2 of samples.jsonl:3"
  std::shared_ptr<const std::vector<std::byte>> bytes;  ///< a picture file's content; null: `name` is to be read

  SampleImage(std::string file) : name(std::move(file)) {}
  SampleImage(std::string place, std::vector<std::byte> content)
      : name(std::move(place)), bytes(std::make_shared<const std::vector<std::byte>>(std::move(content))) {}
  bool operator==(const SampleImage& other) const;  ///< the same file, or equal bytes
};
/// @throws Error  as load_image(path) and decode_image.
Image load_image(const SampleImage& image, const DecodeOptions& decode = {});

struct Sample {
  std::string id;      ///< as the file says, numbers as their digits; else "line 3"
  std::string where;   ///< "samples.jsonl:3"; of a folder: the picture's path
  std::string prompt;  ///< the text of the last user turn, without its pictures; may be empty where it has pictures
  std::string answer;  ///< what the model should say; "" when nothing is expected
  std::string task;    ///< samples are scored by task, see score_answer
  /// Everything up to the answer as the chat template takes it: a system prompt where the sample brings one, earlier
  /// turns, the question; pictures where they stand. Empty: one user turn, `images` before `prompt`.
  std::vector<ChatMessage> messages;
  std::vector<SampleImage> images;  ///< of the picture parts of `messages`, in their order
  DecodeOptions decode;             ///< how they are read

  /// `sample "a" (samples.jsonl:3)`: how messages call it; a long id is cut.
  std::string name() const;
};

/// Where samples come from.
struct SampleSource {
  std::string file;      ///< JSON lines, or one JSON array; UTF-8, a byte order mark is allowed
  std::string pictures;  ///< or: a folder whose pictures are asked about, one sample each;
  std::string prompt;    ///< with `pictures`: what is asked about each; `<image>` stands for the picture, which is else
                         ///< before the text
  bool skip_bad = false;  ///< leaves out samples that cannot be used, and lists them; false: the first one is an error

  SampleSource() = default;
  SampleSource(std::string samples_file) : file(std::move(samples_file)) {}
  SampleSource(const char* samples_file) : file(samples_file) {}
  bool empty() const noexcept { return file.empty() && pictures.empty() && prompt.empty(); }
};

/// A sample that was left out.
struct SkippedSample {
  std::string id;      ///< "line 3" where it has none
  std::string where;   ///< as Sample::where
  std::string reason;  ///< one line
  JsonBuilder to_json() const;
};

/// The list as every result and report holds it.
JsonBuilder skipped_json(const std::vector<SkippedSample>& skipped);

struct SampleSet {
  std::vector<Sample> samples;         ///< in the file's order; of a folder, by path, bytewise
  std::vector<SkippedSample> skipped;  ///< with SampleSource::skip_bad
};

/// Reads at most `limit` samples (0: all), whose pictures are to be read as `decode` says, and looks whether the
/// picture files that they name exist. Blank lines are passed over; lines behind the last sample that is taken are not
/// looked at.
/// @throws Error  what is wrong with a sample names file, line and id (format; not_found for a picture;
///                unsupported for what Octavo does not read: videos, pictures on the web). not_found, io or format for
///                the file; invalid_argument when it holds no sample, when none is left, and for a source that names
///                both a file and a folder, or neither.
SampleSet read_samples(const SampleSource& source, std::int64_t limit = 0, const DecodeOptions& decode = {});

/// A conversation that waits for its next answer: a JSON array of turns, or one object as in a samples file, with
/// "messages", "images" and so on; docs/samples.md. The answer is "". Paths of pictures are relative to the file.
/// @throws Error  as read_samples; format where the last turn is the assistant's.
Sample read_conversation(const std::string& file, const DecodeOptions& decode = {});
/// The same of text. `origin` is how errors name it, `folder` what paths are relative to; "": where the process is.
Sample parse_conversation(std::string_view json, const std::string& origin, const std::string& folder = {},
                          const DecodeOptions& decode = {});

/// Decodes every picture of every sample and asks whether the model's image processor takes its shape, so that a
/// picture at fault is found before hours of work. Samples at fault move to `skipped` when `skip_bad`.
/// `before_each` may be empty; it may throw, to cancel. Returns for each sample that is left the patches of its
/// pictures: the rows that the vision tower runs on.
/// @throws Error  what the first sample at fault has, naming it; invalid_argument when none is left.
std::vector<std::int64_t> check_pictures(SampleSet& set, const ImageProcessorConfig& processor, bool skip_bad,
                                         const std::function<void(const Sample&)>& before_each = {});
/// The same by the image processor of a model's directory. Where the architecture takes text alone (architecture.hpp),
/// every picture is at fault, and no image processor is read.
std::vector<std::int64_t> check_pictures(SampleSet& set, const Checkpoint& model, bool skip_bad,
                                         const std::function<void(const Sample&)>& before_each = {});

/// Pictures of a sample, decoded. @throws Error  as load_image.
std::vector<Image> load_images(const Sample& sample);
/// What the model reads before it answers, see Sample::messages.
std::vector<ChatMessage> messages_of(const Sample& sample);
/// A sample's turns and pictures, without its answer; what is wrong with them names the sample.
ModelInput prepare_question(const Model& model, const Sample& sample, const ChatOptions& chat = {});
/// `room`: positions of the context that the prompt leaves free.
/// @throws Error  invalid_argument naming the sample when there is none.
void require_room(const Sample& sample, const ModelInput& input, std::int64_t room);

}  // namespace octavo
