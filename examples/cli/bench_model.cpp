// octavo bench MODEL: opening, the vision tower, reading a prompt, decoding.
#include <memory>

#include "bench.hpp"
#include "bench_work.hpp"

namespace cli {

namespace {

using octavo::Model;
using octavo::ModelInput;
using octavo::Session;

BenchRow model_row(const std::string& name, double items, const std::string& item) {
  BenchRow row;
  row.group = "model";
  row.name = name;
  row.items = items;
  row.item = item;
  return row;
}

std::vector<Work> counted(const Model& model, const BenchSettings& settings, std::span<const octavo::Grid> grids,
                          const std::function<void()>& call, bool greedy = false) {
  WorkCounter counter(model, settings.model_options, grids);
  {
    const octavo::ObserverScope scope(&counter);
    call();
  }
  if (const std::size_t bytes = model.greedy_head_bytes(); greedy && bytes > 0)
    counter.read_of_head(static_cast<double>(bytes));
  return counter.steps();
}

void bench_open(const BenchSettings& settings, double seconds, BenchResult& result) {
  std::vector<BenchJob> jobs(1);
  jobs[0].row = model_row("open, files in the page cache", 1, "models");
  jobs[0].run = [&] { return seconds_of([&] { (void)Model::open(settings.model, settings.model_options); }); };
  run_in_turns(jobs, seconds, result);
}

BenchJob vision_job(const Model& model, const BenchSettings& settings, std::int64_t side) {
  const octavo::Image image = gradient(side);
  const ModelInput input = model.prepare("Describe the picture.", {&image, 1});
  const octavo::Grid grid = input.images.front().grid;
  const std::int64_t patches = grid.t * grid.h * grid.w;
  BenchJob job{model_row("vision, " + std::to_string(patches) + " patches", static_cast<double>(patches), "patches"),
               [&model, input] { return seconds_of([&] { (void)model.encode_images(input); }); }};
  job.row.steps = counted(model, settings, {&grid, 1}, [&] { (void)model.encode_images(input); });
  job.row.details.set("patches", patches).set("height", side).set("width", side);
  return job;
}

BenchJob prefill_job(const Model& model, const BenchSettings& settings, std::int64_t count) {
  const auto session = std::make_shared<Session>(model, count, settings.cache_dtype);
  const ModelInput input = plain_tokens(count, 1);
  const auto feed = [session, input] {
    session->reset();
    return seconds_of([&] { (void)session->feed(input); });
  };
  BenchJob job{model_row("prefill of " + std::to_string(count), static_cast<double>(count), "tokens"), feed};
  job.row.steps = counted(model, settings, {}, [&] { feed(); });
  job.row.details.set("tokens", count);
  return job;
}

// Of a session in which so many tokens are decoded behind `past` others: the answer has one more, see decode_job.
std::int64_t decode_positions(const BenchSettings& settings, std::int64_t past) { return past + settings.tokens + 1; }

// A greedy answer that goes on from a copy of a session that has read `past` tokens. Its first token is chosen from
// what the session has computed, and its last is not fed: one more than are decoded.
BenchJob decode_job(const Model& model, const BenchSettings& settings, std::int64_t past) {
  const std::int64_t count = settings.tokens;
  const auto session = std::make_shared<Session>(model, decode_positions(settings, past), settings.cache_dtype);
  (void)session->feed(plain_tokens(past, 1));
  octavo::GenerateOptions options;
  options.max_new_tokens = count + 1;
  options.sampling.emplace();
  options.rules.emplace();
  options.ignore_eos = true;
  BenchJob job{model_row("decode at " + std::to_string(past), static_cast<double>(count), "tokens"),
               [session, options] {
                 Session copy = session->fork();
                 const double seconds = seconds_of([&] { (void)copy.generate(options); });
                 octavo::check_cancelled();  // then the answer is a part of one
                 return seconds;
               }};
  constexpr std::int64_t kUntilCopied = 34;  // greedy tokens, after which lm_head has been copied if it is to be
  for (std::int64_t tokens = 0; tokens < kUntilCopied; tokens += count) job.run();
  job.row.steps = counted(
      model, settings, {}, [&] { job.run(); }, true);
  job.row.passes = static_cast<double>(count);
  job.row.details.set("past", past).set("tokens", count);
  return job;
}

}  // namespace

void bench_model(const BenchSettings& settings, double seconds, BenchResult& result) {
  bench_open(settings, seconds * 0.2, result);
  const Model model = Model::open(settings.model, settings.model_options);
  std::vector<BenchJob> jobs;
  try {
    jobs.push_back(vision_job(model, settings, 448));
    if (settings.full) jobs.push_back(vision_job(model, settings, 1008));
  } catch (const octavo::Error& error) {
    if (error.code() != octavo::ErrorCode::not_found) throw;
    result.left_out.push_back({"vision tower", error.what()});  // a directory without tokenizer or image processor
  }
  const auto fits = [&](const std::string& name, std::int64_t positions) {
    if (positions <= model.max_position_embeddings()) return true;
    result.left_out.push_back(
        {name, "the model has " + std::to_string(model.max_position_embeddings()) + " positions only"});
    return false;
  };
  for (const std::int64_t count : {512, 2048})
    if ((count == 512 || settings.full) && fits("prefill of " + std::to_string(count), count))
      jobs.push_back(prefill_job(model, settings, count));
  for (const std::int64_t past : {16, 2048})
    if ((past == 16 || settings.full) && fits("decode at " + std::to_string(past), decode_positions(settings, past)))
      jobs.push_back(decode_job(model, settings, past));
  run_in_turns(jobs, seconds * 0.8, result);
}

}  // namespace cli
