// Makes a report, part by part, and writes it.
#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <span>
#include <sstream>

#include "octavo/architecture.hpp"
#include "octavo/checkpoint.hpp"
#include "octavo/job.hpp"
#include "octavo/report.hpp"
#include "octavo/version.hpp"
#include "provenance.hpp"

namespace octavo {
namespace report {
namespace {

namespace fs = std::filesystem;

constexpr ImageSize kUsualPicture{448, 448};
constexpr std::size_t kMostReportBytes = std::size_t{64} << 20;

/// Each part counts its own steps; a part's share of the whole is about its share of the time.
struct Part {
  const char* name;
  std::int64_t share;
};
constexpr std::int64_t kUnitsPerShare = 1000;

class Progresses {
 public:
  Progresses(const ProgressCallback& callback, std::vector<Part> parts)
      : callback_(callback), parts_(std::move(parts)) {
    for (const Part& part : parts_) total_ += part.share * kUnitsPerShare;
  }
  /// Of the next part; what was before it counts as done.
  ProgressCallback next() {
    const Part part = parts_.at(index_++);
    const std::int64_t begin = behind_;
    behind_ += part.share * kUnitsPerShare;
    if (!callback_) return {};
    return [this, part, begin](const Progress& progress) {
      const double share =
          progress.total > 0 ? static_cast<double>(progress.done) / static_cast<double>(progress.total) : 0;
      const auto within =
          static_cast<std::int64_t>(std::clamp(share, 0.0, 1.0) * static_cast<double>(part.share * kUnitsPerShare));
      return callback_({std::string(part.name) + ": " + progress.stage, begin + within, total_});
    };
  }

