#include "octavo/boxes.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <system_error>
#include <utility>

#include "octavo/box_labels.hpp"
#include "octavo/json.hpp"

namespace octavo {
namespace {

constexpr std::string_view kBlank = " \t\r\n";

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_word(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

struct Number {
  double value = 0;
  std::size_t begin = 0, end = 0;  // in the text
};

/// Numbers that belong together: a box or a point.
struct Found {
  std::vector<Number> numbers;
  std::size_t begin = 0, end = 0;
};

/// Reads a text from a place on. Every function leaves the place as it was when what it looks for is not there.
class Reader {
 public:
  Reader(std::string_view text, std::size_t at) : text_(text), at_(at) {}
  std::size_t at() const { return at_; }
  bool done() const { return at_ >= text_.size(); }

  void skip(std::string_view characters) {
    while (!done() && characters.find(text_[at_]) != std::string_view::npos) ++at_;
  }
  bool take(char c) {
    if (done() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  std::optional<Number> number() {
    std::size_t end = at_;
    const auto digits = [&] {
      const std::size_t first = end;
      while (end < text_.size() && is_digit(text_[end])) ++end;
      return end > first;
    };
    if (end < text_.size() && text_[end] == '-') ++end;
    if (!digits()) return std::nullopt;
    if (end + 1 < text_.size() && text_[end] == '.' && is_digit(text_[end + 1])) {
      ++end;
      digits();
    }
    if (end < text_.size() && (text_[end] == 'e' || text_[end] == 'E')) {
      const std::size_t mantissa = end++;
      if (end < text_.size() && (text_[end] == '-' || text_[end] == '+')) ++end;
      if (!digits()) end = mantissa;
    }
    Number number{0, at_, end};
    const auto read = std::from_chars(text_.data() + at_, text_.data() + end, number.value);
    if (read.ec != std::errc() || read.ptr != text_.data() + end) return std::nullopt;
    if (end < text_.size() && is_word(text_[end])) return std::nullopt;  // 2d, 3px
    at_ = end;
    return number;
  }
  /// `count` numbers with white space, commas or both between, no comma behind.
  std::optional<Found> numbers(std::size_t count) {
    const std::size_t begin = at_;
    Found found;
    while (found.numbers.size() < count) {
      if (!found.numbers.empty()) {
        const std::size_t behind = at_;
        skip(kBlank);
        take(',');
        skip(kBlank);
        if (at_ == behind) break;
      }
      const auto number = this->number();
      if (!number) break;
      found.numbers.push_back(*number);
    }
    if (found.numbers.size() < count) {
      at_ = begin;
      return std::nullopt;
    }
    found.begin = begin;
    found.end = at_;
    return found;
  }
  /// The same between brackets, and nothing else there.
  std::optional<Found> list(std::size_t count, char open, char close) {
    const std::size_t begin = at_;
    if (take(open)) {
      skip(kBlank);
      std::optional<Found> found = numbers(count);
      skip(kBlank);
      if (found && take(close)) {
        found->begin = begin;
        found->end = at_;
        return found;
      }
    }
    at_ = begin;
    return std::nullopt;
  }

 private:
  std::string_view text_;
  std::size_t at_;
};

/// Behind `name`, quotes and a colon: a list of `count` numbers, a list of such lists, or the numbers alone.
std::vector<Found> by_name(std::string_view text, std::string_view name, std::size_t count) {
  std::vector<Found> all;
  for (std::size_t at = text.find(name); at != std::string_view::npos; at = text.find(name, at + 1)) {
    if (at > 0 && is_word(text[at - 1])) continue;
    Reader reader(text, at + name.size());
    reader.skip("\"'");
    reader.skip(kBlank);
    reader.skip(":=");
    reader.skip(kBlank);
    if (reader.at() == at + name.size()) continue;  // a longer name
    if (auto found = reader.numbers(count)) {
      all.push_back(*std::move(found));
      continue;
    }
    for (const auto& [open, close] : {std::pair('[', ']'), {'(', ')'}}) {
      if (auto found = reader.list(count, open, close)) {
        all.push_back(*std::move(found));
        break;
      }
    }
    if (!reader.take('[')) continue;
    for (;;) {
      reader.skip(" \t\r\n,");
      auto found = reader.list(count, '[', ']');
      if (!found) break;
      all.push_back(*std::move(found));
    }
  }
  return all;
}

std::optional<Found> plain_at(std::string_view text, std::size_t at) {
  Reader reader(text, at);
  if (auto found = reader.list(4, '[', ']')) return found;
  if (auto found = reader.list(4, '(', ')')) return found;
  auto upper = reader.list(2, '(', ')');
  if (!upper) return std::nullopt;
  reader.skip(kBlank);
  reader.take(',');
  reader.skip(kBlank);
  auto lower = reader.list(2, '(', ')');
  if (!lower) return std::nullopt;
  upper->numbers.insert(upper->numbers.end(), lower->numbers.begin(), lower->numbers.end());
  upper->end = lower->end;
  return upper;
}

std::vector<Found> plain(std::string_view text) {
  std::vector<Found> all;
  for (std::size_t at = text.find_first_of("[("); at != std::string_view::npos; at = text.find_first_of("[(", at)) {
    auto found = plain_at(text, at);
    at = found ? found->end : at + 1;
    if (found) all.push_back(*std::move(found));
  }
  return all;
}

std::vector<Found> find_boxes(std::string_view part) {
  if (std::vector<Found> named = by_name(part, "bbox_2d", 4); !named.empty()) return named;
  if (std::vector<Found> lists = plain(part); !lists.empty()) return lists;
  Reader reader(part, 0);
  auto bare = reader.numbers(4);
  if (!bare || !reader.done()) return {};
  return {*std::move(bare)};
}

/// The string that begins at `at` with a quote, single or double; "" where there is none, or it does not end.
std::string quoted_at(std::string_view text, std::size_t at) {
  if (at >= text.size() || (text[at] != '"' && text[at] != '\'')) return "";
  std::size_t end = at + 1;
  while (end < text.size() && text[end] != text[at]) end += text[end] == '\\' ? 2 : 1;
  if (end >= text.size()) return "";
  const std::string_view inner = text.substr(at + 1, end - at - 1);
  try {
    if (text[at] == '"') return Json::parse(text.substr(at, end + 1 - at), "label").as_string();
  } catch (const Error&) {  // escapes that JSON does not know, or line breaks: as it stands
  }
  return std::string(inner);
}

/// Of the object that a box stands in.
std::string label_of(std::string_view text, const Found& box) {
  constexpr std::string_view kName = "label";
  const std::size_t open = text.find_last_of("{}", box.begin), close = text.find_first_of("{}", box.end);
  if (open == std::string_view::npos || text[open] != '{') return "";
  const std::size_t end = std::min(close, text.size());
  for (std::size_t at = text.find(kName, open); at < end; at = text.find(kName, at + 1)) {
    if (is_word(text[at - 1])) continue;  // sub_label
    Reader reader(text, at + kName.size());
    reader.skip("\"'");
    reader.skip(kBlank);
    if (!reader.take(':')) continue;
    reader.skip(kBlank);
    return quoted_at(text, reader.at());
  }
  return "";
}

Box box_of(const Found& found) {
  Box box{};
  std::transform(found.numbers.begin(), found.numbers.end(), box.begin(), [](const Number& n) { return n.value; });
  return box;
}

double scale(std::int64_t original, std::int64_t seen) {
  return static_cast<double>(original) / static_cast<double>(seen);
}

}  // namespace

const char* box_space_name(BoxSpace space) noexcept { return space == BoxSpace::original ? "original" : "model"; }

std::string_view answer_part(std::string_view text) {
  constexpr std::string_view kThink = "<think>", kThought = "</think>", kAnswer = "<answer>", kAnswered = "</answer>";
  const std::size_t thought = text.rfind(kThought);
  if (thought != std::string_view::npos) text.remove_prefix(thought + kThought.size());
  const std::size_t answer = text.rfind(kAnswer);
  if (answer == std::string_view::npos) return text.find(kThink) == std::string_view::npos ? trimmed(text) : "";
  text.remove_prefix(answer + kAnswer.size());
  return trimmed(text.substr(0, text.find(kAnswered)));
}

std::vector<Box> boxes_in(std::string_view text) {
  std::vector<Box> boxes;
  for (const Found& found : find_boxes(answer_part(text))) boxes.push_back(box_of(found));
  return boxes;
}

std::vector<std::string> box_labels_in(std::string_view text) {
  const std::string_view part = answer_part(text);
  std::vector<std::string> labels;
  for (const Found& found : find_boxes(part)) labels.push_back(label_of(part, found));
  return labels;
}

std::optional<Box> box_in(std::string_view text) {
  const std::vector<Found> all = find_boxes(answer_part(text));
  if (all.empty()) return std::nullopt;
  return box_of(all.front());
}

bool is_box_answer(std::string_view text) {
  std::string_view part = answer_part(text);
  if (!by_name(part, "bbox_2d", 4).empty()) return true;
  constexpr std::string_view kFence = "```";
  if (part.starts_with(kFence)) {
    part.remove_prefix(std::min(part.size(), part.find('\n')));
    part = part.substr(0, part.rfind(kFence));
  }
  const std::vector<Found> lists = plain(part);
  std::size_t behind = 0;
  for (const Found& found : lists) {
    if (part.substr(behind, found.begin - behind).find_first_not_of(" \t\r\n,[]") != std::string_view::npos)
      return false;
    behind = found.end;
  }
  return !lists.empty() && part.find_first_not_of(" \t\r\n,[]", behind) == std::string_view::npos;
}

Box to_original(const Box& box, const PictureSize& size) {
  const double x = scale(size.original.width, size.seen.width), y = scale(size.original.height, size.seen.height);
  return {box[0] * x, box[1] * y, box[2] * x, box[3] * y};
}

std::string boxes_to_original(std::string_view text, const PictureSize& size) {
  const std::string_view part = answer_part(text);
  std::vector<Found> all = find_boxes(part);
  for (Found& point : by_name(part, "point_2d", 2)) all.push_back(std::move(point));
  std::sort(all.begin(), all.end(), [](const Found& a, const Found& b) { return a.begin < b.begin; });
  std::string moved;
  std::size_t behind = 0;
  for (const Found& found : all)
    for (std::size_t i = 0; i < found.numbers.size(); ++i) {
      const Number& number = found.numbers[i];
      const double value = number.value * (i % 2 == 0 ? scale(size.original.width, size.seen.width)
                                                      : scale(size.original.height, size.seen.height));
      constexpr double kExact = 9007199254740992;  // beyond 2^53 it is no pixel, and stays as it is
      if (!(std::abs(value) < kExact) || number.begin < behind) continue;
      moved += part.substr(behind, number.begin - behind);
      moved += std::to_string(static_cast<std::int64_t>(std::llround(value)));
      behind = number.end;
    }
  if (part.empty()) return std::string(text);
  const auto begin = static_cast<std::size_t>(part.data() - text.data());
  return std::string(text.substr(0, begin)) + moved + std::string(part.substr(behind)) +
         std::string(text.substr(begin + part.size()));
}

std::optional<PictureSize> common_scale(std::span<const PictureSize> pictures) {
  if (pictures.empty()) return std::nullopt;
  const PictureSize& first = pictures.front();
  for (const PictureSize& each : pictures) {
    if (each.original.width < 1 || each.original.height < 1 || each.seen.width < 1 || each.seen.height < 1)
      throw Error(ErrorCode::invalid_argument, "boxes: a picture's own size is not known; prepare it by patchify");
    const auto same = [](std::int64_t a, std::int64_t b, std::int64_t c, std::int64_t d) {
      return static_cast<double>(a) * static_cast<double>(d) == static_cast<double>(b) * static_cast<double>(c);
    };
    if (!same(each.original.width, each.seen.width, first.original.width, first.seen.width) ||
        !same(each.original.height, each.seen.height, first.original.height, first.seen.height))
      throw Error(ErrorCode::invalid_argument,
                  "boxes: the prompt has " + std::to_string(pictures.size()) +
                      " pictures that were resized differently, so that a box does not say whose pixels it is in; ask "
                      "for boxes as the model writes them, or about one picture");
  }
  return first;
}

}  // namespace octavo
