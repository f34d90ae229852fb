#include <cstddef>
#include <cstring>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "generation.hpp"
#include "guard.hpp"
#include "handles.hpp"
#include "options.hpp"

namespace octavo::capi {
namespace {

constexpr octavo_generate_options kDefaults = OCTAVO_GENERATE_OPTIONS_INIT;

void require_known(const char* name, int32_t value, int32_t last, const char* known) {
  if (value < 0 || value > last)
    throw Error(ErrorCode::invalid_argument,
                std::string("options.") + name + " is " + std::to_string(value) + ", known are " + known);
}

/// The macro of 0.1 was all zeros, which stood for the defaults; numbers that the choice of `sampling` left unused were
/// not looked at.
void read_as_0_1(octavo_generate_options& options) {
  const octavo_generate_options given = options;
  options.temperature = kDefaults.temperature;
  options.top_p = kDefaults.top_p;
  options.top_k = kDefaults.top_k;
  options.repetition_penalty = kDefaults.repetition_penalty;
  options.seed = kDefaults.seed;
  if (given.sampling == OCTAVO_SAMPLING_FROM_MODEL) return;
  if (given.repetition_penalty != 0) options.repetition_penalty = given.repetition_penalty;
  if (given.sampling == OCTAVO_SAMPLING_GREEDY) return;
  if (given.temperature != 0) options.temperature = given.temperature;
  if (given.top_p != 0) options.top_p = given.top_p;
  options.top_k = given.top_k;
  options.seed = given.seed;
}

bool sampling_is_zero(const octavo_generate_options& given) {
  return given.temperature == 0 && given.top_p == 0 && given.top_k == 0 && given.repetition_penalty == 0 &&
         given.min_p == 0;
}

/// What generation_config.json says is not said by the caller, too.
void refuse_unused_sampling(const octavo_generate_options& given) {
  const auto refuse = [](const char* name, double value) {
    throw Error(ErrorCode::invalid_argument,
                std::string("options.") + name + " is " + std::to_string(value) +
                    ", but options.sampling is OCTAVO_SAMPLING_FROM_MODEL, which follows generation_config.json: set "
                    "OCTAVO_SAMPLING_ON or OCTAVO_SAMPLING_GREEDY, or leave what OCTAVO_GENERATE_OPTIONS_INIT has");
  };
  if (given.seed != kDefaults.seed) refuse("seed", static_cast<double>(given.seed));
  if (sampling_is_zero(given)) return;  // nothing was said
  if (given.temperature != kDefaults.temperature) refuse("temperature", given.temperature);
  if (given.top_p != kDefaults.top_p) refuse("top_p", given.top_p);
  if (given.top_k != kDefaults.top_k) refuse("top_k", static_cast<double>(given.top_k));
  if (given.min_p != kDefaults.min_p) refuse("min_p", given.min_p);
  if (given.repetition_penalty != 0 && given.repetition_penalty != kDefaults.repetition_penalty)
    refuse("repetition_penalty", given.repetition_penalty);
}

std::optional<SamplingOptions> sampling_options(const octavo_generate_options& given) {
  require_known("sampling", given.sampling, OCTAVO_SAMPLING_ON, "0 to 2");
  if (given.sampling == OCTAVO_SAMPLING_FROM_MODEL) {
    refuse_unused_sampling(given);
    return std::nullopt;
  }
  SamplingOptions sampling;
  sampling.do_sample = given.sampling == OCTAVO_SAMPLING_ON;
  sampling.seed = given.seed;
  if (!sampling.do_sample && sampling_is_zero(given)) return sampling;
  sampling.temperature = given.temperature;
  sampling.top_p = given.top_p;
  sampling.top_k = given.top_k;
  sampling.min_p = given.min_p;
  if (given.repetition_penalty != 0) sampling.repetition_penalty = given.repetition_penalty;
  return sampling;
}

void read_stops(const octavo_generate_options& given, GenerateOptions& job) {
  if (given.stop_string_count > 0) require(given.stop_strings, "options.stop_strings");
  for (size_t i = 0; i < given.stop_string_count; ++i) {
    require(given.stop_strings[i], "a string in options.stop_strings");
    job.stop_strings.emplace_back(given.stop_strings[i]);
  }
  if (given.stop_id_count > 0) require(given.stop_ids, "options.stop_ids");
  job.stop_ids.assign(given.stop_ids, given.stop_ids + given.stop_id_count);
  require_known("ignore_eos", given.ignore_eos, 1, "0 and 1");
  job.ignore_eos = given.ignore_eos != 0;
}

void read_bias(const octavo_generate_options& given, GenerateOptions& job) {
  if (given.logit_bias_count > 0) require(given.logit_bias, "options.logit_bias");
  for (size_t i = 0; i < given.logit_bias_count; ++i) {
    require_zero(given.logit_bias[i].reserved0);
    job.logit_bias.push_back({given.logit_bias[i].id, given.logit_bias[i].bias});
  }
}

void read_log_probs(const octavo_generate_options& given, GenerateOptions& job) {
  require_known("log_probs", given.log_probs, 1, "0 and 1");
  if (given.log_probs != 0)
    job.log_probs = given.top_log_probs;
  else if (given.top_log_probs != 0)
    throw Error(ErrorCode::invalid_argument, "options.top_log_probs is " + std::to_string(given.top_log_probs) +
                                                 ", and needs options.log_probs to be 1");
}

bool tell(const octavo_generate_options& given, const TokenEvent& event) {
  const std::string text(event.text);
  octavo_token_event told{};
  told.struct_size = sizeof(told);
  told.sequence = event.sequence;
  told.id = event.id;
  told.text = text.c_str();
  told.text_size = text.size();
  told.log_prob = std::numeric_limits<double>::quiet_NaN();
  std::vector<octavo_token_log_prob> top;
  if (event.log_probs != nullptr) {
    told.log_prob = event.log_probs->log_prob;
    for (const TokenLogProb& one : event.log_probs->best) top.push_back({one.id, 0, one.log_prob});
  }
  told.top_count = static_cast<int32_t>(top.size());
  told.top = top.data();
  return given.on_event(&told, given.user_data) == 0;
}

void read_callbacks(const octavo_generate_options& given, GenerateOptions& job) {
  if (given.on_token != nullptr)
    job.on_token = [&given](std::int32_t id, std::string_view text) {
      return given.on_token(id, std::string(text).c_str(), given.user_data) == 0;
    };
  if (given.on_event != nullptr) job.on_event = [&given](const TokenEvent& event) { return tell(given, event); };
  if (given.on_logits != nullptr)
    job.on_logits = [&given](std::size_t sequence, std::span<const std::int32_t> history, std::span<float> logits) {
      return given.on_logits(sequence, history.data(), history.size(), logits.data(), logits.size(), given.user_data) ==
             0;
    };
}

}  // namespace

octavo_generate_options read_generate_options(const octavo_generate_options* given) {
  if (given == nullptr) return kDefaults;
  octavo_generate_options options = read_options(given, "options");
  if (given->struct_size <= offsetof(octavo_generate_options, min_p)) read_as_0_1(options);
  return options;
}

GenerateOptions generate_options(const octavo_generate_options& given) {
  require_known("cache_mode", given.cache_mode, OCTAVO_CACHE_OFF, "0 (on) and 1 (off)");
  require_zero(given.reserved0);
  require_zero(given.reserved1);
  GenerateOptions job;
  if (given.max_new_tokens != 0) job.max_new_tokens = given.max_new_tokens;
  job.use_cache = given.cache_mode == OCTAVO_CACHE_ON;
  job.cache_dtype = dtype_from(given.cache_dtype);
  job.sampling = sampling_options(given);
  if (given.prefill_chunk != 0)
    job.prefill_chunk = given.prefill_chunk == OCTAVO_PREFILL_WHOLE ? 0 : given.prefill_chunk;
  if (given.lookup_draft != 0 || given.lookup_ngram != 0) {
    PromptLookup lookup;
    lookup.draft = given.lookup_draft;
    if (given.lookup_ngram != 0) lookup.ngram = given.lookup_ngram;
    job.lookup = lookup;
  }
  if (given.form != nullptr) job.form = given.form->value;
  if (given.prefix_cache != nullptr) job.prefix_cache = given.prefix_cache->value;
  job.cancel = flag_of(given.cancel);
  job.boxes = box_space_of(given.boxes);
  read_stops(given, job);
  read_bias(given, job);
  read_log_probs(given, job);
  read_callbacks(given, job);
  return job;
}

void refuse_reading_options(const octavo_generate_options& given) {
  if (given.decode != nullptr || given.control_tokens_as_text != 0)
    throw Error(ErrorCode::invalid_argument,
                "options.decode and options.control_tokens_as_text say how a prompt is read, and this one is "
                "prepared: give them to octavo_image_open and octavo_prompt_create, and leave them 0 here");
}

}  // namespace octavo::capi

extern "C" {

octavo_status octavo_generate_options_init(octavo_generate_options* options) {
  return octavo::capi::guarded([&] {
    octavo::capi::require_result(options, "options", sizeof(std::size_t));
    if (options->struct_size > std::size_t{1} << 16)
      throw octavo::Error(octavo::ErrorCode::invalid_argument,
                          "options.struct_size is " + std::to_string(options->struct_size) + ", which no version has");
    const std::size_t size = options->struct_size;
    std::memset(reinterpret_cast<unsigned char*>(options) + sizeof(size), 0, size - sizeof(size));
    octavo::capi::write_result(options, octavo::capi::kDefaults);
  });
}

}  // extern "C"
