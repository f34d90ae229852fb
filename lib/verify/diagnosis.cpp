// From a failed step and what a probe measured to causes, likeliest first, and what to do.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>

#include "octavo/checkpoint.hpp"
#include "probe.hpp"
#include "tried.hpp"
#include "verification.hpp"

namespace octavo::detail {
namespace {

// A weight that went through int8 and back is off by one or two hundredths, GPTQ's by somewhat more; a tensor that was
// never quantized is equal to the bit, or was rounded to 16 bits.
constexpr double kDamagedInt8 = 0.2;
constexpr double kDamagedFloat = 0.01;
constexpr double kVisionBound = 0.1;
constexpr double kGrowth = 2;  // late over early KL that counts as drift

std::string percent(double share) { return std::isfinite(share) ? number_text(100 * share) + " %" : "not finite"; }

bool damaged(const TensorProbe& tensor) {
  return tensor.not_finite > 0 || !(tensor.relative_error <= (tensor.quantized ? kDamagedInt8 : kDamagedFloat));
}

std::string rough(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g", value);
  return text;
}

std::string module_of(const std::string& tensor) {
  const std::size_t dot = tensor.rfind('.');
  return dot == std::string::npos ? tensor : tensor.substr(0, dot);
}

/// "model.layers.1.mlp.up_proj.weight is off by 700 % of the original's, 8 times as large".
std::string tensor_text(const TensorProbe& tensor) {
  if (tensor.not_finite > 0)
    return tensor.name + (tensor.quantized ? ", scaled, holds " : " holds ") + std::to_string(tensor.not_finite) +
           " values that are NaN or infinity";
  std::string text = tensor.name + (tensor.quantized ? ", its int8 values times its scales," : "") + " is off by " +
                     percent(tensor.relative_error) + " of the original's";
  const double leftover = tensor.relative_error - std::abs(tensor.ratio - 1);
  if (std::abs(tensor.ratio - 1) > 0.1 && std::abs(leftover) < 0.1 * tensor.relative_error)
    text += ", about " + rough(tensor.ratio) + " times as large";
  return text;
}

class Explanation {
 public:
  Explanation(const StepResult& step, const Evidence& evidence, const Probe* probe, const Tried& tried)
      : step_(step), evidence_(evidence), probe_(probe), tried_(tried) {}

  Diagnosis run() {
    const StepFailure& first = step_.failures.front();
    said_.step = step_.name;
    said_.expected = first.what + ": " + first.expected;
    said_.seen = first.seen;
    said_.measurements = evidence_.measurements;
    switch (first.expectation) {
      case Expectation::structure:
        structure();
        break;
      case Expectation::same_model:
        different_model(first);
        break;
      case Expectation::same_input:
        input();
        break;
      case Expectation::same_cached:
        cache();
        break;
      case Expectation::same_batched:
        batch();
        break;
      case Expectation::same_generation:
        generation("the choice of the next token does not follow the logits: " + first.line());
        break;
      case Expectation::reproducible:
        generation(
            "a run depends on more than model, input and seed: an order of summation that changes, or state "
            "that is shared");
        break;
      case Expectation::runs:
      case Expectation::finite:
      case Expectation::bound:
        models(first);
        break;
    }
    return std::move(said_);
  }

 private:
  void cause(std::string text) { said_.causes.push_back(std::move(text)); }
  void next(std::string text) { said_.next.push_back(std::move(text)); }
  void advise(const std::string& module) {
    for (std::string& text : advice(tried_, module)) next(std::move(text));
  }
  void measured(const char* what, const std::string& where, double value) {
    said_.measurements.push_back({what, where, value});
  }

  void structure() {
    said_.kind = DiagnosisKind::structure;
    for (const StepFailure& failure : step_.failures) cause(failure.what + ": " + failure.seen);
    next("octavo check on that directory lists every problem");
    next("copy the files again, or quantize again");
  }

