#include <cstdio>
#include <functional>
#include <octavo/octavo.hpp>

#include "commands.hpp"

namespace cli {

const Command kGenerate{"generate",
                        "MODEL --prompt TEXT [--image FILE]... [options]",
                        "Answers a prompt about any number of pictures; text appears as it is generated.",
                        "octavo generate MODEL --image street.jpg --prompt \"Where is the red car?\"",
                        1,
                        {{"--prompt", "TEXT", "what to ask"},
                         {"--image", "FILE", "a picture, may be repeated; pictures come before the text"},
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
                         {"--json", "", "one JSON document on standard output"}}};

namespace {

// Runs the job, recorded when --trace asks for it.
octavo::GenerateResult traced(const Args& args, const std::function<octavo::GenerateResult()>& job) {
  if (!args.has("--trace")) return job();
  octavo::TraceOptions options;
  options.values = args.has("--trace-values");
  options.path = args.text("--trace");
  octavo::Trace trace(options);
  octavo::GenerateResult result;
  {
    const octavo::TraceScope scope(trace);
    result = job();
  }
  trace.close();
  return result;
}

}  // namespace

int run_generate(const Args& args) {
  if (!args.has("--prompt")) throw UsageError("octavo generate needs --prompt TEXT");
  const std::string prompt = args.text("--prompt");
  if (prompt.find_first_not_of(" \t\r\n") == std::string::npos) throw UsageError("--prompt is empty: say what to ask");
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
  const bool json = args.has("--json");
  if (!json)
    options.on_token = [](std::int32_t, std::string_view text) {
      std::fwrite(text.data(), 1, text.size(), stdout);
      std::fflush(stdout);
      return true;
    };
  std::vector<octavo::Image> images;
  for (const std::string& path : args.all("--image")) images.push_back(octavo::load_image(path));
  const octavo::Model model = octavo::Model::open(args.positional(0));
  const octavo::GenerateResult result =
      traced(args, [&] { return model.generate(model.prepare(prompt, images), options); });
  const char* reason = result.finish_reason == octavo::FinishReason::stop     ? "stop"
                       : result.finish_reason == octavo::FinishReason::length ? "length"
                                                                              : "cancelled";
  if (!json) {
    std::putchar('\n');
  } else {
    octavo::JsonBuilder tokens = octavo::JsonBuilder::array();
    for (const std::int32_t id : result.tokens) tokens.push(static_cast<int>(id));
    const auto document = octavo::JsonBuilder::object()
                              .set("text", result.text)
                              .set("tokens", std::move(tokens))
                              .set("prompt_tokens", result.prompt_tokens)
                              .set("finish_reason", reason)
                              .set("timings", octavo::JsonBuilder::object()
                                                  .set("preprocess_seconds", result.preprocess_seconds)
                                                  .set("vision_seconds", result.vision_seconds)
                                                  .set("prefill_seconds", result.prefill_seconds)
                                                  .set("decode_seconds", result.decode_seconds));
    std::printf("%s\n", document.dump(2).c_str());
  }
  if (result.finish_reason != octavo::FinishReason::cancelled) return 0;
  std::fprintf(stderr, "octavo: interrupted after %zu tokens\n", result.tokens.size());
  return 1;
}

}  // namespace cli
