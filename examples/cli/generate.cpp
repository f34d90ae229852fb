// octavo generate MODEL --prompt TEXT
#include <cstdio>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "answer_control.hpp"
#include "answer_form.hpp"
#include "commands.hpp"
#include "draw.hpp"
#include "log.hpp"
#include "question.hpp"
#include "run_options.hpp"
#include "sources.hpp"
#include "token_choice.hpp"

namespace cli {

namespace {

struct GenerateCommand {
  std::string model;
  std::optional<std::string> trace, draw;
  Question question;
  octavo::SampleSource batch;  // its prompt is the question's
  std::string boxes = "model";
  RunOptions run;
  TokenChoice choice;
  AnswerForm form;
  AnswerControl control;
  octavo::DecodeOptions decode;
  octavo::GenerateOptions job;
  octavo::ChatOptions chat;
  bool no_cache = false, trace_values = false, json = false;
  std::optional<std::int64_t> lookup;
};

using Results = std::vector<octavo::GenerateResult>;

// Samples, and the answers to them.
struct Batch {
  octavo::SampleSet set;
  Results results;
};

// Runs the job, recorded when --trace asks for it.
Results traced(const GenerateCommand& command, const std::function<Results()>& job) {
  if (!command.trace) return job();
  octavo::TraceOptions options;
  options.values = command.trace_values;
  options.path = *command.trace;
  octavo::Trace trace(options);
  try {
    const octavo::TraceScope scope(trace);
    Results results = job();
    if (!interrupted) trace.close();
    return results;
  } catch (const octavo::Error&) {
    if (!interrupted) trace.close();  // it shows what led to the error
    throw;
  }
}

// Opens the model, and says what its files ask for that is not done.
octavo::Model open_model(const GenerateCommand& command) {
  octavo::Model model = octavo::Model::open(command.model, command.run.model());
  print_notes("octavo", model);
  return model;
}

// The answer's boxes, from the pixels that they are in to the picture's own.
void draw(const std::string& path, const octavo::Image& image, const octavo::GenerateResult& result,
          octavo::BoxSpace space) {
  if (result.boxes.empty())
    throw octavo::Error(octavo::ErrorCode::not_found, path + ": not written, since the answer has no box to draw");
  std::vector<octavo::Box> boxes;
  for (const octavo::Box& box : result.boxes)
    boxes.push_back(space == octavo::BoxSpace::original ? box : octavo::to_original(box, result.pictures.front()));
  write_drawing(path, image, boxes, octavo::box_labels_in(result.text));
}

struct Answer {
  octavo::GenerateResult result;
  std::vector<octavo::Image> images;  // that it is about
};

Answer generate_one(const GenerateCommand& command, octavo::GenerateOptions options) {
  if (!command.json && options.boxes == octavo::BoxSpace::model)
    options.on_token = [](std::int32_t, std::string_view text) {
      std::fwrite(text.data(), 1, text.size(), stdout);
      return std::fflush(stdout) == 0;  // nobody reads on: stop
    };
  Asked asked = read_question(command.question, command.decode);
  if (command.draw && asked.images.size() != 1)
    throw UsageError("--draw needs a question about one picture, and this one has " +
                     std::to_string(asked.images.size()) + ": an answer's box does not say which it is on");
  const octavo::Model model = open_model(command);
  Results results = traced(command, [&] {
    return Results{model.generate(model.prepare(asked.messages, asked.images, command.chat), options)};
  });
  return {std::move(results.front()), std::move(asked.images)};
}

Batch generate_batch(const GenerateCommand& command, const octavo::GenerateOptions& options) {
  octavo::SampleSource source = command.batch;
  source.prompt = read_prompt(command.question.prompt.value_or(""));
  Batch batch{octavo::read_samples(source, 0, command.decode), {}};
  if (command.question.system)
    for (octavo::Sample& sample : batch.set.samples) {
      sample.messages = octavo::messages_of(sample);
      put_system(*command.question.system, sample.messages);
    }
  const octavo::Model model = open_model(command);
  octavo::check_pictures(batch.set, model.checkpoint(), source.skip_bad);
  std::vector<octavo::ModelInput> inputs;
  for (const octavo::Sample& sample : batch.set.samples)
    inputs.push_back(octavo::prepare_question(model, sample, command.chat));
  batch.results = traced(command, [&] { return model.generate(inputs, options); });
  return batch;
}

octavo::JsonBuilder result_json(const octavo::GenerateResult& result, octavo::BoxSpace space) {
  const char* reason = result.finish_reason == octavo::FinishReason::stop     ? "stop"
                       : result.finish_reason == octavo::FinishReason::length ? "length"
                                                                              : "cancelled";
  octavo::JsonBuilder tokens = octavo::JsonBuilder::array();
  for (const std::int32_t id : result.tokens) tokens.push(static_cast<int>(id));
  octavo::JsonBuilder pictures = octavo::JsonBuilder::array();
  for (const octavo::PictureSize& size : result.pictures)
    pictures.push(octavo::JsonBuilder::object()
                      .set("width", size.seen.width)
                      .set("height", size.seen.height)
                      .set("original_width", size.original.width)
                      .set("original_height", size.original.height));
  octavo::JsonBuilder boxes = octavo::JsonBuilder::array();
  for (const octavo::Box& box : result.boxes) boxes.push(octavo::JsonBuilder::array_of(box));
  octavo::JsonBuilder document = octavo::JsonBuilder::object();
  document.set("text", result.text)
      .set("tokens", std::move(tokens))
      .set("prompt_tokens", result.prompt_tokens)
      .set("drafted_tokens", result.drafted_tokens)
      .set("accepted_tokens", result.accepted_tokens)
      .set("finish_reason", reason)
      .set("images", std::move(pictures))
      .set("boxes", std::move(boxes))
      .set("box_space", octavo::box_space_name(space))
      .set("timings", octavo::JsonBuilder::object()
                          .set("preprocess_seconds", result.preprocess_seconds)
                          .set("vision_seconds", result.vision_seconds)
                          .set("prefill_seconds", result.prefill_seconds)
                          .set("decode_seconds", result.decode_seconds));
  if (!result.log_probs.empty()) document.set("log_probs", log_probs_json(result.log_probs));
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

void require_consistent(const GenerateCommand& command) {
  const octavo::SampleSource& batch = command.batch;
  const Question& question = command.question;
  if (!batch.file.empty() && !batch.pictures.empty())
    throw UsageError("--batch and --pictures exclude each other: both say what the samples are");
  if (!batch.empty() && question.messages)
    throw UsageError("--messages is one conversation: leave --batch and --pictures out");
  if (!batch.file.empty() && (question.prompt || !question.images.empty() || question.system))
    throw UsageError("--batch brings its own prompts and images: leave --prompt, --image and --system out");
  if (!batch.pictures.empty() && !question.images.empty())
    throw UsageError("--pictures asks about each picture alone: leave --image out");
  if (!batch.pictures.empty() && !question.prompt)
    throw UsageError("--pictures needs --prompt TEXT: what to ask about each");
  if (batch.empty() && !question.prompt && !question.messages)
    throw UsageError("octavo generate needs --prompt TEXT, --messages FILE or --batch FILE");
  require_consistent(question);
  if (batch.skip_bad && batch.empty()) throw UsageError("--skip-bad-samples needs --batch FILE, or --pictures DIR");
  if (command.draw && !batch.empty()) throw UsageError("--draw draws one answer: leave --batch and --pictures out");
  if (command.draw && !question.messages && question.images.size() != 1)
    throw UsageError("--draw needs one --image: an answer's box does not say which picture it is on");
  if (command.lookup && command.no_cache)
    throw UsageError("--lookup and --no-cache exclude each other: tokens are looked up to be checked on a cache");
  if (command.trace_values && !command.trace) throw UsageError("--trace-values needs --trace FILE");
}

void print_one(const GenerateCommand& command, const octavo::GenerateResult& result, octavo::BoxSpace space) {
  if (command.json)
    std::printf("%s\n", result_json(result, space).dump(2).c_str());
  else  // where boxes stay as they are, the text was streamed
    std::printf("%s\n", space == octavo::BoxSpace::original ? result.text.c_str() : "");
}

void print_batch(const GenerateCommand& command, const Batch& batch, octavo::BoxSpace space) {
  print_skipped(batch.set.skipped);
  for (std::size_t i = 0; i < batch.results.size(); ++i) {
    const octavo::GenerateResult& result = batch.results[i];
    if (command.json)
      std::printf("%s\n", result_json(result, space).set("id", batch.set.samples[i].id).dump().c_str());
    else
      std::printf("%s\n", one_line(result.text).c_str());
  }
  if (command.json)
    for (const octavo::SkippedSample& sample : batch.set.skipped)
      std::printf("%s\n", octavo::JsonBuilder::object().set("skipped", sample.to_json()).dump().c_str());
}

int run(const GenerateCommand& command) {
  require_consistent(command);
  octavo::GenerateOptions options = command.job;
  options.use_cache = !command.no_cache;
  options.cache_dtype = command.run.cache_dtype();
  options.sampling = command.choice.sampling();
  options.form = command.form.read();
  command.control.apply(options, command.json);
  if (command.lookup) options.lookup = octavo::PromptLookup{.draft = *command.lookup};
  options.boxes = box_space(command.boxes);
  options.cancel = &interrupted;
  if (command.draw) require_drawing_path(*command.draw);
  Batch batch;
  if (command.batch.empty()) {
    const Answer answer = generate_one(command, options);
    print_one(command, answer.result, options.boxes);
    if (command.draw && !interrupted) draw(*command.draw, answer.images.front(), answer.result, options.boxes);
    batch.results = {answer.result};
  } else {
    batch = generate_batch(command, options);
    print_batch(command, batch, options.boxes);
  }
  if (!interrupted) return 0;
  std::size_t tokens = 0;
  for (const octavo::GenerateResult& result : batch.results) tokens += result.tokens.size();
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
  add_question(command, options->question);
  command.text("-b,--batch", {"FILE", ValueKind::file}, options->batch.file,
               "instead: answer every sample of a file at once, one line per answer, in order; see docs/samples.md");
  command.text("--pictures", {"DIR", ValueKind::directory}, options->batch.pictures,
               "instead: ask --prompt about every picture under DIR, in the order of their paths");
  add_skip_bad(command, options->batch);
  command.pictures(options->decode);
  command.flag("--control-tokens-as-text", options->chat.control_tokens_as_text,
               "\"<|im_end|>\" and its like in a prompt are text: nobody speaks as the system");
  command.group("Choice of tokens");
  command.integer("-n,--max-new-tokens", options->job.max_new_tokens, 1,
                  "at most so many tokens (the model's max_new_tokens or max_length, else 256)");
  add_token_choice(command, options->choice);
  add_answer_form(command, options->form);
  add_answer_control(command, options->control);
  command.group("Output");
  add_boxes(command, options->boxes,
            "pixels that boxes in answers are in: as the model saw the picture, or its own (model)");
  command.text("--draw", {"OUT.png", ValueKind::file}, options->draw,
               "draw the answer's boxes on the picture there, in its own pixels, each with its label; numbered, where "
               "there are several");
  command.text("--trace", {"FILE", ValueKind::file}, options->trace,
               "record every operation there, as JSON lines for octavo trace");
  command.flag("--trace-values", options->trace_values, "with --trace: statistics of every output, too");
  command.json(options->json, "one JSON document on standard output; with --batch one per line");
  add_log_probs(command, options->control);
  command.threads();
  command.group("Machine");
  command.flag("--no-cache", options->no_cache, "recompute everything for each token: slow, same tokens");
  command.integer("--prefill-chunk", options->job.prefill_chunk, 0,
                  "tokens of a prompt that are read at once (512; 0: all, which takes more memory)");
  command.integer("--lookup", options->lookup, 1,
                  "guess up to N tokens from what stood before, same answer: faster where answers repeat (off)",
                  octavo::PromptLookup::kMostDraft);
  add_kv_cache(command, options->run);
  add_model_options(command, options->run);
  command.example("octavo generate MODEL --image street.jpg --prompt \"Where is the red car?\"");
  command.run([options] { return run(*options); });
}

}  // namespace cli
