/// @file
/// How tokens are chosen by generation_config.json.
#pragma once

#include "octavo/generation_config.hpp"
#include "octavo/sampling.hpp"

namespace octavo {

/// What a generation without SamplingOptions of its own follows. Without the file's do_sample, the repetition penalty
/// alone: what has no effect is left at its default. The seed is 0.
SamplingOptions sampling_of(const GenerationConfig& file);

}  // namespace octavo