  void different_model(const StepFailure& first) {
    said_.kind = DiagnosisKind::different_model;
    for (const StepFailure& failure : step_.failures) cause(failure.line());
    if (first.what == "stop ids") {
      said_.module = "generation_config.json";
      cause("with other stop ids, answers end too early or never, however good the weights are");
      next("copy generation_config.json from the original");
    } else {
      next("give the directory that QUANTIZED was made from as MODEL");
    }
  }

  void input() {
    said_.kind = DiagnosisKind::input;
    if (evidence_.pictures_differ) {
      said_.module = "preprocessor_config.json";
      cause("the two preprocessor_config.json differ: the same picture becomes other patches");
      next("copy preprocessor_config.json from the original");
    } else {
      said_.module = "tokenizer.json";
      cause("the tokenizer files differ: the same text becomes other ids");
      next("copy tokenizer.json, vocab.json, merges.txt and tokenizer_config.json from the original");
    }
  }

  void cache() {
    said_.kind = DiagnosisKind::cache;
    if (evidence_.cache) {
      const RunDifference& cache = *evidence_.cache;
      measured("cached against uncached logits", cache.model, cache.logit_difference);
      measured("gap between the two tokens' logits", cache.model, cache.gap);
      measured("largest difference of a logit", cache.model, cache.largest);
      cause("positions or cache at token " + std::to_string(cache.token) + " of the " + cache.model +
            " model: its logits with the cache differ by " + percent(cache.logit_difference) + " from those without");
      if (cache.model == "original")
        cause("the original does so, too: the fault is the runtime's, not the quantization's");
      next("octavo generate with and without --no-cache shows it; report it with both directories' config.json");
      return;
    }
    cause("positions or cache");
    next("octavo generate with and without --no-cache shows it");
  }

  void batch() {
    said_.kind = DiagnosisKind::batch;
    next("octavo generate --batch and each prompt alone show it; report it with both directories' config.json");
    if (!evidence_.batch) {
      cause("what a sequence gets depends on the others of its batch");
      return;
    }
    const RunDifference& found = *evidence_.batch;
    measured("logits in the batch against alone", found.model, found.logit_difference);
    measured("gap between the two tokens' logits", found.model, found.gap);
    measured("largest difference of a logit", found.model, found.largest);
    cause("what a sequence of the " + found.model + " model gets depends on the others of its batch: at token " +
          std::to_string(found.token) + " its logits differ by " + percent(found.logit_difference) +
          " from those it gets alone");
    if (found.model == "original")
      cause("the original does so, too: the fault is the runtime's, not the quantization's");
  }

  void generation(std::string what) {
    said_.kind = DiagnosisKind::generation;
    cause(std::move(what));
    next("run again with --threads 1; report it with the two token lists");
  }

  // --- Two models that differ ---------------------------------------------------------------------------------------

  void models(const StepFailure& first) {
    if (!evidence_.not_finite_module.empty()) {
      said_.kind = DiagnosisKind::not_finite;
      said_.module = evidence_.not_finite_module;
      for (const StepFailure& failure : step_.failures) cause(failure.seen);
      next("fetch or write that directory again: its weights are damaged, or overflowed where they were trained");
      return;
    }
    if (probe_ == nullptr) {
      said_.kind = step_.name == "open" ? DiagnosisKind::structure : DiagnosisKind::failed_call;
      cause(first.seen);
      next(step_.name == "open" ? "octavo check on both directories" : "octavo generate on both directories");
      return;
    }
    report_measurements();
    const auto broken = std::find_if(probe_->blocks.begin(), probe_->blocks.end(),
                                     [](const BlockProbe& block) { return !block.original_finite; });
    const std::int64_t worst = outstanding_block(probe_->blocks);
    if (broken != probe_->blocks.end() && worst < 0) {
      said_.kind = DiagnosisKind::not_finite;
      said_.module = broken->module_path;
      cause(broken->module_path + " of the original itself gives NaN or infinity (" + broken->thrown + ")");
      next("fetch the original again: its weights are damaged");
    } else if (worst >= 0) {
      outstanding(probe_->blocks[static_cast<std::size_t>(worst)]);
    } else if (!outside_blocks()) {
      spread(first);
    }
  }

