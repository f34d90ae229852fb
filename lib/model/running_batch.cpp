#include "octavo/running_batch.hpp"

#include <algorithm>
#include <atomic>
#include <exception>
#include <iterator>
#include <list>
#include <new>
#include <span>
#include <string>
#include <utility>

#include "octavo/cancel.hpp"
#include "octavo/memory_pool.hpp"
#include "steps.hpp"

namespace octavo {
namespace {

using model::Sequence;

struct Member {
  Member(const Model::Impl& model, RunningBatch::Id at, ModelInput prompt, GenerateOptions how)
      : id(at), input(std::move(prompt)), options(std::move(how)), sequence(model, input, options, id) {}
  RunningBatch::Id id;
  ModelInput input;
  GenerateOptions options;
  Sequence sequence;  // refers to input and options
};

Error error_of(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const Error& error) {
    return error;
  } catch (const std::bad_alloc&) {
    return {ErrorCode::out_of_memory, "out of memory"};
  } catch (const std::exception& error) {
    return {ErrorCode::cancelled, std::string("a callback threw: ") + error.what()};
  } catch (...) {
    return {ErrorCode::cancelled, "a callback threw"};
  }
}

/// Whether it is the step that was to end, by its thread's CancelScope, and no sequence.
bool ends_step(const Error& error) noexcept { return error.code() == ErrorCode::cancelled && cancel_requested(); }

/// What `job` throws ends the sequence: as cancelled where the caller wanted that, else as its failure.
/// @throws Error  cancelled, where the step ends.
template <class Job>
void ending(Sequence& sequence, Job&& job) {
  try {
    job();
  } catch (const Error& error) {
    if (ends_step(error)) throw;
    if (sequence.cancelled_by(error))
      sequence.cancel();
    else
      sequence.failure = std::current_exception();
  } catch (...) {
    sequence.failure = std::current_exception();
  }
}

void require_positive(const char* name, std::int64_t value) {
  if (value < 1)
    throw Error(ErrorCode::invalid_argument,
                std::string("running batch: ") + name + " is " + std::to_string(value) + ", it must be at least 1");
}

}  // namespace

struct RunningBatch::Impl {
  Impl(std::shared_ptr<const Model::Impl> opened, const RunningBatchOptions& asked)
      : model(std::move(opened)), options(asked), steps(*model->runtime) {}

  std::shared_ptr<const Model::Impl> model;
  RunningBatchOptions options;
  model::Steps steps;
  MemoryPool pool;
  std::list<Member> members;  // in the order in which they joined: the first max_sequences run
  std::vector<Sequence*> running;
  Id last_id = 0;
  bool stepping = false;

  void refuse_within_step(const char* what) const {
    if (stepping)
      throw Error(ErrorCode::invalid_argument, std::string("running batch: ") + what +
                                                   " was called by a callback of step(): call it between two steps; "
                                                   "a callback ends its own sequence by returning false");
  }

  std::list<Member>::iterator end_of_turn() {
    return std::next(members.begin(), std::min(static_cast<std::ptrdiff_t>(members.size()),
                                               static_cast<std::ptrdiff_t>(options.max_sequences)));
  }

  /// Begins whose turn it is, and finds who runs.
  void begin() {
    for (Member& member : members)
      if (member.options.cancel != nullptr && member.options.cancel->load(std::memory_order_relaxed))
        member.sequence.cancel();
    running.clear();
    bool looked = false;  // at pictures
    for (auto member = members.begin(); member != end_of_turn(); ++member) {
      Sequence& sequence = member->sequence;
      if (!sequence.finished() && !sequence.begun()) {
        if (looked && !member->input.images.empty()) continue;
        looked = looked || !member->input.images.empty();
        ending(sequence, [&] { sequence.begin(); });
      }
      if (!sequence.finished()) running.push_back(&sequence);
    }
  }

  /// Where all together fail, each for itself does or does not.
  void run(std::span<Sequence* const> sequences) {
    if (sequences.size() == 1) {
      Sequence& only = *sequences.front();
      ending(only, [&] { steps.run(sequences, options.prompt_tokens, only.cancel_token()); });
      return;
    }
    try {
      return steps.run(sequences, options.prompt_tokens, model::CancelToken());
    } catch (const Error& error) {
      if (ends_step(error)) throw;
      run_each(sequences);
    } catch (...) {
      run_each(sequences);
    }
  }

  void run_each(std::span<Sequence* const> sequences) {
    for (std::size_t i = 0; i < sequences.size(); ++i) run(sequences.subspan(i, 1));
  }

  std::vector<Finished> take_finished() {
    std::vector<Finished> finished;
    for (auto member = members.begin(); member != members.end();) {
      Sequence& sequence = member->sequence;
      if (!sequence.finished()) {
        ++member;
        continue;
      }
      sequence.end();
      Finished one{member->id, std::move(sequence.answer.result), {}};
      if (sequence.failure)
        one.error = error_of(sequence.failure);
      else
        model::place_boxes(one.result, member->options);
      finished.push_back(std::move(one));
      member = members.erase(member);
    }
    // Blocks of prompts among them: the next ones may be of other sizes.
    if (!finished.empty()) pool.trim();
    return finished;
  }
};

RunningBatch::RunningBatch(const Model& model, const RunningBatchOptions& options) {
  require_positive("max_sequences", options.max_sequences);
  require_positive("prompt_tokens", options.prompt_tokens);
  impl_ = std::make_unique<Impl>(model.impl_, options);
}

RunningBatch::~RunningBatch() = default;
RunningBatch::RunningBatch(RunningBatch&& other) noexcept = default;
RunningBatch& RunningBatch::operator=(RunningBatch&& other) noexcept = default;

RunningBatch::Id RunningBatch::join(ModelInput input, GenerateOptions options) {
  impl_->refuse_within_step("join");
  model::check_options(options);
  impl_->members.emplace_back(*impl_->model, impl_->last_id + 1, std::move(input), std::move(options));
  return ++impl_->last_id;
}

void RunningBatch::leave(Id id) {
  impl_->refuse_within_step("leave");
  const auto found =
      std::find_if(impl_->members.begin(), impl_->members.end(), [&](const Member& member) { return member.id == id; });
  if (found == impl_->members.end())
    throw Error(ErrorCode::not_found, "running batch: sequence " + std::to_string(id) +
                                          " is not in it: it has finished or left, or never joined");
  found->sequence.end();
  impl_->members.erase(found);
  impl_->pool.trim();
}

std::vector<RunningBatch::Finished> RunningBatch::step() {
  impl_->refuse_within_step("step");
  const MemoryPoolScope scope(impl_->pool);
  impl_->stepping = true;
  try {
    impl_->begin();
    if (!impl_->running.empty()) impl_->run(impl_->running);
    impl_->stepping = false;
    return impl_->take_finished();
  } catch (...) {
    impl_->stepping = false;
    throw;
  }
}

std::size_t RunningBatch::size() const noexcept { return impl_->members.size(); }

std::size_t RunningBatch::waiting() const noexcept {
  return static_cast<std::size_t>(std::count_if(impl_->members.begin(), impl_->members.end(),
                                                [](const Member& member) { return !member.sequence.begun(); }));
}

}  // namespace octavo
