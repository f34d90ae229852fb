#include "options.hpp"

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <octavo/version.hpp>

#include "../cli/completion.hpp"
#include "description.hpp"
#include "man_page.hpp"

namespace server {
namespace {

bool is_loopback(const std::string& host) { return host == "localhost" || host == "::1" || host.rfind("127.", 0) == 0; }

std::string directory_name(const std::string& directory) {
  std::error_code failure;
  const auto path = std::filesystem::weakly_canonical(directory, failure);
  return failure ? directory : path.filename().string();
}

/// A whole number, `least` .. `most`; the target's value is the default that the help shows.
template <class T>
void add_number(CLI::App& app, const std::string& name, T& target, std::int64_t least, std::int64_t most,
                const std::string& help) {
  app.add_option(name, target, help)
      ->check(CLI::Validator(CLI::Range(least, most)).description(""))
      ->type_name("N")
      ->capture_default_str();
}

template <class T>
void add_choice(CLI::App& app, Values& values, const std::string& name, T& target,
                const std::map<std::string, T>& choices, const std::string& help) {
  CLI::Option* option = app.add_option(name, target, help)
                            ->transform(CLI::Validator(CLI::CheckedTransformer(choices)).description(""))
                            ->type_name("TYPE");
  cli::Value& value = values[option] = {"TYPE", cli::ValueKind::choice};
  for (const auto& [word, meaning] : choices) value.choices.push_back(word);
}

/// As --help does: what is asked for is printed, and the program ends. CLI11 ends the line.
[[noreturn]] void show(std::string text) {
  if (!text.empty() && text.back() == '\n') text.pop_back();
  throw CLI::CallForVersion(text, 0);
}

}  // namespace

Options parse_command_line(int argc, char** argv) {
  Options options;
  RequestLimits& limits = options.limits;
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

  CLI::App app("serves a model directory over HTTP as OpenAI does", "octavo-server");
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  app.set_help_flag("-h,--help", "show this");
  app.set_version_flag("-V,--version", std::string("octavo-server ") + octavo::kVersion, "show the version");
  Values values;
  app.add_flag_callback(
      "--man", [&] { show(man_page(describe(app, values))); }, "print the manual page");
  const auto complete = [&](const std::string& shell) {
    show(cli::completion_of(shell, {"octavo-server", "octavo-server --completion", {describe(app, values)}, {}}));
  };
  values[app.add_option_function<std::string>("--completion", complete, "print the completion script of a shell")
             ->type_name("SHELL")] = {"SHELL", cli::ValueKind::choice, {"bash", "zsh", "fish"}};
  values[app.add_option("MODEL_DIR", options.model_dir, "model directory, quantized or not")
             ->required()
             ->type_name("")] = {"MODEL_DIR", cli::ValueKind::directory};
  app.add_option("--model-name", options.model_name, "name that clients ask for (default: the directory's)");
  app.add_option("--host", options.host, "address to listen on")->capture_default_str();
  add_number(app, "--port", options.port, 0, 65535, "port to listen on; 0: any that is free");
  app.add_option("--api-key", options.api_key, "key that clients must send; safer in the environment")
      ->envname("OCTAVO_API_KEY");
  app.add_flag("--no-api-key", options.no_api_key, "listen beyond this machine without a key");
  add_number(app, "--max-running", options.max_running, 1, 256, "answers at a time, each step one batch");
  add_number(app, "--max-waiting", options.max_waiting, 0, 4096, "requests that wait for a place; 429 beyond");
  add_number(app, "--max-context", limits.max_context, 16, 1 << 20, "tokens of prompt and answer together");
  add_number(app, "--max-body-mib", body_mib, 1, 1024, "MiB of a request; 413 beyond");
  add_number(app, "--max-picture-mib", picture_mib, 1, 1024, "MiB of a picture's file; 413 beyond");
  add_number(app, "--max-picture-pixels", limits.max_picture_pixels, 1, 178'956'970, "height x width of a picture");
  add_number(app, "--max-pictures", limits.max_pictures, 0, 256, "pictures of a request");
  values[app.add_option("--allow-files", limits.allow_files, "let requests name picture files in this directory")
             ->type_name("DIR")
             ->check(CLI::Validator(CLI::ExistingDirectory).description(""))] = {"DIR", cli::ValueKind::directory};
  add_number(app, "--prefix-cache-mib", prefix_cache_mib, 0, 1 << 20,
             "MiB for prompts and pictures that come again; 0: none");
  add_number(app, "--timeout", request_timeout, 1, 86400, "seconds that an answer may take");
  add_number(app, "--body-timeout", body_timeout, 1, 3600, "seconds that a request's body may take to arrive");
  add_number(app, "--drain-timeout", drain_timeout, 0, 86400, "seconds that running answers have after SIGTERM");
  add_choice(app, values, "--math", options.model.language_math, maths, "products of floats: f32 or bf16 (f32)");
  add_choice(app, values, "--lm-head", options.model.lm_head, heads, "lm_head: as stored, or an int8 copy (stored)");
  add_choice(app, values, "--cache-dtype", options.cache_dtype, dtypes, "keys and values: f32, bf16 or s8 (f32)");
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
