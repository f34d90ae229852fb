// The last step: the samples. Answers of both models and their score, agreement of tokens and logits, what each block's
// output is off by, speed and size.
#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

#include "speed.hpp"
#include "verification.hpp"

namespace octavo::detail {
namespace {

class Evaluation {
 public:
  Evaluation(Verification& verification, StepResult& step)
      : verification_(verification), step_(step), result_(verification.result) {}

  void run() {
    for (std::size_t i = 0; i < verification_.samples.size(); ++i) {
      const Sample& sample = verification_.samples[i];
      const ModelInput input = prepare(sample);
      in_context(sample.name(),
                 [&] { compare(sample, input, static_cast<std::int64_t>(i) < verification_.options.layer_samples); });
    }
    summarise();
  }

 private:
  ModelInput prepare(const Sample& sample) const {
    try {
      ModelInput input = prepare_question(*verification_.original, sample);
      require_room(sample, input, room(verification_, input));
      return input;
    } catch (const Error& error) {
      throw InputError(error);
    }
  }

  GenerateResult answer(const Sample& sample, bool quantized, const ModelInput& input) {
    verification_.steps.stage("evaluation: " + sample.id + ": " + side(quantized));
    GenerateResult result =
        generate(verification_, quantized, input, {.max_new_tokens = verification_.options.max_new_tokens});
    verification_.steps.advance();
    DecodingSpeed& speed = result_.speed;
    (quantized ? speed.quantized_seconds : speed.original_seconds) += result.decode_seconds;
    (quantized ? speed.quantized_tokens : speed.original_tokens) +=
        std::max<std::int64_t>(0, static_cast<std::int64_t>(result.tokens.size()) - 1);  // the first is prefill's
    return result;
  }

  void compare(const Sample& sample, const ModelInput& input, bool with_layers) {
    const GenerateResult a = answer(sample, false, input);
    const GenerateResult b = answer(sample, true, input);
    SampleResult answered = score_sample(sample, input, a.text, b.text, verification_.options.boxes);
    score(answered);
    step_.metrics.add_answers(a.tokens, b.tokens);
    exact_ += a.tokens == b.tokens ? 1 : 0;
    verification_.steps.stage("evaluation: " + sample.id + ": logits");
    HiddenStates hidden;
    const ForcedRun run = forced_run(verification_, input, a.tokens, with_layers ? &hidden : nullptr);
    const LogitComparison logits = compare_rows(verification_, step_, run, run.first);
    logits_.add(logits);
    answered.token_agreement = prefix_agreement(a.tokens, b.tokens);
    answered.kl = logits.mean_kl();
    answered.original_tokens = a.tokens;
    answered.quantized_tokens = b.tokens;
    result_.answers.push_back(std::move(answered));
    layers_.resize(std::max(layers_.size(), hidden.original.size()));
    for (std::size_t layer = 0; layer < hidden.original.size(); ++layer)
      layers_[layer].add(hidden.original[layer], hidden.quantized.at(layer));
  }

  void score(const SampleResult& answered) {
    if (answered.expected.empty()) return;
    auto task = std::find_if(result_.tasks.begin(), result_.tasks.end(),
                             [&](const TaskScore& t) { return t.task == answered.task; });
    if (task == result_.tasks.end()) task = result_.tasks.insert(task, {answered.task, 0, 0, 0});
    ++task->total;
    pairs_.add(answered.original_right, answered.quantized_right);
    task->original_right += answered.original_right ? 1 : 0;
    task->quantized_right += answered.quantized_right ? 1 : 0;
  }

  /// 0 % against 0 % is no agreement: an original that does worse than a constant answer leaves nothing to lose.
  void judge_original(const TaskScore& all) {
    std::map<std::string_view, std::int64_t> counts;
    std::int64_t constant = 0;
    for (const SampleResult& answered : result_.answers)
      if (!answered.expected.empty()) constant = std::max(constant, ++counts[answered.expected]);
    if (all.original_right > 0 && all.original_right >= constant) return;
    result_.not_judged = "the original gets " + std::to_string(all.original_right) + " of " +
                         std::to_string(all.total) + " samples right, " +
                         (all.original_right == 0 ? "so the quantized model has nothing to lose on them"
                                                  : "fewer than the " + std::to_string(constant) +
                                                        " that their most frequent answer would, given every time") +
                         "; give samples that it can answer, with answers in the form that it gives";
    step_.status = StepStatus::not_judged;
    step_.note = result_.not_judged;
  }

  void summarise() {
    StepMetrics& metrics = step_.metrics;
    metrics.set_logits(logits_);
    TaskScore all;
    for (const TaskScore& task : result_.tasks) {
      all.total += task.total;
      all.original_right += task.original_right;
      all.quantized_right += task.quantized_right;
    }
    if (all.total > 0) {
      metrics.original_accuracy = static_cast<double>(all.original_right) / static_cast<double>(all.total);
      metrics.quantized_accuracy = static_cast<double>(all.quantized_right) / static_cast<double>(all.total);
      result_.accuracy = AccuracyComparison::of(pairs_);
      judge_original(all);
    }
    result_.samples = static_cast<std::int64_t>(verification_.samples.size());
    result_.exact_match = static_cast<double>(exact_) / static_cast<double>(verification_.samples.size());
    result_.token_agreement = metrics.token_agreement.value_or(0);
    result_.logit_cosine = logits_.mean_cosine();
    result_.kl = logits_.mean_kl();
    result_.top1_agreement = logits_.top1_agreement();
    result_.top5_agreement = logits_.top5_agreement();
    result_.original_perplexity = logits_.original_perplexity();
    result_.quantized_perplexity = logits_.quantized_perplexity();
    result_.original_accuracy = metrics.original_accuracy.value_or(0);
    result_.quantized_accuracy = metrics.quantized_accuracy.value_or(0);
    measure_speed();
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      LayerReport layer;
      layer.module_path = "model.layers." + std::to_string(i);
      layer.method = "output";
      layer.relative_error = layers_[i].relative();
      layer.rows = layers_[i].rows;
      result_.layers.push_back(std::move(layer));
    }
  }

  void measure_speed() {
    DecodingSpeed& speed = result_.speed;
    const SpeedSetting setting = speed_setting();
    speed.original_read = bytes_per_token(*verification_.original);
    speed.quantized_read = bytes_per_token(*verification_.quantized);
    speed.processors = setting.processors;
    speed.other_load = load_.other_load();
    judge_speed(speed, setting);
  }

  Verification& verification_;
  StepResult& step_;
  VerifyResult& result_;
  const LoadWatch load_;
  PairedCounts pairs_;
  std::int64_t exact_ = 0;
  LogitComparison logits_;
  std::vector<OutputError> layers_;
};

}  // namespace

void step_evaluation(Verification& verification, StepResult& step) {
  if (verification.samples.empty()) {
    step.status = StepStatus::skipped;
    step.note = "no samples were given";
    return;
  }
  Evaluation(verification, step).run();
}

}  // namespace octavo::detail
