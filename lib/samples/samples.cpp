#include "octavo/samples.hpp"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "folder.hpp"
#include "forms.hpp"
#include "left_out.hpp"
#include "octavo/architecture.hpp"
#include "records.hpp"
#include "words.hpp"

namespace octavo {
namespace {

namespace fs = std::filesystem;

/// What a sample can be at fault for; a machine out of memory, or a cancel, is no sample's fault.
bool blames_sample(const Error& error) {
  switch (error.code()) {
    case ErrorCode::invalid_argument:
    case ErrorCode::not_found:
    case ErrorCode::io:
    case ErrorCode::format:
    case ErrorCode::unsupported:
      return true;
    default:
      return false;
  }
}

/// A line that does not end its object is most often an object laid out over several.
std::string hint_for(const std::string& text) {
  const std::size_t last = text.find_last_not_of(" \t\r");
  const bool begins =
      text.find_first_not_of(" \t\r") != std::string::npos && text[text.find_first_not_of(" \t\r")] == '{';
  if (!begins || text[last] == '}') return "";
  return "; a sample stands on one line, or all of them in one array [...]";
}

Sample sample_of(const samples::Record& record, const std::string& origin, const fs::path& base, std::string& id) {
  if (!record.problem.empty()) samples::refuse(origin, record.problem);
  const Json json = [&] {
    try {
      return Json::parse(record.text, origin);
    } catch (const Error& error) {
      throw Error::of(error.code(), error.what() + hint_for(record.text));
    }
  }();
  id = samples::id_of(json, record.line);
  if (!samples::given(json, "id")) return samples::parse_sample(json, record.line, base);
  return in_context("sample \"" + samples::cut(id) + "\"",
                    [&] { return samples::parse_sample(json, record.line, base); });
}

SampleSet read_file(const SampleSource& source, std::int64_t limit) {
  samples::RecordReader reader(source.file);
  const fs::path base = fs::path(source.file).parent_path();
  SampleSet set;
  while (limit == 0 || static_cast<std::int64_t>(set.samples.size()) < limit) {
    const auto record = reader.next();
    if (!record) break;
    const std::string origin = source.file + ":" + std::to_string(record->line);
    std::string id = "line " + std::to_string(record->line);
    try {
      set.samples.push_back(sample_of(*record, origin, base, id));
    } catch (const Error& error) {
      if (!source.skip_bad || !blames_sample(error)) throw;
      samples::leave_out(set.skipped, {samples::cut(id), origin, error.what()});
    }
  }
  return set;
}

void require_some(const SampleSet& set, const std::string& where) {
  if (!set.samples.empty()) return;
  if (set.skipped.empty()) throw Error(ErrorCode::invalid_argument, "samples: " + where + " holds no sample");
  throw Error(ErrorCode::invalid_argument, "samples: none of the " + std::to_string(set.skipped.size()) +
                                               " samples can be used; the first: " + set.skipped.front().reason);
}

}  // namespace

bool SampleImage::operator==(const SampleImage& other) const {
  if (bytes == nullptr || other.bytes == nullptr) return bytes == other.bytes && name == other.name;
  return *bytes == *other.bytes;
}

Image load_image(const SampleImage& image, const DecodeOptions& decode) {
  return image.bytes == nullptr ? load_image(image.name, decode) : decode_image(*image.bytes, image.name, decode);
}

std::string Sample::name() const {
  return "sample \"" + samples::cut(id) + "\"" + (where.empty() ? "" : " (" + where + ")");
}

JsonBuilder SkippedSample::to_json() const {
  return JsonBuilder::object().set("id", id).set("where", where).set("reason", reason);
}

JsonBuilder skipped_json(const std::vector<SkippedSample>& skipped) {
  JsonBuilder list = JsonBuilder::array();
  for (const SkippedSample& sample : skipped) list.push(sample.to_json());
  return list;
}

SampleSet read_samples(const SampleSource& source, std::int64_t limit, const DecodeOptions& decode) {
  if (limit < 0)
    throw Error(ErrorCode::invalid_argument, "samples: the limit is " + std::to_string(limit) + "; 0 means all");
  if (source.file.empty() == source.pictures.empty())
    throw Error(ErrorCode::invalid_argument, source.file.empty()
                                                 ? "samples: name a samples file, or a folder of pictures"
                                                 : "samples: both a samples file and a folder of pictures are named");
  if (!source.file.empty() && !source.prompt.empty())
    throw Error(ErrorCode::invalid_argument, "samples: the samples of " + source.file +
                                                 " bring their own prompts; a prompt goes with a folder of pictures");
  SampleSet set = source.file.empty() ? samples::read_folder(source, limit) : read_file(source, limit);
  for (Sample& sample : set.samples) sample.decode = decode;
  require_some(set, source.file.empty() ? source.pictures : source.file);
  return set;
}

namespace {

/// `processor`: null where the model takes no pictures.
std::vector<std::int64_t> check_all(SampleSet& set, const ImageProcessorConfig* processor, bool skip_bad,
                                    const std::function<void(const Sample&)>& before_each) {
  std::vector<Sample> good;
  std::vector<std::int64_t> patches;
  for (Sample& sample : set.samples) {
    if (before_each) before_each(sample);
    std::int64_t count = 0;
    try {
      in_context(sample.name(), [&] {
        if (processor == nullptr && !sample.images.empty())
          throw Error(ErrorCode::invalid_argument,
                      "it has a picture, but the model has no vision tower and takes text alone: leave it out");
        for (const SampleImage& picture : sample.images) {
          const Image image = load_image(picture, sample.decode);
          in_context(picture.name, [&] {
            const Grid grid = grid_of({image.height, image.width}, *processor);
            count += grid.t * grid.h * grid.w;
          });
        }
      });
    } catch (const Error& error) {
      if (!skip_bad || !blames_sample(error)) throw;
      samples::leave_out(set.skipped, {samples::cut(sample.id), sample.where, error.what()});
      continue;
    }
    good.push_back(std::move(sample));
    patches.push_back(count);
  }
  set.samples = std::move(good);
  require_some(set, "the source");
  return patches;
}

}  // namespace

std::vector<std::int64_t> check_pictures(SampleSet& set, const ImageProcessorConfig& processor, bool skip_bad,
                                         const std::function<void(const Sample&)>& before_each) {
  return check_all(set, &processor, skip_bad, before_each);
}

std::vector<std::int64_t> check_pictures(SampleSet& set, const Checkpoint& model, bool skip_bad,
                                         const std::function<void(const Sample&)>& before_each) {
  if (read_architecture(model.config())->vision() == nullptr) return check_all(set, nullptr, skip_bad, before_each);
  return check_pictures(set, ImageProcessorConfig::open(model.files()), skip_bad, before_each);
}

std::vector<Image> load_images(const Sample& sample) {
  std::vector<Image> images;
  images.reserve(sample.images.size());
  for (const SampleImage& image : sample.images) images.push_back(load_image(image, sample.decode));
  return images;
}

std::vector<ChatMessage> messages_of(const Sample& sample) {
  if (!sample.messages.empty()) return sample.messages;
  ChatMessage message;
  message.role = "user";
  message.parts.assign(sample.images.size(), ChatPart{ChatPart::Kind::image, {}});
  message.parts.push_back({ChatPart::Kind::text, sample.prompt});
  return {message};
}

ModelInput prepare_question(const Model& model, const Sample& sample, const ChatOptions& chat) {
  return in_context(sample.name(), [&] { return model.prepare(messages_of(sample), load_images(sample), chat); });
}

void require_room(const Sample& sample, const ModelInput& input, std::int64_t room) {
  if (room < 1)
    throw Error(ErrorCode::invalid_argument,
                sample.name() + ": the prompt has " + std::to_string(input.ids.size()) +
                    " tokens, which fill the model's context; shorten it or use smaller images");
}

}  // namespace octavo
