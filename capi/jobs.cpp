#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <octavo/attribution.hpp>
#include <octavo/compare.hpp>
#include <octavo/octavo.hpp>
#include <octavo/report.hpp>

#include "guard.hpp"
#include "handles.hpp"
#include "image.hpp"

using namespace octavo::capi;  // NOLINT(google-build-using-namespace): this file is the namespace's C face

namespace {

octavo::ProgressCallback progress_of(octavo_progress_fn progress, void* user_data) {
  if (progress == nullptr) return {};
  return [progress, user_data](const octavo::Progress& state) {
    return progress(state.stage.c_str(), state.done, state.total, user_data) == 0;
  };
}

octavo::SampleSource source_of(const char* file, const char* pictures, const char* prompt, int32_t skip_bad) {
  octavo::SampleSource source;
  if (file != nullptr) source.file = file;
  if (pictures != nullptr) source.pictures = pictures;
  if (prompt != nullptr) source.prompt = prompt;
  source.skip_bad = skip_bad != 0;
  return source;
}

octavo::BoxSpace box_space_of(int32_t boxes) {
  if (boxes != OCTAVO_BOXES_MODEL && boxes != OCTAVO_BOXES_ORIGINAL)
    throw octavo::Error(octavo::ErrorCode::invalid_argument,
                        "options.boxes is " + std::to_string(boxes) + ", known are 0 (model) and 1 (original)");
  return boxes == OCTAVO_BOXES_ORIGINAL ? octavo::BoxSpace::original : octavo::BoxSpace::model;
}

void require_zero(int32_t reserved) {
  if (reserved != 0)
    throw octavo::Error(octavo::ErrorCode::invalid_argument, "a reserved field of the options is not 0");
}

octavo::FloatMath float_math_of(int32_t math, const char* name, octavo::FloatMath standard) {
  switch (math) {
    case OCTAVO_MATH_DEFAULT:
      return standard;
    case OCTAVO_MATH_F32:
      return octavo::FloatMath::f32;
    case OCTAVO_MATH_BF16:
      return octavo::FloatMath::bf16;
    default:
      throw octavo::Error(octavo::ErrorCode::invalid_argument, std::string("options.") + name + " is " +
                                                                   std::to_string(math) +
                                                                   ", known are 0 (default), 1 (f32) and 2 (bf16)");
  }
}

/// NULL gives the defaults.
octavo::ModelOptions model_options(const octavo_model_options* given) {
  const octavo_model_options read = read_options(given, "options");
  require_zero(read.reserved0);
  octavo::ModelOptions options;
  options.vision_math = float_math_of(read.vision_math, "vision_math", options.vision_math);
  options.language_math = float_math_of(read.language_math, "language_math", options.language_math);
  if (read.lm_head != OCTAVO_LM_HEAD_STORED && read.lm_head != OCTAVO_LM_HEAD_INT8)
    throw octavo::Error(octavo::ErrorCode::invalid_argument,
                        "options.lm_head is " + std::to_string(read.lm_head) + ", known are 0 (stored) and 1 (int8)");
  if (read.lm_head == OCTAVO_LM_HEAD_INT8) options.lm_head = octavo::HeadWeights::int8;
  return options;
}

octavo::VerifyOptions verify_job(const octavo_verify_options& given) {
  octavo::VerifyOptions job;
  job.samples = source_of(given.samples, given.pictures, given.picture_prompt, given.skip_bad_samples);
  job.boxes = box_space_of(given.boxes);
  if (given.profile != nullptr) job.profile = given.profile;
  job.run_all = given.run_all != 0;
  job.decode = decode_options(given.decode);
  job.max_samples = given.max_samples;
  if (given.max_new_tokens != 0) job.max_new_tokens = given.max_new_tokens;
  require_zero(given.reserved1);
  job.model = model_options(given.model);
  job.cache_dtype = dtype_from(given.cache_dtype);
  job.progress = progress_of(given.progress, given.user_data);
  job.cancel = flag_of(given.cancel);
  return job;
}

std::vector<octavo::Image> load_images(const char* const* paths, size_t count, const octavo::DecodeOptions& decode) {
  if (count > 0) require(paths, "image_paths");
  std::vector<octavo::Image> images;
  for (size_t i = 0; i < count; ++i) {
    require(paths[i], "a path in image_paths");
    images.push_back(octavo::load_image(paths[i], decode));
  }
  return images;
}

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

octavo_status octavo_check(const char* model_dir, int64_t* out_problems, char** out_json) {
  return guarded([&] {
    require(model_dir, "model_dir");
    require(out_problems, "out_problems");
    const octavo::CheckResult result = octavo::check(model_dir);
    int64_t fatal = 0;
    for (const octavo::CheckProblem& problem : result.problems) fatal += problem.fatal ? 1 : 0;
    if (out_json != nullptr) *out_json = new_string(result.to_json().dump());
    *out_problems = fatal;
  });
}

octavo_status octavo_quantize(const char* model_dir, const char* out_dir, const octavo_quantize_options* options,
                              char** out_json) {
  return guarded([&] {
    require(model_dir, "model_dir");
    require(out_dir, "out_dir");
    const octavo_quantize_options given = read_options(options, "options");
    octavo::QuantizeOptions job;
    if (given.recipe != nullptr) job.recipe = given.recipe;
    job.calibration = source_of(given.calibration, given.pictures, given.picture_prompt, given.skip_bad_samples);
    job.max_samples = given.max_samples;
    job.overwrite = given.overwrite != 0;
    job.decode = decode_options(given.decode);
    job.progress = progress_of(given.progress, given.user_data);
    job.cancel = flag_of(given.cancel);
    const octavo::QuantizeResult result = octavo::quantize(model_dir, out_dir, job);
    if (out_json != nullptr) *out_json = new_string(result.to_json().dump());
  });
}

octavo_status octavo_verify(const char* original_dir, const char* quantized_dir, const octavo_verify_options* options,
                            int32_t* out_passed, char** out_json) {
  return guarded([&] {
    require(original_dir, "original_dir");
    require(quantized_dir, "quantized_dir");
    require(out_passed, "out_passed");
    const octavo_verify_options given = read_options(options, "options");
    const octavo::VerifyOptions job = verify_job(given);
    const octavo::VerifyResult result = octavo::verify(original_dir, quantized_dir, job);
    if (out_json != nullptr) *out_json = new_string(result.to_json().dump());
    *out_passed = result.passed ? 1 : 0;
  });
}

octavo_status octavo_report(const char* original_dir, const char* quantized_dir, const octavo_verify_options* options,
                            const char* html_path, int32_t* out_passed) {
  return guarded([&] {
    require(original_dir, "original_dir");
    require(quantized_dir, "quantized_dir");
    require(html_path, "html_path");
    require(out_passed, "out_passed");
    const octavo_verify_options given = read_options(options, "options");
    octavo::check_report_path(html_path);
    octavo::ReportOptions job;
    job.verify = verify_job(given);
    const octavo::Report report = octavo::make_report(original_dir, quantized_dir, job);
    octavo::write_report(report, html_path);
    *out_passed = report.verify.passed ? 1 : 0;
  });
}

octavo_status octavo_compare(const char* original_dir, const char* quantized_dir, const octavo_compare_options* options,
                             int32_t* out_wrong, char** out_json) {
  return guarded([&] {
    require(original_dir, "original_dir");
    require(quantized_dir, "quantized_dir");
    require(out_wrong, "out_wrong");
    const octavo_compare_options given = read_options(options, "options");
    octavo::CompareOptions job;
    job.values = given.skip_values == 0;
    job.progress = progress_of(given.progress, given.user_data);
    job.cancel = flag_of(given.cancel);
    const octavo::CompareResult result = octavo::compare(original_dir, quantized_dir, job);
    if (out_json != nullptr) *out_json = new_string(result.to_json().dump());
    *out_wrong = static_cast<int32_t>(std::min<int64_t>(result.count(octavo::Verdict::wrong), INT32_MAX));
  });
}

octavo_status octavo_attribute(const char* original_dir, const char* quantized_dir,
                               const octavo_attribute_options* options, int32_t* out_suggestion, char** out_recipe,
                               char** out_json) {
  return guarded([&] {
    require(original_dir, "original_dir");
    require(quantized_dir, "quantized_dir");
    require(out_suggestion, "out_suggestion");
    const octavo_attribute_options given = read_options(options, "options");
    octavo::AttributionOptions job;
    job.samples = source_of(given.samples, given.pictures, given.picture_prompt, given.skip_bad_samples);
    job.boxes = box_space_of(given.boxes);
    job.max_samples = given.max_samples;
    if (given.max_new_tokens != 0) job.max_new_tokens = given.max_new_tokens;
    if (given.profile != nullptr) job.profile = given.profile;
    job.exact = given.exact != 0;
    job.decode = decode_options(given.decode);
    job.suggest = given.no_suggestion == 0;
    job.progress = progress_of(given.progress, given.user_data);
    job.cancel = flag_of(given.cancel);
    const octavo::Attribution found = octavo::attribute(original_dir, quantized_dir, job);
    const bool has_recipe = found.suggestion.status == octavo::SuggestionStatus::found;
    std::unique_ptr<char, decltype(&octavo_string_release)> recipe(nullptr, &octavo_string_release);
    if (out_recipe != nullptr && has_recipe) recipe.reset(new_string(found.suggestion.recipe.to_json().dump(2)));
    if (out_json != nullptr) *out_json = new_string(found.to_json().dump());
    if (out_recipe != nullptr) *out_recipe = recipe.release();
    *out_suggestion = static_cast<int32_t>(found.suggestion.status);
  });
}

octavo_status octavo_model_open(const char* model_dir, octavo_model** out_model) {
  return guarded([&] {
    require(model_dir, "model_dir");
    require(out_model, "out_model");
    *out_model = new octavo_model{octavo::Model::open(model_dir)};
  });
}

octavo_status octavo_model_open_with(const char* model_dir, const octavo_model_options* options,
                                     octavo_model** out_model) {
  return guarded([&] {
    require(model_dir, "model_dir");
    require(out_model, "out_model");
    *out_model = new octavo_model{octavo::Model::open(model_dir, model_options(options))};
  });
}

void octavo_model_release(octavo_model* model) { delete model; }

octavo_status octavo_prefix_cache_create(size_t kv_bytes, size_t image_bytes, octavo_prefix_cache** out) {
  return guarded([&] {
    require(out, "out");
    octavo::PrefixCache::Limits limits;
    if (kv_bytes != 0) limits.kv_bytes = kv_bytes;
    if (image_bytes != 0) limits.image_bytes = image_bytes;
    *out = new octavo_prefix_cache{std::make_shared<octavo::PrefixCache>(limits)};
  });
}

void octavo_prefix_cache_release(octavo_prefix_cache* cache) { delete cache; }

octavo_status octavo_model_notes(const octavo_model* model, char** out_notes) {
  return guarded([&] {
    require(model, "model");
    require(out_notes, "out_notes");
    std::string text;
    for (const std::string& note : model->value.notes()) text += (text.empty() ? "" : "\n") + note;
    *out_notes = new_string(text);
  });
}

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

octavo_status octavo_model_logits(const octavo_model* model, const char* prompt, const char* const* image_paths,
                                  size_t image_count, octavo_tensor** out) {
  return guarded([&] {
    require(model, "model");
    require(prompt, "prompt");
    require(out, "out");
    const std::vector<octavo::Image> images = load_images(image_paths, image_count, {});
    *out = new octavo_tensor{model->value.forward(model->value.prepare(prompt, images))};
  });
}

}  // extern "C"
