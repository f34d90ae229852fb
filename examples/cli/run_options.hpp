// The options of every command that runs a model: how it multiplies, and what its lm_head and its cache hold.
#pragma once

#include <octavo/model.hpp>
#include <string>

#include "program.hpp"

namespace cli {

struct RunOptions {
  std::string math = "f32", lm_head = "stored", kv_cache = "f32";

  octavo::ModelOptions model() const;
  octavo::DType cache_dtype() const;
  bool is_default() const { return math == "f32" && lm_head == "stored" && kv_cache == "f32"; }
};

/// --math and --lm-head.
void add_model_options(Command& command, RunOptions& options);
/// --kv-cache.
void add_kv_cache(Command& command, RunOptions& options);

}  // namespace cli
