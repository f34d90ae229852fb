// octavo generate MODEL --prompt TEXT
#include <cstdio>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "commands.hpp"

namespace cli {

namespace {

struct GenerateCommand {
  std::string model;
  std::optional<std::string> prompt, batch, trace;
  std::string kv_cache = "f32";
  std::vector<std::string> images;
  octavo::DecodeOptions decode;
  octavo::GenerateOptions job;
  bool no_cache = false, greedy = false, sample = false, trace_values = false, json = false;
  std::optional<double> temperature, top_p, repetition_penalty;
  std::optional<std::int64_t> top_k, seed;
};

using Results = std::vector<octavo::GenerateResult>;

// Runs the job, recorded when --trace asks for it.
Results traced(const GenerateCommand& command, const std::function<Results()>& job) {
  if (!command.trace) return job();
  octavo::TraceOptions options;
  options.values = command.trace_values;
  options.path = *command.trace;
  octavo::Trace trace(options);
  Results results;
  {
    const octavo::TraceScope scope(trace);
    results = job();
  }
  trace.close();
  return results;
}

std::optional<octavo::SamplingOptions> sampling(const GenerateCommand& command) {
  if (command.sample && command.greedy) throw UsageError("--sample and --greedy exclude each other");
  if (!command.sample && !command.greedy) {
    const char* given = command.temperature          ? "--temperature"
                        : command.top_k              ? "--top-k"
                        : command.top_p              ? "--top-p"
                        : command.repetition_penalty ? "--repetition-penalty"
                        : command.seed               ? "--seed"
                                                     : nullptr;
    if (given != nullptr) throw UsageError(std::string(given) + " needs --sample (or --greedy)");
    return std::nullopt;  // the model's own
  }
  octavo::SamplingOptions options;
  options.do_sample = command.sample;
  options.temperature = command.temperature.value_or(options.temperature);
  options.top_k = command.top_k.value_or(options.top_k);
  options.top_p = command.top_p.value_or(options.top_p);
  options.repetition_penalty = command.repetition_penalty.value_or(options.repetition_penalty);
  options.seed = static_cast<std::uint64_t>(command.seed.value_or(0));
  return options;
}

octavo::DType cache_dtype(const std::string& name) {
  if (name == "f32") return octavo::DType::f32;
  if (name == "bf16") return octavo::DType::bf16;
  if (name == "int8") return octavo::DType::s8;
  throw UsageError("--kv-cache is \"" + name + "\", one of f32, bf16, int8 is needed");
}

Results generate_one(const GenerateCommand& command, octavo::GenerateOptions options) {
  if (!command.json)
    options.on_token = [](std::int32_t, std::string_view text) {
      std::fwrite(text.data(), 1, text.size(), stdout);
      return std::fflush(stdout) == 0;  // nobody reads on: stop
    };
  std::vector<octavo::Image> images;
  for (const std::string& path : command.images) images.push_back(octavo::load_image(path, command.decode));
  const octavo::Model model = octavo::Model::open(command.model);
  return traced(command, [&] { return Results{model.generate(model.prepare(*command.prompt, images), options)}; });
}

Results generate_batch(const GenerateCommand& command, const octavo::GenerateOptions& options) {
  const std::vector<octavo::Sample> samples = octavo::read_samples(*command.batch, 0, command.decode);
  const octavo::Model model = octavo::Model::open(command.model);
  std::vector<octavo::ModelInput> inputs;
  for (const octavo::Sample& sample : samples)
    octavo::in_context("sample \"" + sample.id + "\"",
                       [&] { inputs.push_back(model.prepare(sample.prompt, octavo::load_images(sample))); });
  return traced(command, [&] { return model.generate(inputs, options); });
}

octavo::JsonBuilder result_json(const octavo::GenerateResult& result) {
  const char* reason = result.finish_reason == octavo::FinishReason::stop     ? "stop"
                       : result.finish_reason == octavo::FinishReason::length ? "length"
                                                                              : "cancelled";
  octavo::JsonBuilder tokens = octavo::JsonBuilder::array();
  for (const std::int32_t id : result.tokens) tokens.push(static_cast<int>(id));
  octavo::JsonBuilder document = octavo::JsonBuilder::object();
  document.set("text", result.text)
      .set("tokens", std::move(tokens))
      .set("prompt_tokens", result.prompt_tokens)
      .set("finish_reason", reason)
      .set("timings", octavo::JsonBuilder::object()
                          .set("preprocess_seconds", result.preprocess_seconds)
                          .set("vision_seconds", result.vision_seconds)
                          .set("prefill_seconds", result.prefill_seconds)
                          .set("decode_seconds", result.decode_seconds));
  return document;
}

// An answer of several lines as one: a line break is written \n.
std::string one_line(const std::string& text) {
  std::string line;
  for (const char character : text) {
    if (character == '\n')
      line += "\\n";
    else
      line += character;
  }
  return line;
}

int run(const GenerateCommand& command) {
  const bool batch = command.batch.has_value();
  if (batch && (command.prompt || !command.images.empty()))
    throw UsageError("--batch brings its own prompts and images: leave --prompt and --image out");
  if (!batch && !command.prompt) throw UsageError("octavo generate needs --prompt TEXT, or --batch FILE");
  if (!batch && command.prompt->find_first_not_of(" \t\r\n") == std::string::npos)
    throw UsageError("--prompt is empty: say what to ask");
  if (command.trace_values && !command.trace) throw UsageError("--trace-values needs --trace FILE");
  octavo::GenerateOptions options = command.job;
  options.use_cache = !command.no_cache;
  options.cache_dtype = cache_dtype(command.kv_cache);
  options.sampling = sampling(command);
  options.cancel = &interrupted;
  const Results results = batch ? generate_batch(command, options) : generate_one(command, options);
  std::size_t tokens = 0;
  for (const octavo::GenerateResult& result : results) {
    tokens += result.tokens.size();
    if (command.json)
      std::printf("%s\n", result_json(result).dump(batch ? -1 : 2).c_str());
    else
      std::printf("%s\n", batch ? one_line(result.text).c_str() : "");  // one alone was streamed
  }
  if (!interrupted) return 0;
  std::fprintf(stderr, "octavo: interrupted after %zu tokens\n", tokens);
  return 1;
}

}  // namespace

void add_generate(Program& program) {
  const auto options = std::make_shared<GenerateCommand>();
  Command command = program.command("generate", "Running",
                                    "answer a prompt about any number of pictures\n\nText appears as it is generated. "
                                    "Without --sample or --greedy, generation_config.json says how tokens are chosen.");
  command.positional({"MODEL", ValueKind::directory}, options->model, "the model directory");
  command.group("Input");
  command.text("-p,--prompt", {"TEXT"}, options->prompt, "what to ask");
  command.texts("-i,--image", {"FILE", ValueKind::file}, options->images,
                "a picture, may be repeated; pictures come before the text");
  command.text("-b,--batch", {"FILE", ValueKind::file}, options->batch,
               "instead: answer every sample of a JSONL file at once, one line per answer, in order");
  command.pictures(options->decode);
  command.group("Choice of tokens");
  command.integer("-n,--max-new-tokens", options->job.max_new_tokens, 1, "at most so many tokens (256)");
  command.flag("--greedy", options->greedy, "take the most likely token");
  command.flag("--sample", options->sample, "sample");
  command.number("--temperature", options->temperature, "with --sample (1.0)");
  command.integer("--top-k", options->top_k, 0, "with --sample (50; 0: off)");
  command.number("--top-p", options->top_p, "with --sample (1.0)");
  command.number("--repetition-penalty", options->repetition_penalty, "with --sample or --greedy (1.0)");
  command.integer("--seed", options->seed, 0, "with --sample (0)");
  command.group("Output");
  command.text("--trace", {"FILE", ValueKind::file}, options->trace,
               "record every operation there, as JSON lines for octavo trace");
  command.flag("--trace-values", options->trace_values, "with --trace: statistics of every output, too");
  command.json(options->json, "one JSON document on standard output; with --batch one per line");
  command.threads();
  command.group("Machine");
  command.flag("--no-cache", options->no_cache, "recompute everything for each token: slow, same tokens");
  command.text("--kv-cache", {"TYPE", ValueKind::choice, {"f32", "bf16", "int8"}}, options->kv_cache,
               "keys and values in f32, bf16 or int8: less memory, answers may differ (f32)");
  command.example("octavo generate MODEL --image street.jpg --prompt \"Where is the red car?\"");
  command.run([options] { return run(*options); });
}

}  // namespace cli
