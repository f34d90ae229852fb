// The architecture of examples/cpp/own_architecture.cpp itself, and the tiny model that transformers ran
// (tests/golden/qwen3/make.py).
#pragma once

#include <memory>
#include <string>

#include "catch.hpp"
#include "message_of.hpp"
#include "octavo/octavo.hpp"

namespace qwen3 {

inline std::string directory() { return std::string(OCTAVO_SOURCE_DIR) + "/tests/golden/qwen3"; }
inline std::string samples() { return directory() + "/calibration.jsonl"; }

/// As the example reads config.json.
std::shared_ptr<const octavo::Architecture> read(const octavo::Json& config);
/// Registers it, once in the program.
void require_registered();

inline octavo::Model open() {
  require_registered();
  return octavo::Model::open(directory());
}

using test::message_of;

}  // namespace qwen3
