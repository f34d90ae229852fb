// Answers, of one prompt and of a batch.
#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "guard.hpp"
#include "handles.hpp"
#include "image.hpp"
#include "options.hpp"

using namespace octavo::capi;  // NOLINT(google-build-using-namespace): this file is the namespace's C face

namespace {

octavo::ChatOptions chat_options(const octavo_generate_options& given) {
  octavo::ChatOptions chat;
  chat.control_tokens_as_text = given.control_tokens_as_text != 0;
  return chat;
}

octavo::GenerateOptions generate_options(const octavo_generate_options& given) {
  if (given.cache_mode != OCTAVO_CACHE_ON && given.cache_mode != OCTAVO_CACHE_OFF)
    throw octavo::Error(octavo::ErrorCode::invalid_argument,
                        "options.cache_mode is " + std::to_string(given.cache_mode) + ", known are 0 (on) and 1 (off)");
  if (given.sampling < OCTAVO_SAMPLING_FROM_MODEL || given.sampling > OCTAVO_SAMPLING_ON)
    throw octavo::Error(octavo::ErrorCode::invalid_argument,
                        "options.sampling is " + std::to_string(given.sampling) + ", known are 0 to 2");
  octavo::GenerateOptions job;
  if (given.max_new_tokens != 0) job.max_new_tokens = given.max_new_tokens;
  job.use_cache = given.cache_mode == OCTAVO_CACHE_ON;
  require_zero(given.reserved0);
  job.cache_dtype = dtype_from(given.cache_dtype);
  if (given.sampling != OCTAVO_SAMPLING_FROM_MODEL) {
    octavo::SamplingOptions sampling;
    sampling.do_sample = given.sampling == OCTAVO_SAMPLING_ON;
    sampling.top_k = given.top_k;
    sampling.seed = given.seed;
    if (given.temperature != 0) sampling.temperature = given.temperature;
    if (given.top_p != 0) sampling.top_p = given.top_p;
    if (given.repetition_penalty != 0) sampling.repetition_penalty = given.repetition_penalty;
    job.sampling = sampling;
  }
  if (given.prefill_chunk != 0)
    job.prefill_chunk = given.prefill_chunk == OCTAVO_PREFILL_WHOLE ? 0 : given.prefill_chunk;
  if (given.lookup_draft != 0 || given.lookup_ngram != 0) {
    octavo::PromptLookup lookup;
    lookup.draft = given.lookup_draft;
    if (given.lookup_ngram != 0) lookup.ngram = given.lookup_ngram;
    job.lookup = lookup;
  }
  if (given.prefix_cache != nullptr) job.prefix_cache = given.prefix_cache->value;
  job.cancel = flag_of(given.cancel);
  job.boxes = box_space_of(given.boxes);
  return job;
}

constexpr size_t kFirstResultSize = offsetof(octavo_generate_result, pictures);

/// What `out` has set stays; its pictures are written.
octavo_generate_result without_text(const octavo::GenerateResult& generated, const octavo_generate_result& out) {
  octavo_generate_result result = OCTAVO_GENERATE_RESULT_INIT;
  std::memcpy(&result, &out, std::min(out.struct_size, sizeof(result)));
  for (size_t i = 0; result.pictures != nullptr && i < std::min(result.picture_capacity, generated.pictures.size());
       ++i) {
    const octavo::PictureSize& size = generated.pictures[i];
    result.pictures[i] = {size.seen.width, size.seen.height, size.original.width, size.original.height};
  }
  result.picture_count = generated.pictures.size();
  result.prompt_tokens = generated.prompt_tokens;
  result.reused_tokens = generated.reused_tokens;
  result.drafted_tokens = generated.drafted_tokens;
  result.accepted_tokens = generated.accepted_tokens;
  result.new_tokens = static_cast<int64_t>(generated.tokens.size());
  result.finish_reason = static_cast<int32_t>(generated.finish_reason);
  result.prefill_seconds = generated.vision_seconds + generated.prefill_seconds;
  result.decode_seconds = generated.decode_seconds;
  return result;
}

/// The caller's structs may be longer than ours: the first one's size is the distance between them.
std::vector<octavo_generate_result*> results_of(octavo_generate_result* out, size_t count) {
  require_result(out, "out_results", kFirstResultSize);
  const size_t size = out->struct_size;
  if (size > size_t{1} << 16)
    throw octavo::Error(octavo::ErrorCode::invalid_argument,
                        "out_results.struct_size is " + std::to_string(size) + ", which no version has");
  std::vector<octavo_generate_result*> results;
  for (size_t i = 0; i < count; ++i) {
    results.push_back(reinterpret_cast<octavo_generate_result*>(reinterpret_cast<unsigned char*>(out) + i * size));
    if (results.back()->struct_size != size)
      throw octavo::Error(octavo::ErrorCode::invalid_argument,
                          "out_results[" + std::to_string(i) + "].struct_size is " +
                              std::to_string(results.back()->struct_size) + ", that of the first is " +
                              std::to_string(size) + ": initialise each struct with its _INIT macro");
  }
  return results;
}

}  // namespace

