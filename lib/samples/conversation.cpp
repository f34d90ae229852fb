// One conversation that waits for its answer, in the forms of a samples file.
#include <filesystem>

#include "forms.hpp"
#include "octavo/samples.hpp"
#include "records.hpp"
#include "words.hpp"

namespace octavo {
namespace {

Sample conversation_of(const Json& given, const std::string& origin, const std::filesystem::path& folder,
                       const DecodeOptions& decode) {
  if (!given.is_array() && !given.is_object())
    samples::refuse(origin, R"(an array of turns is needed: [{"role": "user", "content": "What is this?"}])");
  const Json record =
      given.is_array() ? JsonBuilder::object().set("messages", JsonBuilder(given)).build(origin) : given;
  Sample sample = samples::parse_sample(record, 1, folder);
  if (!sample.answer.empty())
    samples::refuse(origin, "the conversation holds its answer already; end it with a user turn");
  sample.decode = decode;
  return sample;
}

}  // namespace

Sample parse_conversation(std::string_view json, const std::string& origin, const std::string& folder,
                          const DecodeOptions& decode) {
  if (json.size() > samples::kMaxRecordBytes) samples::refuse(origin, "a conversation has at most 64 MiB");
  return conversation_of(Json::parse(json, origin), origin, folder, decode);
}

Sample read_conversation(const std::string& file, const DecodeOptions& decode) {
  return conversation_of(Json::read_file(file, samples::kMaxRecordBytes), file,
                         std::filesystem::path(file).parent_path(), decode);
}

}  // namespace octavo
