// Where a model directory keeps its chat template.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "octavo/files.hpp"

namespace octavo::text {

struct ChatTemplateFile {
  std::string origin, source;  // both empty: there is none
  /// The tokens that templates may name: {"eos_token", "<|im_end|>"}.
  std::vector<std::pair<std::string, std::string>> special_tokens;
};

ChatTemplateFile find_chat_template(const FileSource& files);

}  // namespace octavo::text
