// The places of pictures among the token ids.
#include <algorithm>

#include "octavo/text.hpp"

namespace octavo {

std::vector<std::int32_t> expand_pads(std::span<const std::int32_t> ids, std::int32_t pad_id,
                                      std::span<const std::int64_t> counts) {
  const auto found = static_cast<std::size_t>(std::count(ids.begin(), ids.end(), pad_id));
  if (found != counts.size())
    throw Error(ErrorCode::shape_mismatch,
                "the prompt has " + std::to_string(found) + " image pads, but " + std::to_string(counts.size()) +
                    " images were given: each image needs one pad",
                ShapeDetail{"expand_pads", "", "ids", 0, "image pads", static_cast<std::int64_t>(counts.size()),
                            static_cast<std::int64_t>(found)});
  std::vector<std::int32_t> expanded;
  std::size_t next = 0;
  for (const std::int32_t id : ids) {
    if (id != pad_id) {
      expanded.push_back(id);
      continue;
    }
    if (counts[next] <= 0)
      throw Error(ErrorCode::invalid_argument,
                  "image " + std::to_string(next) + " makes " + std::to_string(counts[next]) + " tokens");
    expanded.insert(expanded.end(), static_cast<std::size_t>(counts[next++]), pad_id);
  }
  return expanded;
}

}  // namespace octavo
