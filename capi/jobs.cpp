// Jobs over directories: quantize, verify, report, compare, attribute.
#include <algorithm>
#include <memory>
#include <octavo/attribution.hpp>
#include <octavo/compare.hpp>
#include <octavo/octavo.hpp>
#include <octavo/report.hpp>

#include "guard.hpp"
#include "handles.hpp"
#include "image.hpp"
#include "options.hpp"

using namespace octavo::capi;  // NOLINT(google-build-using-namespace): this file is the namespace's C face

namespace {

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

}  // namespace

extern "C" {

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
    job.math = float_math_of(given.math, "math", job.math);
    require_zero(given.reserved2);
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

}  // extern "C"
