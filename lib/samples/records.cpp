#include "records.hpp"

#include <array>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "octavo/error.hpp"

namespace octavo::samples {
namespace {

constexpr int kEnd = std::char_traits<char>::eof();

bool is_blank(int c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

/// What a file is that is no UTF-8 text, by its first bytes; "" for text.
std::string not_text(std::string_view begin) {
  using namespace std::string_view_literals;
  if (begin.starts_with("\xFF\xFE\0\0"sv) || begin.starts_with("\0\0\xFE\xFF"sv)) return "UTF-32; save it as UTF-8";
  if (begin.starts_with("\xFF\xFE"sv) || begin.starts_with("\xFE\xFF"sv)) return "UTF-16; save it as UTF-8";
  if (begin.starts_with("\x1F\x8B"sv)) return "packed with gzip; unpack it";
  if (begin.starts_with("PK\x03\x04"sv)) return "a ZIP archive; unpack it";
  if (begin.starts_with("PAR1"sv)) return "a Parquet file; write it as JSON lines";
  if (begin.size() >= 2 && (begin[0] == '\0') != (begin[1] == '\0')) return "UTF-16; save it as UTF-8";
  if (begin.find('\0') != std::string_view::npos) return "not a text file";
  return "";
}

std::string too_long() {
  return "has more than " + std::to_string(kMaxRecordBytes) + " bytes; this is not a samples file";
}

}  // namespace

RecordReader::RecordReader(const std::string& path) {
  std::error_code failed;
  if (!std::filesystem::is_regular_file(path, failed))
    throw Error(ErrorCode::not_found,
                "samples: " + path + " is not a file; expected JSON lines, one sample a line, or a JSON array");
  file_.open(path, std::ios::binary);
  if (!file_) throw Error(ErrorCode::io, "samples: cannot read " + path);
  std::array<char, 16> bytes{};
  file_.read(bytes.data(), bytes.size());
  const std::string_view begin(bytes.data(), static_cast<std::size_t>(file_.gcount()));
  if (const std::string other = not_text(begin); !other.empty())
    throw Error(ErrorCode::format, "samples: " + path + " is " + other);
  file_.clear();
  file_.seekg(begin.starts_with("\xEF\xBB\xBF") ? 3 : 0);
  skip_blank();
  if (peek() == '[') state_ = State::array;
}

std::optional<Record> RecordReader::next() {
  skip_blank();
  std::optional<Record> record;
  if (state_ != State::end) record = state_ == State::lines ? next_line() : next_of_array();
  if (file_.bad()) throw Error(ErrorCode::io, "samples: line " + std::to_string(line_) + " cannot be read");
  return record;
}

int RecordReader::peek() { return file_.rdbuf()->sgetc(); }

int RecordReader::take() {
  const int c = file_.rdbuf()->sbumpc();
  if (c == '\n') ++line_;
  return c;
}

void RecordReader::skip_blank() {
  while (is_blank(peek())) take();
}

std::optional<Record> RecordReader::next_line() {
  if (peek() == kEnd) return std::nullopt;
  Record record;
  record.line = line_;
  for (int c = take(); c != kEnd && c != '\n'; c = take()) {
    if (record.text.size() < kMaxRecordBytes)
      record.text += static_cast<char>(c);
    else
      record.problem = "the line " + too_long();
  }
  return record;
}

std::optional<Record> RecordReader::next_of_array() {
  if (state_ == State::array) {
    take();  // the bracket that opens it
    skip_blank();
    state_ = State::elements;
    if (peek() == ']') {
      take();
      skip_blank();
      state_ = State::behind;
    }
  }
  if (state_ == State::elements) return element();
  state_ = State::end;
  if (peek() == kEnd) return std::nullopt;
  return Record{"", line_, "there is text behind the end of the array"};
}

// Brackets and commas inside strings do not count; everything else about the element is the parser's business.
Record RecordReader::element() {
  Record record;
  record.line = line_;
  std::int64_t depth = 0;
  bool in_string = false;
  for (int c = take();; c = take()) {
    if (c == kEnd || record.text.size() >= kMaxRecordBytes) {
      state_ = State::end;
      record.problem = c == kEnd ? "the array does not end: the file is cut, or a bracket or a quote is missing"
                                 : "the element " + too_long();
      return record;
    }
    if (!in_string && depth == 0 && (c == ',' || c == ']')) {
      if (c == ']') state_ = State::behind;
      if (record.text.empty()) record.problem = "an element is missing: there is a comma too many";
      return record;
    }
    record.text += static_cast<char>(c);
    if (in_string) {
      if (c == '\\' && peek() != kEnd) record.text += static_cast<char>(take());
      in_string = c != '"';
    } else {
      in_string = c == '"';
      depth += c == '{' || c == '[' ? 1 : c == '}' || c == ']' ? -1 : 0;
    }
  }
}

}  // namespace octavo::samples
