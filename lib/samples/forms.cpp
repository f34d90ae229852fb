#include "forms.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <vector>

#include "pictures.hpp"
#include "turns.hpp"
#include "words.hpp"

namespace octavo::samples {
namespace {

bool is_blank(const std::string& text) { return text.find_first_not_of(" \t\r\n") == std::string::npos; }

std::string trimmed(const std::string& text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  return first == std::string::npos ? "" : text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

/// What other tools read and Octavo does not. Empty ones are what a table's columns leave behind, and do no harm.
void refuse_other_input(const Json& record) {
  static constexpr std::array kOther{
      std::pair{"video", "videos are not read; give pictures under \"images\""},
      std::pair{"videos", "videos are not read; give pictures under \"images\""},
      std::pair{"audio", "sound is not read"},
      std::pair{"audios", "sound is not read"},
      std::pair{"tools", "tools are not read"},
      std::pair{"objects", "boxes are read from the answer's text; write them there"},
  };
  for (const auto& [key, why] : kOther) {
    const auto found = given(record, key);
    if (!found || (found->is_array() && found->size() == 0)) continue;
    throw Error(ErrorCode::unsupported, found->where() + ": " + why);
  }
}

/// The one of `keys` that is there.
std::optional<Json> one_of(const Json& record, std::initializer_list<const char*> keys) {
  std::optional<Json> found;
  const char* first = nullptr;
  for (const char* key : keys)
    if (const auto value = given(record, key)) {
      if (found) refuse(record.where(), std::string("both \"") + first + "\" and \"" + key + "\" are given; keep one");
      found = value;
      first = key;
    }
  return found;
}

std::vector<SampleImage> listed_pictures(const Json& record, PicturePlace& place) {
  std::vector<SampleImage> pictures;
  const auto value = one_of(record, {"image", "images"});
  if (!value) return pictures;
  if (!value->is_array()) {
    pictures.push_back(picture_of(*value, place));
    return pictures;
  }
  for (std::size_t i = 0; i < value->size(); ++i) pictures.push_back(picture_of(value->at(i), place));
  return pictures;
}

/// ms-swift: [["query", "response"], ...], the turns before the question.
void add_history(const Json& history, std::vector<Turn>& turns) {
  if (!history.is_array()) refuse(history.where(), "an array of [query, response] pairs is needed");
  for (std::size_t i = 0; i < history.size(); ++i) {
    const Json pair = history.at(i);
    if (!pair.is_array() || pair.size() != 2) refuse(pair.where(), "a pair [query, response] is needed");
    for (std::size_t k = 0; k < 2; ++k)
      turns.push_back(
          {k == 0 ? "user" : "assistant", pair.at(k).where(), pieces_of(text_of(pair.at(k)), pair.where())});
  }
}

std::string question_of(const Json& value) {
  std::string text = text_of(value);
  if (is_blank(text)) refuse(value.where(), "the prompt is empty");
  return text;
}

std::string answer_text(const Json& value) {
  if (value.is_integer() && !value.is_string()) return std::to_string(value.as_int());
  if (!value.is_string())
    refuse(value.where(), "the answer must be text, in quotes: the model's own words are compared with it");
  return text_of(value);
}

/// Takes the last assistant turn, which is what the model should say, off the conversation.
std::string take_answer(std::vector<Turn>& turns) {
  if (turns.empty() || turns.back().role != "assistant") return "";
  const std::string answer = text_alone(turns.back());
  if (is_blank(answer)) refuse(turns.back().where, "the last assistant turn, the expected answer, is empty");
  turns.pop_back();
  return answer;
}

void require_order(const std::vector<Turn>& turns, const std::string& where) {
  for (std::size_t i = 1; i < turns.size(); ++i)
    if (turns[i].role == "system") refuse(turns[i].where, "a system turn comes first or not at all");
  if (turns.empty() || turns.back().role != "user")
    refuse(where, "there is no user turn before the expected answer: nothing is asked");
  const std::vector<Piece>& last = turns.back().pieces;
  if (std::all_of(last.begin(), last.end(),
                  [](const Piece& piece) { return piece.kind == Piece::Kind::text && is_blank(piece.text); }))
    refuse(turns.back().where, "the prompt is empty");
}

std::string prompt_of(const Sample& sample) {
  std::string prompt;
  for (const ChatPart& part : sample.messages.back().parts)
    if (part.kind == ChatPart::Kind::text) prompt += part.text;
  return trimmed(prompt);
}

}  // namespace

std::string id_of(const Json& record, std::int64_t line) {
  const auto id = given(record, "id");
  if (id && id->is_string() && !id->as_string().empty()) return id->as_string();
  if (id && id->is_number()) return id->dump();
  return "line " + std::to_string(line);
}

void ask_about_pictures(Sample& sample, const std::string& prompt, const std::string& where) {
  std::vector<SampleImage> pictures = std::exchange(sample.images, {});
  std::vector<Turn> turns{{"user", where, pieces_of(prompt, where)}};
  settle(std::move(turns), std::move(pictures), true, where, sample);
  sample.prompt = prompt_of(sample);
}

Sample parse_sample(const Json& record, std::int64_t line, const std::filesystem::path& base) {
  if (!record.is_object())
    refuse(record.where(), R"(a sample is a JSON object such as {"image": "a.png", "prompt": "What is this?"})");
  refuse_other_input(record);
  require_keys(record,
               {"id", "image", "images", "prompt", "answer", "task", "query", "response", "system", "history",
                "messages", "conversations", "metadata"},
               {"video", "videos", "audio", "audios", "tools", "objects"});
  const std::string where = record.where();
  if (const auto id = given(record, "id"); id && !id->is_string() && !id->is_number())
    refuse(id->where(), "an id is a text or a number");
  Sample sample;
  sample.id = id_of(record, line);
  if (sample.id.find('\0') != std::string::npos) refuse(where, "the id holds a NUL character");
  sample.where = where;
  if (const auto task = given(record, "task")) sample.task = text_of(*task);

  PicturePlace place{base, where};
  std::vector<SampleImage> listed = listed_pictures(record, place);
  const auto question = one_of(record, {"prompt", "query", "messages", "conversations"});
  if (!question)
    refuse(where, "nothing is asked: one of \"prompt\", \"query\", \"messages\", \"conversations\" is needed");
  const bool is_conversation = given(record, "messages") || given(record, "conversations");
  std::vector<Turn> turns;
  if (const auto system = given(record, "system"))
    turns.push_back({"system", system->where(), pieces_of(text_of(*system), system->where())});
  if (const auto history = given(record, "history")) {
    if (is_conversation) refuse(history->where(), "a conversation brings its own earlier turns; take \"history\" out");
    add_history(*history, turns);
  }
  if (is_conversation) {
    for (Turn& turn : turns_of(*question, place)) turns.push_back(std::move(turn));
    sample.answer = take_answer(turns);
  } else {
    turns.push_back({"user", question->where(), pieces_of(question_of(*question), question->where())});
  }
  if (const auto answer = one_of(record, {"answer", "response"})) {
    if (!sample.answer.empty())
      refuse(answer->where(), "the conversation ends with the expected answer already; keep one");
    sample.answer = answer_text(*answer);
    pieces_of(sample.answer, answer->where());
    text_alone({"assistant", answer->where(), pieces_of(sample.answer, answer->where())});
  }
  require_order(turns, where);
  settle(std::move(turns), std::move(listed), !given(record, "conversations"), where, sample);
  sample.prompt = prompt_of(sample);
  return sample;
}

}  // namespace octavo::samples
