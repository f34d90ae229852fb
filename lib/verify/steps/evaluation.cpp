// The last rung: the samples. Answers of both models and their score, agreement of tokens and logits, what each block's
// output is off by, speed and size.
#include <algorithm>
#include <utility>

#include "ladder.hpp"

namespace octavo::pipeline {
namespace {

class Evaluation {
 public:
  Evaluation(Climb& climb, RungResult& rung) : climb_(climb), rung_(rung), result_(climb.result) {}

  void run() {
    for (std::size_t i = 0; i < climb_.samples.size(); ++i) {
      const Sample& sample = climb_.samples[i];
      const ModelInput input = prepare(sample);
      in_context("sample \"" + sample.id + "\"",
                 [&] { compare(sample, input, static_cast<std::int64_t>(i) < climb_.options.layer_samples); });
    }
    summarise();
  }

 private:
  struct Speed {
    double seconds = 0;
    std::int64_t tokens = 0;
    double rate() const { return seconds > 0 ? static_cast<double>(tokens) / seconds : 0; }
  };

  ModelInput prepare(const Sample& sample) const {
    try {
      ModelInput input = prepare_question(*climb_.original, sample);
      require_room(sample, input, room(climb_, input));
      return input;
    } catch (const Error& error) {
      throw InputError(error);
    }
  }

  GenerateResult answer(const Sample& sample, bool quantized, const ModelInput& input, Speed& speed) {
    climb_.steps.stage("evaluation: " + sample.id + ": " + side(quantized));
    GenerateResult result = generate(climb_, quantized, input, {.max_new_tokens = climb_.options.max_new_tokens});
    climb_.steps.advance();
    speed.seconds += result.decode_seconds;
    speed.tokens +=
        std::max<std::int64_t>(0, static_cast<std::int64_t>(result.tokens.size()) - 1);  // the first is prefill's
    return result;
  }

  void compare(const Sample& sample, const ModelInput& input, bool with_layers) {
    const GenerateResult a = answer(sample, false, input, original_speed_);
    const GenerateResult b = answer(sample, true, input, quantized_speed_);
    SampleResult answered = describe(sample, input, a.text, b.text);
    score(answered);
    add_answers(rung_.metrics, a.tokens, b.tokens);
    exact_ += a.tokens == b.tokens ? 1 : 0;
    climb_.steps.stage("evaluation: " + sample.id + ": logits");
    HiddenStates hidden;
    const ForcedRun run = forced_run(climb_, input, a.tokens, with_layers ? &hidden : nullptr);
    const LogitComparison logits = compare_rows(climb_, rung_, run, run.first);
    logits_.add(logits);
    answered.token_agreement = prefix_agreement(a.tokens, b.tokens);
    answered.kl = logits.mean_kl();
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
    task->original_right += answered.original_right ? 1 : 0;
    task->quantized_right += answered.quantized_right ? 1 : 0;
  }

  void summarise() {
    RungMetrics& metrics = rung_.metrics;
    set_logit_metrics(metrics, logits_);
    TaskScore all;
    for (const TaskScore& task : result_.tasks) {
      all.total += task.total;
      all.original_right += task.original_right;
      all.quantized_right += task.quantized_right;
    }
    if (all.total > 0) {
      metrics.original_accuracy = static_cast<double>(all.original_right) / static_cast<double>(all.total);
      metrics.quantized_accuracy = static_cast<double>(all.quantized_right) / static_cast<double>(all.total);
    }
    result_.samples = static_cast<std::int64_t>(climb_.samples.size());
    result_.exact_match = static_cast<double>(exact_) / static_cast<double>(climb_.samples.size());
    result_.token_agreement = metrics.token_agreement.value_or(0);
    result_.logit_cosine = logits_.mean_cosine();
    result_.kl = logits_.mean_kl();
    result_.top1_agreement = logits_.top1_agreement();
    result_.top5_agreement = logits_.top5_agreement();
    result_.original_perplexity = logits_.original_perplexity();
    result_.quantized_perplexity = logits_.quantized_perplexity();
    result_.original_accuracy = metrics.original_accuracy.value_or(0);
    result_.quantized_accuracy = metrics.quantized_accuracy.value_or(0);
    result_.original_tokens_per_second = original_speed_.rate();
    result_.quantized_tokens_per_second = quantized_speed_.rate();
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      LayerReport layer;
      layer.module_path = "model.layers." + std::to_string(i);
      layer.method = "output";
      layer.relative_error = layers_[i].relative();
      layer.rows = layers_[i].rows;
      result_.layers.push_back(std::move(layer));
    }
  }

  Climb& climb_;
  RungResult& rung_;
  VerifyResult& result_;
  Speed original_speed_, quantized_speed_;
  std::int64_t exact_ = 0;
  LogitComparison logits_;
  std::vector<OutputError> layers_;
};

}  // namespace

SampleResult describe(const Sample& sample, const ModelInput& input, std::string original, std::string quantized) {
  SampleResult result;
  result.id = sample.id;
  result.task = sample.task;
  result.prompt = sample.prompt;
  result.images = sample.images;
  for (const PixelPatches& image : input.images) result.image_sizes.push_back(image.resized);
  result.expected = sample.answer;
  result.original_box = answer_box(sample.task, original);
  result.quantized_box = answer_box(sample.task, quantized);
  if (!sample.answer.empty()) {
    result.expected_box = answer_box(sample.task, sample.answer);
    const AnswerScore a = score_answer(sample.task, sample.answer, original);
    const AnswerScore b = score_answer(sample.task, sample.answer, quantized);
    result.original_right = a.right;
    result.quantized_right = b.right;
    result.original_iou = a.iou;
    result.quantized_iou = b.iou;
  }
  result.original = std::move(original);
  result.quantized = std::move(quantized);
  return result;
}

void climb_evaluation(Climb& climb, RungResult& rung) {
  if (climb.samples.empty()) {
    rung.status = RungStatus::skipped;
    rung.note = "no samples were given";
    return;
  }
  Evaluation(climb, rung).run();
}

}  // namespace octavo::pipeline
