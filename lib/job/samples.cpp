#include <filesystem>
#include <fstream>

#include "octavo/job.hpp"

namespace octavo {
namespace fs = std::filesystem;
namespace {

/// A longer line is not a sample but a mistake, and would be held in memory whole.
constexpr std::size_t kMaxLineBytes = std::size_t{16} << 20;

Sample parse_sample(const Json& line, const fs::path& base) {
  if (!line.is_object()) {
    throw Error(ErrorCode::format, line.where() + ": a sample is a JSON object with \"prompt\" and \"image\"");
  }
  Sample sample;
  sample.id = line.get_string("id", "");
  sample.prompt = line.at("prompt").as_string();
  sample.answer = line.get_string("answer", "");
  sample.task = line.get_string("task", "");
  const auto add_image = [&](const Json& path) { sample.images.push_back((base / path.as_string()).string()); };
  const auto image = line.find("image");
  const auto images = line.find("images");
  if (image && images) {
    throw Error(ErrorCode::format, line.where() + ": both \"image\" and \"images\" are given; keep one");
  }
  if (image && !image->is_null()) {
    add_image(*image);
  }
  if (images && !images->is_null()) {
    if (!images->is_array()) {
      throw Error(ErrorCode::format, images->where() + ": expected an array of paths");
    }
    for (std::size_t i = 0; i < images->size(); ++i) {
      add_image(images->at(i));
    }
  }
  if (sample.prompt.empty()) {
    throw Error(ErrorCode::format, line.where() + ": the prompt is empty");
  }
  return sample;
}

}  // namespace

std::vector<Sample> read_samples(const std::string& jsonl_path, std::int64_t limit, const DecodeOptions& decode) {
  if (limit < 0) {
    throw Error(ErrorCode::invalid_argument, "samples: the limit is " + std::to_string(limit) + "; 0 means all");
  }
  if (!fs::is_regular_file(jsonl_path)) {
    throw Error(ErrorCode::not_found, "samples: " + jsonl_path + " is not a file; expected one JSON object per line");
  }
  std::ifstream file(jsonl_path, std::ios::binary);
  if (!file) {
    throw Error(ErrorCode::io, "samples: cannot read " + jsonl_path);
  }
  const fs::path base = fs::path(jsonl_path).parent_path();
  std::vector<Sample> samples;
  std::string line;
  for (std::int64_t number = 1; std::getline(file, line); ++number) {
    const std::string origin = jsonl_path + ":" + std::to_string(number);
    if (line.size() > kMaxLineBytes) {
      throw Error(ErrorCode::format,
                  origin + ": the line has " + std::to_string(line.size()) + " bytes; this is not a samples file");
    }
    if (line.find_first_not_of(" \t\r") == std::string::npos) {
      continue;
    }
    samples.push_back(parse_sample(Json::parse(line, origin), base));
    samples.back().decode = decode;
    if (samples.back().id.empty()) {
      samples.back().id = "line " + std::to_string(number);
    }
    if (limit > 0 && static_cast<std::int64_t>(samples.size()) == limit) {
      break;
    }
  }
  if (samples.empty()) {
    throw Error(ErrorCode::invalid_argument, "samples: " + jsonl_path + " holds no sample");
  }
  return samples;
}

std::vector<Image> load_images(const Sample& sample) {
  std::vector<Image> images;
  images.reserve(sample.images.size());
  for (const std::string& path : sample.images) {
    images.push_back(load_image(path, sample.decode));
  }
  return images;
}

ModelInput prepare_question(const Model& model, const Sample& sample) {
  return in_context("sample \"" + sample.id + "\"", [&] { return model.prepare(sample.prompt, load_images(sample)); });
}

void require_room(const Sample& sample, const ModelInput& input, std::int64_t room) {
  if (room < 1) {
    throw Error(ErrorCode::invalid_argument,
                "sample \"" + sample.id + "\": the prompt has " + std::to_string(input.ids.size()) +
                    " tokens, which fill the model's context; shorten it or use smaller images");
  }
}

void require_images(const std::vector<Sample>& samples) {
  for (const Sample& sample : samples) {
    for (const std::string& path : sample.images) {
      if (!fs::is_regular_file(path)) {
        throw Error(ErrorCode::not_found, "samples: sample \"" + sample.id + "\" names the image " + path +
                                              ", which does not exist; paths are relative to the samples file");
      }
    }
  }
}

}  // namespace octavo
