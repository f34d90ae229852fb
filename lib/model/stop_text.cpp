#include "stop_text.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "octavo/error.hpp"

namespace octavo::model {
namespace {

/// The longest end of `text` that `stop` goes on from.
std::size_t begun(const std::string& text, const std::string& stop) {
  std::size_t length = std::min(text.size(), stop.size() - 1);
  while (length > 0 && text.compare(text.size() - length, length, stop, 0, length) != 0) --length;
  return length;
}

}  // namespace

StopText::StopText(std::vector<std::string> strings) : strings_(std::move(strings)) {
  for (const std::string& stop : strings_)
    if (stop.empty()) throw Error(ErrorCode::invalid_argument, "generate: one of stop_strings is empty");
}

std::string StopText::push(const std::string& text) {
  if (strings_.empty()) return text;
  if (found_) return {};
  held_ += text;
  std::size_t begin = std::string::npos;
  std::size_t end = std::string::npos;
  std::size_t keep = 0;
  for (const std::string& stop : strings_) {
    keep = std::max(keep, begun(held_, stop));
    const std::size_t at = held_.find(stop);
    if (at == std::string::npos) continue;
    if (at + stop.size() < end || (at + stop.size() == end && at < begin)) {
      begin = at;
      end = at + stop.size();
    }
  }
  found_ = begin != std::string::npos;
  const std::size_t told = found_ ? begin : held_.size() - keep;
  std::string let_through = held_.substr(0, told);
  held_.erase(0, found_ ? held_.size() : told);
  return let_through;
}

std::string StopText::finish() { return std::exchange(held_, {}); }

}  // namespace octavo::model
