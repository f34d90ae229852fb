#include <algorithm>
#include <cstdio>
#include <utility>

#include "agreement.hpp"
#include "internal.hpp"

namespace octavo {
namespace pipeline {
namespace {

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4f", value);
  return text;
}

class Verifier {
 public:
  Verifier(const std::string& original_dir, const std::string& quantized_dir, const VerifyOptions& options)
      : options_(options),
        steps_(options.progress, options.cancel, "verify", "no result"),
        samples_(read_samples(options.samples, options.max_samples)),
        original_(Model::open(original_dir)),
        quantized_(Model::open(quantized_dir)) {
    require_images(samples_);
    if (original_.vocab_size() != quantized_.vocab_size()) {
      throw Error(ErrorCode::shape_mismatch, "verify: the vocabulary of " + original_dir + " has " +
                                                 std::to_string(original_.vocab_size()) + " entries, that of " +
                                                 quantized_dir + " " + std::to_string(quantized_.vocab_size()) +
                                                 "; these are not the same model");
    }
    if (!quantized_.checkpoint().is_quantized()) {
      throw Error(ErrorCode::invalid_argument,
                  "verify: " + quantized_dir +
                      " is not quantized (its config.json has no quantization_config); expected MODEL, then QUANTIZED");
    }
  }

  VerifyResult run() {
    steps_.set_total(4 * static_cast<std::int64_t>(samples_.size()));
    for (std::size_t i = 0; i < samples_.size(); ++i) {
      in_context("sample \"" + samples_[i].id + "\"",
                 [&] { compare(samples_[i], static_cast<std::int64_t>(i) < options_.layer_samples); });
    }
    summarise();
    judge();
    return std::move(result_);
  }

 private:
  struct Speed {
    double seconds = 0;
    std::int64_t tokens = 0;
    double rate() const { return seconds > 0 ? static_cast<double>(tokens) / seconds : 0; }
  };

  GenerateResult answer(const Model& model, const ModelInput& input, Speed& speed) const {
    GenerateOptions generate;
    generate.max_new_tokens = options_.max_new_tokens;
    generate.sampling = SamplingOptions{};  // greedy, whatever generation_config.json says
    generate.cancel = options_.cancel;
    GenerateResult result = model.generate(input, generate);
    steps_.check_cancelled();
    speed.seconds += result.decode_seconds;
    speed.tokens +=
        std::max<std::int64_t>(0, static_cast<std::int64_t>(result.tokens.size()) - 1);  // the first is prefill's
    return result;
  }

  /// Logits that predict the answer's tokens, [answer, vocab]; the prompt's are let go.
  static Tensor answer_logits(const Model& model, const ModelInput& input, std::int64_t prompt,
                              std::vector<Tensor>* hidden) {
    const Tensor logits = model.forward(input, hidden);
    return logits.slice(0, prompt - 1, logits.dim(0)).clone();
  }

  void compare(const Sample& sample, bool with_layers) {
    steps_.stage(sample.id + ": original");
    ModelInput input = original_.prepare(sample.prompt, load_images(sample));
    const auto prompt = static_cast<std::int64_t>(input.ids.size());
    const GenerateResult a = answer(original_, input, original_speed_);
    steps_.advance();
    steps_.stage(sample.id + ": quantized");
    const GenerateResult b = answer(quantized_, input, quantized_speed_);
    steps_.advance();
    score(sample, a, b);
    agreement_ += prefix_agreement(a.tokens, b.tokens);
    exact_ += a.tokens == b.tokens ? 1 : 0;

    // Teacher-forced: both read the original's answer but its last token, and so predict every token of it.
    if (!a.tokens.empty()) {
      input.ids.insert(input.ids.end(), a.tokens.begin(), a.tokens.end() - 1);
    }
    steps_.stage(sample.id + ": logits");
    std::vector<Tensor> hidden_a;
    std::vector<Tensor> hidden_b;
    const Tensor logits_a = answer_logits(original_, input, prompt, with_layers ? &hidden_a : nullptr);
    steps_.advance();
    const Tensor logits_b = answer_logits(quantized_, input, prompt, with_layers ? &hidden_b : nullptr);
    steps_.advance();
    const auto vocab = static_cast<std::size_t>(logits_a.dim(1));
    for (std::size_t row = 0; row < static_cast<std::size_t>(logits_a.dim(0)); ++row) {
      logits_.add(logits_a.values<float>().subspan(row * vocab, vocab),
                  logits_b.values<float>().subspan(row * vocab, vocab));
    }
    layers_.resize(std::max(layers_.size(), hidden_a.size()));
    for (std::size_t layer = 0; layer < hidden_a.size(); ++layer) {
      layers_[layer].add(hidden_a[layer], hidden_b.at(layer));
    }
  }

