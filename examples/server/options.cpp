#include "options.hpp"

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <filesystem>
#include <map>

namespace server {
namespace {

bool is_loopback(const std::string& host) { return host == "localhost" || host == "::1" || host.rfind("127.", 0) == 0; }

std::string directory_name(const std::string& directory) {
  std::error_code failure;
  const auto path = std::filesystem::weakly_canonical(directory, failure);
  return failure ? directory : path.filename().string();
}

}  // namespace

Options parse_command_line(int argc, char** argv) {
  Options options;
  std::size_t body_mib = options.limits.max_body_bytes >> 20, picture_mib = options.limits.max_picture_bytes >> 20,
              prefix_cache_mib = options.prefix_cache_bytes >> 20;
  auto request_timeout = options.request_timeout.count(), body_timeout = options.body_timeout.count(),
       drain_timeout = options.drain_timeout.count();
  const std::map<std::string, octavo::FloatMath> maths{{"f32", octavo::FloatMath::f32},
                                                       {"bf16", octavo::FloatMath::bf16}};
  const std::map<std::string, octavo::HeadWeights> heads{{"stored", octavo::HeadWeights::as_stored},
                                                         {"int8", octavo::HeadWeights::int8}};
  const std::map<std::string, octavo::DType> dtypes{
      {"f32", octavo::DType::f32}, {"bf16", octavo::DType::bf16}, {"s8", octavo::DType::s8}};

  CLI::App app("Serves a Qwen2.5-VL model directory over HTTP, as OpenAI's chat completions.", "octavo-server");
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  app.add_option("MODEL_DIR", options.model_dir, "model directory, quantized or not")->required();
  app.add_option("--model-name", options.model_name, "name that clients ask for (default: the directory's)");
  app.add_option("--host", options.host, "address to listen on")->capture_default_str();
  app.add_option("--port", options.port, "port to listen on; 0: any that is free")
      ->check(CLI::Range(0, 65535))
      ->capture_default_str();
  app.add_option("--api-key", options.api_key, "key that clients must send; safer in the environment")
      ->envname("OCTAVO_API_KEY");
  app.add_flag("--no-api-key", options.no_api_key, "listen beyond this machine without a key");
  app.add_option("--max-running", options.max_running, "answers at a time, each step one batch")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  app.add_option("--max-waiting", options.max_waiting, "requests that wait for a place; 429 beyond")
      ->check(CLI::Range(0, 4096))
      ->capture_default_str();
  app.add_option("--max-context", options.limits.max_context, "tokens of prompt and answer together")
      ->check(CLI::Range(std::int64_t{16}, std::int64_t{1} << 20))
      ->capture_default_str();
  app.add_option("--max-body-mib", body_mib, "MiB of a request; 413 beyond")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  app.add_option("--max-picture-mib", picture_mib, "MiB of a picture's file; 413 beyond")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  app.add_option("--max-picture-pixels", options.limits.max_picture_pixels, "height x width of a picture")
      ->check(CLI::Range(1, 178'956'970))
      ->capture_default_str();
  app.add_option("--max-pictures", options.limits.max_pictures, "pictures of a request")
      ->check(CLI::Range(0, 256))
      ->capture_default_str();
  app.add_option("--allow-files", options.limits.allow_files, "let requests name picture files in this directory")
      ->check(CLI::ExistingDirectory);
  app.add_option("--prefix-cache-mib", prefix_cache_mib, "MiB for prompts and pictures that come again; 0: none")
      ->check(CLI::Range(0, 1 << 20))
      ->capture_default_str();
  app.add_option("--timeout", request_timeout, "seconds that an answer may take")
      ->check(CLI::Range(1, 86400))
      ->capture_default_str();
  app.add_option("--body-timeout", body_timeout, "seconds that a request's body may take to arrive")
      ->check(CLI::Range(1, 3600))
      ->capture_default_str();
  app.add_option("--drain-timeout", drain_timeout, "seconds that running answers have after SIGTERM")
      ->check(CLI::Range(0, 86400))
      ->capture_default_str();
  app.add_option("--math", options.model.language_math, "products of floats: f32 or bf16")
      ->transform(CLI::CheckedTransformer(maths));
  app.add_option("--lm-head", options.model.lm_head, "lm_head: stored or int8")
      ->transform(CLI::CheckedTransformer(heads));
  app.add_option("--cache-dtype", options.cache_dtype, "keys and values: f32, bf16 or s8")
      ->transform(CLI::CheckedTransformer(dtypes));
  try {
    app.parse(argc, argv);
    if (!is_loopback(options.host) && options.api_key.empty() && !options.no_api_key)
      throw CLI::ValidationError("--host " + options.host +
                                 ": others can reach it, and there is no key: set OCTAVO_API_KEY, or say --no-api-key");
  } catch (const CLI::ParseError& error) {
    std::exit(app.exit(error) == 0 ? 0 : 2);  // as octavo does; 0 after --help
  }
  options.limits.max_body_bytes = body_mib << 20;
  options.limits.max_picture_bytes = picture_mib << 20;
  options.prefix_cache_bytes = prefix_cache_mib << 20;
  options.request_timeout = std::chrono::seconds(request_timeout);
  options.body_timeout = std::chrono::seconds(body_timeout);
  options.drain_timeout = std::chrono::seconds(drain_timeout);
  options.model.vision_math = options.model.language_math;
  if (options.model_name.empty()) options.model_name = directory_name(options.model_dir);
  return options;
}

}  // namespace server
