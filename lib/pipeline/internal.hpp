/// What the jobs of this module share.
#pragma once

#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "octavo/pipeline.hpp"

namespace octavo::pipeline {

inline constexpr const char* kVersion = "0.1.0";

/// Counts steps and turns the caller's cancel flag or a refusing callback into an Error.
class Steps {
 public:
  /// `outcome` completes the cancel message: "nothing was written to OUT".
  Steps(const ProgressCallback& callback, const std::atomic<bool>* cancel, std::string job, std::string outcome);
  void set_total(std::int64_t total) { progress_.total = total; }
  void stage(std::string name);
  void advance(std::int64_t count = 1);
  void advance_to(std::int64_t done);  ///< never back
  void check_cancelled() const;

 private:
  void report();
  const ProgressCallback& callback_;
  const std::atomic<bool>* cancel_;
  std::string job_, outcome_;
  Progress progress_;
};

class Stopwatch {
 public:
  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// High-water mark of this process's resident memory (VmHWM); 0 where /proc does not tell.
std::uint64_t peak_rss_bytes();

/// Pictures of a sample, decoded.
std::vector<Image> load_images(const Sample& sample);

/// A sample's prompt and pictures, without its answer; what is wrong with them names the sample.
ModelInput prepare_question(const Model& model, const Sample& sample);
/// Throws invalid_argument naming the sample when its prompt leaves no position of the context.
void require_room(const Sample& sample, const ModelInput& input, std::int64_t room);

/// Every sample's pictures must be readable before hours of work start; checks that the files exist.
void require_images(const std::vector<Sample>& samples);

/// A sample with both models' answers, scored; agreement of tokens and logits is the caller's to fill in.
SampleResult describe(const Sample& sample, const ModelInput& input, std::string original, std::string quantized);

std::string to_lower(std::string_view text);

/// For sorting by how bad something is: NaN is worse than everything.
inline double badness(double value) { return std::isnan(value) ? std::numeric_limits<double>::infinity() : value; }

// JSON that results share (results_json.cpp).
JsonBuilder layers_json(const std::vector<LayerReport>& layers);
JsonBuilder metrics_json(const RungMetrics& metrics);  ///< absent metrics are absent keys
JsonBuilder sample_json(const SampleResult& sample);
JsonBuilder strings_json(const std::vector<std::string>& lines);

}  // namespace octavo::pipeline
