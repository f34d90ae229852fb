// Tokens as a tree of bytes, laid out in the order in which it is walked.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "octavo/output_form.hpp"

namespace octavo {

struct FormVocabulary::Impl {
  struct Node {
    std::uint8_t byte;
    std::uint32_t depth;        // bytes up to it, this one included
    std::uint32_t behind;       // the first node that is not below it
    std::uint32_t first_token;  // in `tokens`; they end where the next node's begin
  };
  std::vector<Node> nodes;           // depth first; a last one that is none closes the tokens
  std::vector<std::int32_t> tokens;  // ids
  std::vector<std::string> bytes;    // by id
  std::uint32_t longest = 0;
};

}  // namespace octavo