  void report_measurements() {
    if (probe_->has_pictures) measured("vision rows' relative error", "", probe_->vision_error);
    measured("embedded rows' relative error", "", probe_->embedding_error);
    for (const BlockProbe& block : probe_->blocks) measured("local error", block.module_path, block.local_error);
    for (const BlockProbe& block : probe_->blocks)
      measured("accumulated error", block.module_path, block.accumulated_error);
    for (const LinearProbe& linear : probe_->linears) measured("output error", linear.module_path, linear.output_error);
    for (const TensorProbe& tensor : probe_->tensors) measured("weight error", tensor.name, tensor.relative_error);
  }

  /// Damaged tensors whose names pass, worst first.
  template <class Wanted>
  std::vector<TensorProbe> damaged_tensors(Wanted&& wanted) const {
    std::vector<TensorProbe> found;
    for (const TensorProbe& tensor : probe_->tensors)
      if (wanted(tensor.name) && damaged(tensor)) found.push_back(tensor);
    std::stable_sort(found.begin(), found.end(), [](const TensorProbe& a, const TensorProbe& b) {
      return a.not_finite != b.not_finite ? a.not_finite > b.not_finite : a.relative_error > b.relative_error;
    });
    return found;
  }

  void outstanding(const BlockProbe& block) {
    said_.kind = !block.quantized_finite        ? DiagnosisKind::not_finite
                 : block.tower == Tower::vision ? DiagnosisKind::vision
                                                : DiagnosisKind::module;
    said_.module = block.module_path;
    const std::string prefix = block.module_path + ".";
    const auto tensors = damaged_tensors([&](const std::string& name) { return name.starts_with(prefix); });
    const auto linear = std::max_element(probe_->linears.begin(), probe_->linears.end(),
                                         [](const auto& a, const auto& b) { return a.output_error < b.output_error; });
    if (!tensors.empty()) {
      said_.module = module_of(tensors.front().name);
      for (const TensorProbe& tensor : tensors) cause(tensor_text(tensor));
    } else if (linear != probe_->linears.end()) {
      said_.module = linear->module_path;
    }
    cause(block.module_path + ", given the original's rows, " +
          (block.quantized_finite ? "is off by " + percent(block.local_error) + " of what it adds"
                                  : "gives NaN or infinity") +
          (block.thrown.empty() ? "" : " (" + block.thrown + ")") + "; no block before it stands out");
    if (!tensors.empty()) {
      next("quantize again; if the error stays, the tool that wrote " + said_.module + " is at fault");
      return;
    }
    if (linear != probe_->linears.end())
      cause(linear->module_path + " has weights that fit, but its output is off by " + percent(linear->output_error) +
            ": its input holds outliers that int8 per token cannot carry");
    advise(said_.module);
  }

  /// Embedding, final norm, head, patch embedding, merger.
  bool outside_blocks() {
    const bool pictures = probe_->has_pictures;
    const auto tensors =
        damaged_tensors([&](const std::string& name) { return pictures || !name.starts_with("visual."); });
    if (tensors.empty()) return false;
    said_.module = module_of(tensors.front().name);
    const bool finite = tensors.front().not_finite == 0;
    said_.kind = !finite                                       ? DiagnosisKind::not_finite
                 : tensors.front().name.starts_with("visual.") ? DiagnosisKind::vision
                                                               : DiagnosisKind::module;
    for (const TensorProbe& tensor : tensors) cause(tensor_text(tensor));
    next(finite ? "quantize again: these tensors are copied, and must equal the original's" : "quantize again");
    return true;
  }

  double largest_local(Tower tower) const {
    double largest = 0;
    for (const BlockProbe& block : probe_->blocks)
      if (block.tower == tower) largest = std::max(largest, block.local_error);
    return largest;
  }

