// Prefill, then one token per sequence and step; or, without a cache, everything again every step. Both give the same
// tokens. One sequence is a batch of one; what has finished leaves the batch.
#include <algorithm>
#include <deque>
#include <string>
#include <vector>

#include "octavo/memory_pool.hpp"
#include "steps.hpp"

namespace octavo {
namespace {

using model::Sequence;

class Generation {
 public:
  /// @param named  Errors say which sequence they are about.
  Generation(const Model::Impl& model, std::span<const ModelInput> inputs, const GenerateOptions& options, bool named)
      : steps_(*model.runtime), options_(options), cancel_(options.cancel), named_(named) {
    model::check_options(options);
    for (std::size_t i = 0; i < inputs.size(); ++i)
      about(i, [&] { sequences_.emplace_back(model, inputs[i], options, i); });
  }

  std::vector<GenerateResult> run() {
    MemoryPool pool;  // every step takes the memory that the step before has let go
    const MemoryPoolScope scope(pool);
    try {
      run_steps(pool);
    } catch (const Error& error) {
      if (!sequences_.front().cancelled_by(error)) throw;
      for (Sequence& sequence : sequences_)
        if (!sequence.finished()) {
          sequence.cancel();
          sequence.end();
        }
    }
    std::vector<GenerateResult> results;
    for (Sequence& sequence : sequences_) {
      model::place_boxes(sequence.answer.result, options_);
      results.push_back(std::move(sequence.answer.result));
    }
    return results;
  }

 private:
  template <class Job>
  void about(std::size_t index, Job&& job) const {
    if (!named_) return job();
    in_context("sequence " + std::to_string(index), std::forward<Job>(job));
  }

  /// `pool` is trimmed behind the prompts: their blocks are too large for single tokens.
  void run_steps(MemoryPool& pool) {
    std::vector<Sequence*> running, reading;
    for (std::size_t i = 0; i < sequences_.size(); ++i) {
      if (sequences_[i].finished()) continue;
      about(i, [&] { sequences_[i].begin(); });
      running.push_back(&sequences_[i]);
    }
    // All prompts first, and then all go on together.
    for (reading = running; !running.empty();) {
      const bool prompts = !reading.empty();
      std::erase_if(reading, [](const Sequence* sequence) { return !sequence->reading(); });
      if (prompts && reading.empty()) pool.trim();
      steps_.run(reading.empty() ? running : reading, options_.prefill_chunk, cancel_);
      rethrow_failure();
      for (Sequence* sequence : running)
        if (sequence->finished()) sequence->end();
      std::erase_if(running, [](const Sequence* sequence) { return sequence->finished(); });
    }
  }

  void rethrow_failure() const {
    for (std::size_t i = 0; i < sequences_.size(); ++i)
      if (sequences_[i].failure) about(i, [&] { std::rethrow_exception(sequences_[i].failure); });
  }

  model::Steps steps_;
  const GenerateOptions& options_;
  model::CancelToken cancel_;
  bool named_;
  std::deque<Sequence> sequences_;  // which stay where they are
};

}  // namespace

GenerateResult Model::generate(const ModelInput& input, const GenerateOptions& options) const {
  return std::move(Generation(*impl_, {&input, 1}, options, false).run().front());
}

std::vector<GenerateResult> Model::generate(std::span<const ModelInput> inputs, const GenerateOptions& options) const {
  if (inputs.empty())
    throw Error(ErrorCode::invalid_argument, "generate: the batch is empty: give at least one prompt");
  if (options.on_token)
    throw Error(ErrorCode::invalid_argument,
                "generate: on_token does not tell the sequences of a batch apart: set on_event instead");
  return Generation(*impl_, inputs, options, true).run();
}

}  // namespace octavo
