// What is known of a directory without reading a weight.
#include <filesystem>
#include <octavo/octavo.hpp>
#include <string>
#include <system_error>

#include "guard.hpp"

using namespace octavo::capi;  // NOLINT(google-build-using-namespace): this file is the namespace's C face

namespace {

/// What is no directory has no problems that could be listed.
void require_directory(const char* model_dir) {
  std::error_code failed;
  if (!std::filesystem::is_directory(model_dir, failed))
    throw octavo::Error(octavo::ErrorCode::not_found, std::string(model_dir) + ": there is no such directory");
}

}  // namespace

extern "C" {

octavo_status octavo_check(const char* model_dir, int64_t* out_problems, char** out_json) {
  return guarded([&] {
    require(model_dir, "model_dir");
    require(out_problems, "out_problems");
    require_directory(model_dir);
    const octavo::CheckResult result = octavo::check(model_dir);
    int64_t fatal = 0;
    for (const octavo::CheckProblem& problem : result.problems) fatal += problem.fatal ? 1 : 0;
    if (out_json != nullptr) *out_json = new_string(result.to_json().dump());
    *out_problems = fatal;
  });
}

octavo_status octavo_plan(const char* model_dir, const octavo_plan_options* options, char** out_json) {
  return guarded([&] {
    require(model_dir, "model_dir");
    require(out_json, "out_json");
    const octavo_plan_options given = read_options(options, "options");
    if (given.image_count > 0) require(given.image_sizes, "options.image_sizes");
    if (given.image_count > 4096)
      throw octavo::Error(octavo::ErrorCode::invalid_argument,
                          "options.image_count is " + std::to_string(given.image_count) + ", at most 4096 are planned");
    octavo::CheckOptions job;
    for (size_t i = 0; i < given.image_count; ++i)
      job.images.push_back({given.image_sizes[2 * i], given.image_sizes[2 * i + 1]});
    job.prompt_tokens = given.prompt_tokens;
    if (given.max_new_tokens != 0) job.max_new_tokens = given.max_new_tokens;
    job.tensor_parallel = given.tensor_parallel;
    job.keep_plan = true;
    *out_json = new_string(octavo::check(model_dir, job).to_json().dump());
  });
}

}  // extern "C"