extern "C" {

octavo_status octavo_generate(const octavo_model* model, const char* prompt, const char* const* image_paths,
                              size_t image_count, const octavo_generate_options* options,
                              octavo_generate_result* out_result) {
  return guarded([&] {
    require(model, "model");
    require(prompt, "prompt");
    require_result(out_result, "out_result", kFirstResultSize);
    const octavo_generate_options given = read_options(options, "options");
    octavo::GenerateOptions job = generate_options(given);
    const std::vector<octavo::Image> images = load_images(image_paths, image_count, decode_options(given.decode));
    if (given.on_token != nullptr)
      job.on_token = [&given](std::int32_t id, std::string_view text) {
        return given.on_token(id, std::string(text).c_str(), given.user_data) == 0;
      };
    const octavo::GenerateResult generated =
        model->value.generate(model->value.prepare(prompt, images, chat_options(given)), job);
    octavo_generate_result result = without_text(generated, *out_result);
    result.text = new_string(generated.text);
    write_result(out_result, result);
  });
}

octavo_status octavo_generate_batch(const octavo_model* model, const char* const* prompts,
                                    const char* const* const* image_paths, const size_t* image_counts, size_t count,
                                    const octavo_generate_options* options, octavo_generate_result* out_results) {
  return guarded([&] {
    require(model, "model");
    require(prompts, "prompts");
    if (count == 0)
      throw octavo::Error(octavo::ErrorCode::invalid_argument, "count is 0: a batch has at least one prompt");
    const std::vector<octavo_generate_result*> outs = results_of(out_results, count);
    const octavo_generate_options given = read_options(options, "options");
    if (given.on_token != nullptr)
      throw octavo::Error(octavo::ErrorCode::invalid_argument,
                          "options.on_token does not tell the sequences of a batch apart: leave it NULL");
    const octavo::GenerateOptions job = generate_options(given);
    const octavo::DecodeOptions decode = decode_options(given.decode);
    std::vector<octavo::ModelInput> inputs;
    for (size_t i = 0; i < count; ++i)
      octavo::in_context("sequence " + std::to_string(i), [&] {
        require(prompts[i], "its prompt");
        const size_t pictures = image_counts == nullptr ? 0 : image_counts[i];
        if (pictures > 0) require(image_paths, "image_paths");
        inputs.push_back(model->value.prepare(
            prompts[i], load_images(pictures > 0 ? image_paths[i] : nullptr, pictures, decode), chat_options(given)));
      });
    const std::vector<octavo::GenerateResult> generated = model->value.generate(inputs, job);
    std::vector<std::unique_ptr<char, decltype(&octavo_string_release)>> texts;  // until nothing can fail any more
    texts.reserve(count);
    for (const octavo::GenerateResult& each : generated)
      texts.emplace_back(new_string(each.text), octavo_string_release);
    for (size_t i = 0; i < count; ++i) {
      octavo_generate_result result = without_text(generated[i], *outs[i]);
      result.text = texts[i].release();
      write_result(outs[i], result);
    }
  });
}

}  // extern "C"
