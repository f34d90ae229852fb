/// @file
/// The report: everything that is known of a quantized model, on one page that needs no network.
///
///     ReportOptions options;
///     options.verify.samples = "held_out.jsonl";
///     Report report = make_report("Qwen2.5-VL-3B-Instruct", "Qwen2.5-VL-3B-w8a8", options);
///     write_report(report, "report.html");              // and report.json beside it
///     return report.verify.passed ? 0 : 1;
///
/// The page and the JSON are made from the same data; a part that was not run is absent from both.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "octavo/attribution.hpp"
#include "octavo/compare.hpp"
#include "octavo/plan.hpp"
#include "octavo/verify.hpp"

namespace octavo {

/// What the two models take of memory, by the symbolic plan of one call chain, in bytes.
struct ReportMemory {
  std::uint64_t original_weights = 0, quantized_weights = 0;  ///< resident
  std::uint64_t kv_cache_per_position = 0;                    ///< the same for both
  std::int64_t prompt_tokens = 0, max_new_tokens = 0;         ///< of the plan
  std::uint64_t original_prefill = 0, quantized_prefill = 0;  ///< weights, cache and activations of the prefill
  std::uint64_t original_decode = 0, quantized_decode = 0;    ///< the same of the last token
};

/// What a report was made on.
struct ReportMachine {
  std::string processor;                      ///< "Intel(R) Xeon(R) ..."; "" where the system does not tell
  std::int64_t processors = 0;                ///< logical ones that are online
  std::uint64_t memory_bytes = 0;             ///< of the machine
  std::vector<std::string> instruction_sets;  ///< see BuildInfo
  std::string onednn, onednn_isa;             ///< its version, and what it dispatches to
  std::string int8_backend;                   ///< int8 products run on
  std::int64_t threads = 0;

  static ReportMachine here();
};

struct ReportOptions {
  VerifyOptions verify;                   ///< its progress and cancel serve the whole report
  bool compare = true;                    ///< architecture side by side; reads the weights
  bool attribution = true;                ///< needs verify.samples; skipped when more than a threshold failed
  bool exact = false;                     ///< AttributionOptions::exact
  bool suggest = false;                   ///< AttributionOptions::suggest
  std::int64_t attribution_samples = 16;  ///< AttributionOptions::max_samples
  std::string command;                    ///< the command line, where there is one, as a shell reads it
  std::string date;                       ///< when it was made; "": now, ISO 8601 with the zone's offset
  std::optional<ReportMachine> machine;   ///< absent: this one
};

struct Report {
  std::string original_dir, quantized_dir, model_type;
  VerifyResult verify;
  std::optional<CompareResult> compare;
  std::optional<Attribution> attribution;
  std::optional<ReportMemory> memory;  ///< absent when a plan cannot be made
  /// QUANTIZED/octavo_report.json as it was written by quantize(): recipe, calibration, each linear's losses; "" where
  /// there is none.
  std::string quantization;
  std::string octavo_version;
  std::string date, command;  ///< see ReportOptions
  ReportMachine machine;
  double seconds = 0;
  std::vector<std::string> notes;  ///< why a part is absent, a line each: "compare: ..."

  std::string to_html() const;  ///< complete document; pictures of the shown samples are in it
  JsonBuilder to_json() const;  ///< schema: docs/report.md
};

/// Verifies, compares and attributes. A quantized model that fails is a result. An error in the comparison, the
/// attribution or the plan does not end the report: that section is absent, and Report::notes says why.
/// @throws Error  as verify(); cancelled.
Report make_report(const std::string& original_dir, const std::string& quantized_dir,
                   const ReportOptions& options = {});
/// Fails when write_report could not write there, so that a caller finds out before the work.
/// @throws Error  invalid_argument unless the name ends in .html; as check_new_file.
void check_report_path(const std::string& html_path);
/// Writes `html_path` and the JSON beside it (the same name with the ending .json); both appear complete or not at all.
/// @throws Error  as check_report_path and write_files.
void write_report(const Report& report, const std::string& html_path);

// --- Pages of single jobs: complete documents, self-contained, no script, no network --------------------------------

/// A comparison: what is wrong, the module tree, configuration, files.
std::string compare_page(const CompareResult& result);
/// A quantization, from what QuantizeResult::to_json gives and octavo_report.json holds: recipe, calibration, losses.
/// @throws Error  format.
std::string quantization_page(const Json& quantization);

}  // namespace octavo
