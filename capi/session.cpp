// Several turns on one cache.
#include <algorithm>
#include <cstddef>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "generation.hpp"
#include "guard.hpp"
#include "handles.hpp"
#include "options.hpp"

using namespace octavo::capi;  // NOLINT(google-build-using-namespace): this file is the namespace's C face

namespace {

constexpr std::int64_t kUsualCapacity = 4096;  // positions, where the caller does not say and the model has as many

octavo::Session create(const octavo::Model& model, const octavo_session_options* options) {
  const octavo_session_options given = read_options(options, "options");
  require_zero(given.reserved0);
  const std::int64_t capacity =
      given.capacity != 0 ? given.capacity : std::min(kUsualCapacity, model.max_position_embeddings());
  std::int64_t chunk = octavo::kPrefillChunk;
  if (given.prefill_chunk != 0) chunk = given.prefill_chunk == OCTAVO_PREFILL_WHOLE ? 0 : given.prefill_chunk;
  return {model, capacity, dtype_from(given.cache_dtype), chunk};
}

}  // namespace

extern "C" {

octavo_status octavo_session_create(const octavo_model* model, const octavo_session_options* options,
                                    octavo_session** out) {
  return guarded([&] {
    require(model, "model");
    require(out, "out");
    *out = new octavo_session{create(model->value, options)};
  });
}

octavo_status octavo_session_feed(octavo_session* session, const octavo_prompt* prompt) {
  return guarded([&] {
    require(session, "session");
    require(prompt, "prompt");
    const InUse use(session->caller, "session");
    session->value.feed(prompt->value);
  });
}

octavo_status octavo_session_feed_ids(octavo_session* session, const int32_t* ids, size_t count) {
  return guarded([&] {
    require(session, "session");
    require(ids, "ids");
    const InUse use(session->caller, "session");
    const auto room = static_cast<size_t>(session->value.capacity() - session->value.past());
    if (count > room)  // before they are read
      throw octavo::Error(octavo::ErrorCode::invalid_argument, "session: " + std::to_string(count) + " tokens after " +
                                                                   std::to_string(session->value.past()) +
                                                                   " exceed its capacity of " +
                                                                   std::to_string(session->value.capacity()));
    octavo::ModelInput input;
    input.ids.assign(ids, ids + count);
    session->value.feed(input);
  });
}

octavo_status octavo_session_continue(octavo_session* session, const octavo_prompt* whole, int64_t* out_reused) {
  return guarded([&] {
    require(session, "session");
    require(whole, "whole");
    const InUse use(session->caller, "session");
    const std::int64_t reused = session->value.continue_with(whole->value).reused_tokens;
    if (out_reused != nullptr) *out_reused = reused;
  });
}

octavo_status octavo_sessions_feed(octavo_session* const* sessions, const octavo_prompt* const* prompts, size_t count) {
  return guarded([&] {
    require(sessions, "sessions");
    require(prompts, "prompts");
    std::deque<InUse> uses;
    std::vector<octavo::Session*> fed;
    std::vector<octavo::ModelInput> inputs;
    for (size_t i = 0; i < count; ++i) {
      require(prompts[i], "a prompt in prompts");
      if (sessions[i] != nullptr && std::find(sessions, sessions + i, sessions[i]) == sessions + i)
        uses.emplace_back(sessions[i]->caller, "session");
      fed.push_back(sessions[i] == nullptr ? nullptr : &sessions[i]->value);  // whose index is then told
      inputs.push_back(prompts[i]->value);
    }
    octavo::Session::feed(fed, inputs);
  });
}

octavo_status octavo_session_generate(octavo_session* session, const octavo_generate_options* options,
                                      octavo_generate_result* out_result) {
  return guarded([&] {
    require(session, "session");
    require_generate_result(out_result);
    const InUse use(session->caller, "session");
    const octavo_generate_options given = read_generate_options(options);
    refuse_reading_options(given);
    const octavo::GenerateResult generated = session->value.generate(generate_options(given));
    hand_over(out_result, generated, result_memory(generated));
  });
}

octavo_status octavo_session_logits(octavo_session* session, const float** out_logits, size_t* out_count) {
  return guarded([&] {
    require(session, "session");
    require(out_logits, "out_logits");
    const InUse use(session->caller, "session");
    session->logits = session->value.logits();
    *out_logits = session->logits.data<float>();
    if (out_count != nullptr) *out_count = static_cast<size_t>(session->logits.numel());
  });
}

octavo_status octavo_session_tokens(const octavo_session* session, const int32_t** out_ids, size_t* out_count) {
  return guarded([&] {
    require(session, "session");
    if (out_ids != nullptr) *out_ids = session->value.tokens().data();
    if (out_count != nullptr) *out_count = session->value.tokens().size();
  });
}

octavo_status octavo_session_truncate(octavo_session* session, int64_t past) {
  return guarded([&] {
    require(session, "session");
    const InUse use(session->caller, "session");
    session->value.truncate(past);
  });
}

octavo_status octavo_session_reset(octavo_session* session) { return octavo_session_truncate(session, 0); }

octavo_status octavo_session_fork(const octavo_session* session, octavo_session** out) {
  return guarded([&] {
    require(session, "session");
    require(out, "out");
    const InUse use(session->caller, "session");
    *out = new octavo_session{session->value.fork()};
  });
}

octavo_status octavo_session_save(const octavo_session* session, const char* path) {
  return guarded([&] {
    require(session, "session");
    require(path, "path");
    const InUse use(session->caller, "session");
    session->value.save(path);
  });
}

octavo_status octavo_session_restore(const octavo_model* model, const char* path, int64_t capacity,
                                     octavo_session** out) {
  return guarded([&] {
    require(model, "model");
    require(path, "path");
    require(out, "out");
    *out = new octavo_session{octavo::Session::restore(model->value, path, capacity)};
  });
}

octavo_status octavo_session_to_bytes(const octavo_session* session, char** out_bytes, size_t* out_size) {
  return guarded([&] {
    require(session, "session");
    require(out_bytes, "out_bytes");
    require(out_size, "out_size");
    const InUse use(session->caller, "session");
    const std::vector<std::byte> bytes = session->value.to_bytes();
    *out_bytes = new_bytes(bytes.data(), bytes.size());
    *out_size = bytes.size();
  });
}

octavo_status octavo_session_from_bytes(const octavo_model* model, const void* bytes, size_t size, int64_t capacity,
                                        octavo_session** out) {
  return guarded([&] {
    require(model, "model");
    require(bytes, "bytes");
    require(out, "out");
    *out = new octavo_session{
        octavo::Session::from_bytes(model->value, {static_cast<const std::byte*>(bytes), size}, capacity)};
  });
}

void octavo_session_release(octavo_session* session) { delete session; }

octavo_status octavo_sampler_create(const octavo_sampling_options* options, octavo_sampler** out) {
  return guarded([&] {
    require(out, "out");
    const octavo_sampling_options standard = OCTAVO_SAMPLING_OPTIONS_INIT;
    const octavo_sampling_options given = options == nullptr ? standard : read_options(options, "options");
    octavo::SamplingOptions sampling;
    sampling.do_sample = true;
    sampling.temperature = given.temperature;
    sampling.top_p = given.top_p;
    sampling.top_k = given.top_k;
    sampling.min_p = given.min_p;
    if (given.repetition_penalty != 0) sampling.repetition_penalty = given.repetition_penalty;
    sampling.seed = given.seed;
    *out = new octavo_sampler{octavo::TokenSampler(sampling)};
  });
}

octavo_status octavo_sampler_next(octavo_sampler* sampler, octavo_session* session, int32_t* out_token) {
  return guarded([&] {
    require(sampler, "sampler");
    require(session, "session");
    require(out_token, "out_token");
    const InUse use(session->caller, "session");
    *out_token = sampler->value.next(session->value.logits().values<float>(), session->value.tokens());
  });
}

void octavo_sampler_release(octavo_sampler* sampler) { delete sampler; }

}  // extern "C"
