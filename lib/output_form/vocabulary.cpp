#include "vocabulary.hpp"

#include <algorithm>
#include <cstddef>

namespace octavo {

FormVocabulary::FormVocabulary(std::span<const std::string> bytes) {
  auto impl = std::make_shared<Impl>();
  impl->bytes.assign(bytes.begin(), bytes.end());
  for (std::size_t id = 0; id < bytes.size(); ++id)
    if (!bytes[id].empty()) impl->tokens.push_back(static_cast<std::int32_t>(id));
  const auto text = [&](std::int32_t id) -> const std::string& { return impl->bytes[static_cast<std::size_t>(id)]; };
  std::sort(impl->tokens.begin(), impl->tokens.end(), [&](std::int32_t a, std::int32_t b) {
    const int order = text(a).compare(text(b));
    return order != 0 ? order < 0 : a < b;
  });
  std::vector<std::uint32_t> open;  // nodes on the way to the last token
  const auto close_to = [&](std::size_t depth) {
    for (; open.size() > depth; open.pop_back())
      impl->nodes[open.back()].behind = static_cast<std::uint32_t>(impl->nodes.size());
  };
  const std::string none;
  const std::string* before = &none;
  for (std::size_t i = 0; i < impl->tokens.size(); ++i) {
    const std::string& token = text(impl->tokens[i]);
    const auto shared = static_cast<std::size_t>(
        std::mismatch(before->begin(), before->end(), token.begin(), token.end()).first - before->begin());
    close_to(shared);
    for (std::size_t at = shared; at < token.size(); ++at) {
      open.push_back(static_cast<std::uint32_t>(impl->nodes.size()));
      // Tokens of nodes on the way to this one come before it, and there are none: it is the first below them.
      impl->nodes.push_back(
          {static_cast<std::uint8_t>(token[at]), static_cast<std::uint32_t>(at + 1), 0, static_cast<std::uint32_t>(i)});
    }
    impl->longest = std::max(impl->longest, static_cast<std::uint32_t>(token.size()));
    before = &token;
  }
  close_to(0);
  impl->nodes.push_back({0, 0, 0, static_cast<std::uint32_t>(impl->tokens.size())});
  impl_ = std::move(impl);
}

}  // namespace octavo