 private:
  const ProgressCallback& callback_;
  std::vector<Part> parts_;
  std::size_t index_ = 0;
  std::int64_t behind_ = 0, total_ = 0;
};

std::string read_if_there(const std::string& path) {
  std::error_code failed;
  const std::uintmax_t size = fs::file_size(path, failed);
  if (failed || size > kMostReportBytes) return "";
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// The last call of a kind: of decoding, the one with the most in the cache.
std::uint64_t bytes_of_last(const ModelPlan& plan, CallKind kind) {
  std::uint64_t bytes = 0;
  for (const PlannedCall& call : plan.calls)
    if (call.kind == kind) bytes = plan.total_bytes(call);
  return bytes;
}

ReportMemory plan_memory(const std::string& original_dir, const std::string& quantized_dir) {
  PlanOptions options;
  options.every_block = false;
  const Checkpoint checkpoint = Checkpoint::open(original_dir);
  if (read_architecture(checkpoint.config())->vision() != nullptr)
    options.grids.push_back(grid_of(kUsualPicture, ImageProcessorConfig::open(original_dir)));
  const ModelPlan original = plan_model(checkpoint, options);
  const ModelPlan quantized = plan_model(Checkpoint::open(quantized_dir), options);
  ReportMemory memory;
  memory.original_weights = original.weight_bytes;
  memory.quantized_weights = quantized.weight_bytes;
  memory.kv_cache_per_position = quantized.kv_cache_bytes_per_position;
  memory.prompt_tokens = original.prompt_tokens;
  memory.max_new_tokens = original.max_new_tokens;
  memory.original_prefill = bytes_of_last(original, CallKind::prefill);
  memory.quantized_prefill = bytes_of_last(quantized, CallKind::prefill);
  memory.original_decode = bytes_of_last(original, CallKind::decode);
  memory.quantized_decode = bytes_of_last(quantized, CallKind::decode);
  return memory;
}

/// The verdict is hours of work: what else fails is noted beside it.
template <class Work>
void attempt(Report& report, const char* part, Work&& work) {
  try {
    work();
  } catch (const Error& error) {
    if (error.code() == ErrorCode::cancelled) throw;
    report.notes.push_back(std::string(part) + ": " + error.what());
  }
}

AttributionOptions attribution_options(const ReportOptions& options, std::span<const SampleResult> answers,
                                       ProgressCallback progress) {
  AttributionOptions attribution;
  attribution.samples = options.verify.samples;
  attribution.max_samples = options.attribution_samples;
  if (options.verify.max_samples > 0)
    attribution.max_samples = attribution.max_samples == 0
                                  ? options.verify.max_samples
                                  : std::min(attribution.max_samples, options.verify.max_samples);
  attribution.max_new_tokens = options.verify.max_new_tokens;
  attribution.boxes = options.verify.boxes;
  attribution.decode = options.verify.decode;
  attribution.profile = options.verify.profile;
  attribution.thresholds = options.verify.thresholds;
  attribution.exact = options.exact;
  attribution.suggest = options.suggest;
  attribution.answers = answers;
  attribution.progress = std::move(progress);
  attribution.cancel = options.verify.cancel;
  return attribution;
}

std::string json_path(const std::string& html_path) {
  constexpr std::string_view kEnding = ".html";
  if (!html_path.ends_with(kEnding) || html_path.size() == kEnding.size())
    throw Error(
        ErrorCode::invalid_argument,
        "report: \"" + html_path + "\" does not end in .html; the JSON is written beside it under the same name");
  return html_path.substr(0, html_path.size() - kEnding.size()) + ".json";
}

}  // namespace
}  // namespace report

Report make_report(const std::string& original_dir, const std::string& quantized_dir, const ReportOptions& options) {
  using namespace report;  // NOLINT(google-build-using-namespace): the steps below
  if (options.attribution_samples < 0)
    throw Error(ErrorCode::invalid_argument,
                "report: attribution_samples is " + std::to_string(options.attribution_samples) + "; 0 means all");
  const Stopwatch watch;
  const bool attributes = options.attribution && !options.verify.samples.empty();
  std::vector<Part> parts{{"verify", 10}};
  if (options.compare) parts.push_back({"compare", 1});
  if (attributes) parts.push_back({"attribution", options.exact ? 20 : 8});
  Progresses progresses(options.verify.progress, parts);

  Report report;
  report.original_dir = original_dir;
  report.quantized_dir = quantized_dir;
  report.octavo_version = kVersion;
  report.date = options.date.empty() ? iso_date() : options.date;
  report.command = options.command;
  report.machine = options.machine ? *options.machine : ReportMachine::here();
  VerifyOptions verify_options = options.verify;
  verify_options.suggests = verify_options.suggests || options.suggest;
  verify_options.progress = progresses.next();
  report.verify = verify(original_dir, quantized_dir, verify_options);
  attempt(report, "model type", [&] {
    report.model_type = Json::read_file((fs::path(original_dir) / "config.json").string()).get_string("model_type", "");
  });
  if (options.compare) {
    CompareOptions compare_options;
    compare_options.progress = progresses.next();
    compare_options.cancel = options.verify.cancel;
    attempt(report, "compare", [&] { report.compare = compare(original_dir, quantized_dir, compare_options); });
  }
  if (attributes) {
    const AttributionOptions attribution = attribution_options(options, report.verify.answers, progresses.next());
    if (const std::string run = report.verify.run_text(); !run.empty())
      report.notes.push_back("attribution: left out, since it runs models by default, and this one was run with " +
                             run);
    else if (report.verify.only_bounds_missed())
      attempt(report, "attribution", [&] { report.attribution = attribute(original_dir, quantized_dir, attribution); });
    else
      report.notes.emplace_back("attribution: left out, since more than a threshold failed; the diagnosis says what");
  }
  attempt(report, "memory", [&] { report.memory = plan_memory(original_dir, quantized_dir); });
  report.quantization = read_if_there((fs::path(quantized_dir) / "octavo_report.json").string());
  report.seconds = watch.seconds();
  return report;
}

void check_report_path(const std::string& html_path) {
  const std::string json = report::json_path(html_path);
  check_new_file(html_path, kPageMark);
  check_new_file(json, kResultMark);
}

void write_report(const Report& report, const std::string& html_path) {
  check_report_path(html_path);
  const std::string page = report.to_html();
  const std::string json = report.to_json().dump(2) + "\n";
  const std::array<NewFile, 2> files{NewFile{report::json_path(html_path), json, kResultMark},
                                     NewFile{html_path, page, kPageMark}};
  write_files(files);
}

}  // namespace octavo