  void score(const Sample& sample, const GenerateResult& a, const GenerateResult& b) {
    if (sample.answer.empty()) {
      return;
    }
    auto task = std::find_if(result_.tasks.begin(), result_.tasks.end(),
                             [&](const TaskScore& t) { return t.task == sample.task; });
    if (task == result_.tasks.end()) {
      task = result_.tasks.insert(task, {sample.task, 0, 0, 0});
    }
    ++task->total;
    task->original_right += score_answer(sample.task, sample.answer, a.text).right ? 1 : 0;
    task->quantized_right += score_answer(sample.task, sample.answer, b.text).right ? 1 : 0;
  }

  void summarise() {
    const auto n = static_cast<double>(samples_.size());
    result_.samples = static_cast<std::int64_t>(samples_.size());
    result_.token_agreement = agreement_ / n;
    result_.exact_match = static_cast<double>(exact_) / n;
    const auto positions = static_cast<double>(std::max<std::int64_t>(1, logits_.positions));
    result_.logit_cosine = logits_.cosine / positions;
    result_.kl = logits_.kl / positions;
    result_.top1_agreement = static_cast<double>(logits_.same_top1) / positions;
    TaskScore all;
    for (const TaskScore& task : result_.tasks) {
      all.total += task.total;
      all.original_right += task.original_right;
      all.quantized_right += task.quantized_right;
    }
    if (all.total > 0) {
      result_.original_accuracy = static_cast<double>(all.original_right) / static_cast<double>(all.total);
      result_.quantized_accuracy = static_cast<double>(all.quantized_right) / static_cast<double>(all.total);
    }
    result_.original_tokens_per_second = original_speed_.rate();
    result_.quantized_tokens_per_second = quantized_speed_.rate();
    result_.original_bytes = original_.checkpoint().total_bytes();
    result_.quantized_bytes = quantized_.checkpoint().total_bytes();
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      LayerReport layer;
      layer.module_path = "model.layers." + std::to_string(i);
      layer.method = "output";
      layer.relative_error = layers_[i].relative();
      layer.rows = layers_[i].rows;
      result_.layers.push_back(std::move(layer));
    }
    result_.seconds = watch_.seconds();
  }

  void judge() {
    const VerifyThresholds& limits = options_.thresholds;
    result_.thresholds = limits;
    // Written so that a NaN fails.
    const auto at_least = [&](const char* what, double value, double limit) {
      if (!(value >= limit)) {
        result_.failures.push_back(std::string(what) + " is " + number(value) + ", below " + number(limit));
      }
    };
    at_least("token agreement", result_.token_agreement, limits.min_token_agreement);
    at_least("logit cosine", result_.logit_cosine, limits.min_logit_cosine);
    if (!(result_.kl <= limits.max_kl)) {
      result_.failures.push_back("KL divergence is " + number(result_.kl) + ", above " + number(limits.max_kl));
    }
    const double drop = result_.original_accuracy - result_.quantized_accuracy;
    if (!(drop <= limits.max_accuracy_drop)) {
      result_.failures.push_back("task accuracy fell by " + number(drop) + " (from " +
                                 number(result_.original_accuracy) + " to " + number(result_.quantized_accuracy) +
                                 "), more than " + number(limits.max_accuracy_drop));
    }
    result_.passed = result_.failures.empty();
  }

  const VerifyOptions& options_;
  Stopwatch watch_;
  Steps steps_;
  std::vector<Sample> samples_;
  Model original_, quantized_;
  VerifyResult result_;
  Speed original_speed_, quantized_speed_;
  double agreement_ = 0;
  std::int64_t exact_ = 0;
  LogitComparison logits_;
  std::vector<OutputError> layers_;
};

}  // namespace
}  // namespace pipeline

VerifyResult verify(const std::string& original_dir, const std::string& quantized_dir, const VerifyOptions& options) {
  if (options.max_new_tokens < 1) {
    throw Error(ErrorCode::invalid_argument, "verify: max_new_tokens is " + std::to_string(options.max_new_tokens) +
                                                 "; at least 1 token must be compared");
  }
  return pipeline::Verifier(original_dir, quantized_dir, options).run();
}

}  // namespace octavo