  /// No module stands out.
  void spread(const StepFailure& first) {
    const double vision = largest_local(Tower::vision);
    const double language = largest_local(Tower::language);
    if (probe_->has_pictures && probe_->vision_error >= kVisionBound && vision > language) {
      said_.kind = DiagnosisKind::vision;
      said_.module = "visual";
      cause("the vision rows are off by " + percent(probe_->vision_error) + ", each block of the tower by up to " +
            percent(vision) + ", those of the language model by up to " + percent(language));
      if (!tried_.known || tried_.int8_vision) next("leave the vision tower in float: --recipe default does");
      advise("");
      return;
    }
    const bool close = first.what == "accuracy drop" || first.what == "token agreement";
    said_.kind = close ? DiagnosisKind::quality : DiagnosisKind::accumulated;
    const auto measured_value = [&](const char* what) {
      const auto entry = std::find_if(evidence_.measurements.begin(), evidence_.measurements.end(),
                                      [&](const Measurement& m) { return m.what == what; });
      return entry == evidence_.measurements.end() ? 0.0 : entry->value;
    };
    const double early = measured_value("KL in the first half");
    const double late = measured_value("KL in the second half");
    if (late > kGrowth * early)
      cause("the error grows with the answer: KL is " + number_text(early) + " in its first half and " +
            number_text(late) + " in its second");
    if (close)
      cause("the logits are within their bounds, but some answers change: they were close calls in the original");
    const BlockProbe& last = probe_->blocks.back();
    cause("quantization error that accumulates over the layers: no block alone is off by more than " +
          percent(std::max(vision, language)) + ", after " + last.module_path + " it is " +
          percent(last.accumulated_error));
    advise("");
  }

  const StepResult& step_;
  const Evidence& evidence_;
  const Probe* probe_;
  const Tried& tried_;
  Diagnosis said_;
};

/// A model that does not open for its scales: which ones.
std::vector<TensorProbe> broken_scales(const std::string& directory) {
  std::vector<TensorProbe> found;
  const Checkpoint checkpoint = Checkpoint::open(directory);
  for (const std::string& name : checkpoint.names()) {
    if (!name.ends_with(".weight_scale")) continue;
    const Tensor scale = checkpoint.tensor(name).to(DType::f32).contiguous();
    TensorProbe probe;
    probe.name = name;
    for (const float value : scale.values<float>()) probe.not_finite += std::isfinite(value) ? 0 : 1;
    if (probe.not_finite > 0) found.push_back(std::move(probe));
  }
  return found;
}

bool needs_probe(Expectation expectation) {
  return expectation == Expectation::runs || expectation == Expectation::finite || expectation == Expectation::bound;
}

}  // namespace

Diagnosis explain(const StepResult& step, const Evidence& evidence, const Probe* probe, const Tried& tried) {
  return Explanation(step, evidence, probe, tried).run();
}

Diagnosis diagnose(Verification& verification, const StepResult& step) {
  std::optional<Probe> probe;
  if (needs_probe(step.failures.front().expectation)) {
    verification.steps.stage(step.name + ": looking for the cause");
    // A probe that fails itself leaves the diagnosis without its measurements, not without a diagnosis.
    try {
      if (verification.original && verification.quantized && verification.evidence.input) {
        probe = probe_models(verification.original->checkpoint(), verification.quantized->checkpoint(),
                             *verification.evidence.input, [&] { verification.steps.advance(0); });
      } else if (step.name == "open") {
        Probe scales;
        scales.tensors = broken_scales(verification.quantized_dir);
        if (!scales.tensors.empty()) probe = std::move(scales);
      }
    } catch (const Error& error) {
      if (error.code() == ErrorCode::cancelled) throw;
    }
  }
  return explain(step, verification.evidence, probe ? &*probe : nullptr,
                 tried_before(verification.quantized_dir, verification.options));
}

}  // namespace octavo::detail
