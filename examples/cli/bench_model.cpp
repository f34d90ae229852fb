// octavo bench MODEL: opening, the vision tower, reading a prompt, decoding, and memory.
#include <fstream>
#include <memory>
#include <random>

#include "bench.hpp"
#include "bench_work.hpp"

namespace cli {

namespace {

using octavo::Model;
using octavo::ModelInput;
using octavo::Session;

// Since the last reset_peak, from /proc/self/status; none where the system does not tell.
std::optional<double> peak_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;)
    if (double kib = 0; word == "VmHWM:" && status >> kib) return kib * 1024;
  return std::nullopt;
}

bool reset_peak() {  // proc(5), /proc/pid/clear_refs
  std::ofstream file("/proc/self/clear_refs");
  file << "5" << std::flush;
  return file.good();
}

BenchRow model_row(const std::string& name, double items, const std::string& item) {
  BenchRow row;
  row.group = "model";
  row.name = name;
  row.items = items;
  row.item = item;
  return row;
}

std::vector<Work> counted(const Model& model, const BenchSettings& settings, std::span<const octavo::Grid> grids,
                          const std::function<void()>& call) {
  WorkCounter counter(model, settings.model_options, grids);
  const octavo::ObserverScope scope(&counter);
  call();
  return counter.steps();
}

// Ids that are plain text in every vocabulary; which ones does not matter to the time.
ModelInput tokens(std::int64_t count, unsigned seed) {
  ModelInput input;
  std::minstd_rand engine(seed);
  for (std::int64_t i = 0; i < count; ++i) input.ids.push_back(static_cast<std::int32_t>(engine() % 256));
  return input;
}

void bench_open(const BenchSettings& settings, double seconds, BenchResult& result) {
  std::vector<BenchJob> jobs(1);
  jobs[0].row = model_row("open, files in the page cache", 1, "models");
  jobs[0].run = [&] { return seconds_of([&] { (void)Model::open(settings.model, settings.model_options); }); };
  run_in_turns(jobs, seconds, result);
}

// A gradient: what it shows does not matter to the time.
octavo::Image picture(std::int64_t side) {
  octavo::Image image{side, side, {}};
  for (std::int64_t y = 0; y < side; ++y)
    for (std::int64_t x = 0; x < side; ++x)
      for (const std::int64_t value : {x, y, x + y}) image.rgb.push_back(static_cast<std::uint8_t>(value & 0xFF));
  return image;
}

BenchJob vision_job(const Model& model, const BenchSettings& settings, std::int64_t side) {
  const octavo::Image image = picture(side);
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
  const ModelInput input = tokens(count, 1);
  const auto feed = [session, input] {
    session->reset();
    return seconds_of([&] { (void)session->feed(input); });
  };
  BenchJob job{model_row("prefill of " + std::to_string(count), static_cast<double>(count), "tokens"), feed};
  job.row.steps = counted(model, settings, {}, [&] { feed(); });
  job.row.details.set("tokens", count);
  return job;
}

// One token is fed after the other, on a copy of a session that has read `past` of them.
BenchJob decode_job(const Model& model, const BenchSettings& settings, std::int64_t past) {
  const std::int64_t count = settings.tokens;
  const auto session = std::make_shared<Session>(model, past + count, settings.cache_dtype);
  (void)session->feed(tokens(past, 1));
  BenchJob job{model_row("decode at " + std::to_string(past), static_cast<double>(count), "tokens"), [session, count] {
                 Session copy = session->fork();
                 return seconds_of([&] {
                   for (std::int64_t i = 0; i < count; ++i) {
                     stop_if_interrupted();
                     (void)copy.feed(tokens(1, static_cast<unsigned>(i + 2)));
                   }
                 });
               }};
  job.row.steps = counted(model, settings, {}, [&] { job.run(); });
  job.row.passes = static_cast<double>(count);
  job.row.details.set("past", past).set("tokens", count);
  return job;
}

std::string dtype_of(const Model& model) {
  for (const octavo::LinearInfo& info : model.linears()) {
    if (info.module_path.rfind("visual", 0) == 0) continue;
    const octavo::Linear& linear = model.linear(info.module_path);
    if (linear.kind() == octavo::LinearKind::w8a8) return "W8A8";
    if (linear.kind() == octavo::LinearKind::w8a16) return "W8A16";
    return "float";
  }
  return "";
}

}  // namespace

void bench_model(const BenchSettings& settings, double seconds, BenchResult& result) {
  const bool peak_is_ours = reset_peak();
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
    if ((past == 16 || settings.full) && fits("decode at " + std::to_string(past), past + settings.tokens))
      jobs.push_back(decode_job(model, settings, past));
  run_in_turns(jobs, seconds * 0.8, result);
  ModelMemory memory{dtype_of(model), static_cast<double>(model.checkpoint().total_bytes()), {}};
  if (peak_is_ours) memory.peak_bytes = peak_bytes();
  result.memory = memory;
}

}  // namespace cli
