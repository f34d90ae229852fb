#include <cstdio>
#include <functional>
#include <octavo/octavo.hpp>
#include <vector>

#include "commands.hpp"

namespace cli {

const Command kGenerate{
    "generate",
    "MODEL --prompt TEXT [--image FILE]... | --batch FILE [options]",
    "Answers a prompt about any number of pictures; text appears as it is generated.",
    "octavo generate MODEL --image street.jpg --prompt \"Where is the red car?\"",
    1,
    {{"--prompt", "TEXT", "what to ask"},
     {"--image", "FILE", "a picture, may be repeated; pictures come before the text"},
     {"--batch", "FILE", "answer every sample of a JSONL file at once: one line per answer, in order"},
     {"--max-new-tokens", "N", "at most so many tokens (256)"},
     {"--no-cache", "", "recompute everything for each token: slow, same tokens"},
     {"--greedy", "", "take the most likely token, whatever generation_config.json says"},
     {"--sample", "", "sample"},
     {"--temperature", "X", "with --sample (1.0)"},
     {"--top-k", "N", "with --sample (50; 0: off)"},
     {"--top-p", "X", "with --sample (1.0)"},
     {"--repetition-penalty", "X", "with --sample or --greedy (1.0)"},
     {"--seed", "N", "with --sample (0)"},
     {"--trace", "FILE", "record every operation there, as JSON lines for octavo trace"},
     {"--trace-values", "", "with --trace: statistics of every output, too"},
     {"--threads", "N", "threads to use"},
     {"--json", "", "one JSON document on standard output; with --batch one per line"}}};

namespace {

using Results = std::vector<octavo::GenerateResult>;

// Runs the job, recorded when --trace asks for it.
Results traced(const Args& args, const std::function<Results()>& job) {
  if (!args.has("--trace")) return job();
  octavo::TraceOptions options;
  options.values = args.has("--trace-values");
  options.path = args.text("--trace");
  octavo::Trace trace(options);
  Results results;
  {
    const octavo::TraceScope scope(trace);
    results = job();
  }
  trace.close();
  return results;
}

octavo::GenerateOptions read_options(const Args& args) {
  if (args.has("--sample") && args.has("--greedy")) throw UsageError("--sample and --greedy exclude each other");
  octavo::GenerateOptions options;
  options.max_new_tokens = args.integer("--max-new-tokens", options.max_new_tokens, 1);
  options.use_cache = !args.has("--no-cache");
  options.cancel = &interrupted;
  if (args.has("--sample") || args.has("--greedy")) {
    octavo::SamplingOptions sampling;
    sampling.do_sample = args.has("--sample");
    sampling.temperature = args.number("--temperature", sampling.temperature);
    sampling.top_k = args.integer("--top-k", sampling.top_k, 0);
    sampling.top_p = args.number("--top-p", sampling.top_p);
    sampling.repetition_penalty = args.number("--repetition-penalty", sampling.repetition_penalty);
    sampling.seed = static_cast<std::uint64_t>(args.integer("--seed", 0, 0));
    options.sampling = sampling;
  } else {
    for (const char* name : {"--temperature", "--top-k", "--top-p", "--repetition-penalty", "--seed"})
      if (args.has(name)) throw UsageError(std::string(name) + " needs --sample (or --greedy)");
  }
  if (args.has("--trace-values") && !args.has("--trace")) throw UsageError("--trace-values needs --trace FILE");
  return options;
}

Results generate_one(const Args& args, octavo::GenerateOptions options) {
  if (!args.has("--json"))
    options.on_token = [](std::int32_t, std::string_view text) {
      std::fwrite(text.data(), 1, text.size(), stdout);
      std::fflush(stdout);
      return true;
    };
  std::vector<octavo::Image> images;
  for (const std::string& path : args.all("--image")) images.push_back(octavo::load_image(path));
  const octavo::Model model = octavo::Model::open(args.positional(0));
  return traced(args, [&] { return Results{model.generate(model.prepare(args.text("--prompt"), images), options)}; });
}

Results generate_batch(const Args& args, const octavo::GenerateOptions& options) {
  const std::vector<octavo::Sample> samples = octavo::read_samples(args.text("--batch"));
  const octavo::Model model = octavo::Model::open(args.positional(0));
  std::vector<octavo::ModelInput> inputs;
  for (const octavo::Sample& sample : samples)
    octavo::in_context("sample \"" + sample.id + "\"", [&] {
      std::vector<octavo::Image> images;
      for (const std::string& path : sample.images) images.push_back(octavo::load_image(path));
      inputs.push_back(model.prepare(sample.prompt, images));
    });
  return traced(args, [&] { return model.generate(inputs, options); });
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

}  // namespace

int run_generate(const Args& args) {
  const bool batch = args.has("--batch");
  if (batch && (args.has("--prompt") || args.has("--image")))
    throw UsageError("--batch brings its own prompts and images: leave --prompt and --image out");
  if (!batch && !args.has("--prompt")) throw UsageError("octavo generate needs --prompt TEXT, or --batch FILE");
  if (!batch && args.text("--prompt").find_first_not_of(" \t\r\n") == std::string::npos)
    throw UsageError("--prompt is empty: say what to ask");
  const octavo::GenerateOptions options = read_options(args);
  const bool json = args.has("--json");
  const Results results = batch ? generate_batch(args, options) : generate_one(args, options);
  std::size_t tokens = 0;
  bool cancelled = false;
  for (const octavo::GenerateResult& result : results) {
    tokens += result.tokens.size();
    cancelled = cancelled || result.finish_reason == octavo::FinishReason::cancelled;
    if (json)
      std::printf("%s\n", result_json(result).dump(batch ? -1 : 2).c_str());
    else
      std::printf("%s\n", batch ? one_line(result.text).c_str() : "");  // one alone was streamed
  }
  if (!cancelled) return 0;
  std::fprintf(stderr, "octavo: interrupted after %zu tokens\n", tokens);
  return 1;
}

}  // namespace cli
