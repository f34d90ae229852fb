#include "engine.hpp"

#include <algorithm>
#include <iterator>

#include "http_error.hpp"

namespace server {
namespace {

std::exception_ptr ending() { return std::make_exception_ptr(HttpError(503, "the server is about to end")); }

octavo::RunningBatchOptions batch_options(std::size_t max_running) {
  octavo::RunningBatchOptions options;
  options.max_sequences = static_cast<std::int64_t>(max_running);
  return options;
}

}  // namespace

Engine::Engine(const octavo::Model& model, std::size_t max_running, std::size_t max_waiting, Metrics& metrics)
    : model_(model),
      max_running_(max_running),
      max_places_(max_running + max_waiting),
      metrics_(metrics),
      thread_([this] { run(); }) {}

void Engine::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    work_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

Engine::Place::~Place() {
  if (engine_ == nullptr) return;
  const std::lock_guard lock(engine_->mutex_);
  --engine_->places_;
}

std::optional<Engine::Place> Engine::find_place() {
  const std::lock_guard lock(mutex_);
  if (places_ == max_places_) return std::nullopt;
  ++places_;
  return std::optional<Place>(std::in_place, *this);
}

std::shared_ptr<Answer> Engine::submit(Place place, octavo::ModelInput input, octavo::GenerateOptions options) {
  auto answer = std::make_shared<Answer>();
  options.on_event = [answer = answer.get()](const octavo::TokenEvent& event) {
    answer->add(event);
    return true;
  };
  Job job{std::move(place), std::move(input), std::move(options), answer};
  const std::lock_guard lock(mutex_);
  if (stopping_) {
    answer->fail(ending());
  } else {
    waiting_.push_back(std::move(job));
    metrics_.waiting = static_cast<std::int64_t>(waiting_.size());
    work_.notify_one();
  }
  return answer;
}

void Engine::run() {
  for (bool stopping = false; !stopping;) {
    run_until_failure();
    const std::lock_guard lock(mutex_);
    stopping = stopping_;
  }
  std::deque<Job> left;  // let go without the lock, which places take
  {
    const std::lock_guard lock(mutex_);
    left.swap(waiting_);
  }
  for (Job& job : left) job.answer->fail(ending());
  metrics_.waiting = 0;
}

/// Until the engine stops, or a step fails as a whole (no memory): then what runs fails, and a new batch begins.
void Engine::run_until_failure() {
  octavo::RunningBatch batch(model_, batch_options(max_running_));
  Jobs running;
  std::exception_ptr failure = ending();
  try {
    while (admit(batch, running)) {
      drop_abandoned(batch, running);
      step(batch, running);
      metrics_.running = static_cast<std::int64_t>(running.size());
    }
  } catch (...) {
    failure = std::current_exception();
  }
  for (auto& [id, job] : running) job.answer->fail(failure);
  metrics_.running = 0;
}

/// Waits for work, and lets into the batch what has room there. False: the engine stops.
bool Engine::admit(octavo::RunningBatch& batch, Jobs& running) {
  std::deque<Job> joining;
  {
    std::unique_lock lock(mutex_);
    work_.wait(lock, [&] { return stopping_ || !running.empty() || !waiting_.empty(); });
    if (stopping_) return false;
    while (!waiting_.empty() && running.size() + joining.size() < max_running_) {
      joining.push_back(std::move(waiting_.front()));
      waiting_.pop_front();
    }
    metrics_.waiting = static_cast<std::int64_t>(waiting_.size());
  }
  for (Job& job : joining) {
    try {
      const auto id = batch.join(std::move(job.input), std::move(job.options));
      running.emplace(id, std::move(job));
    } catch (...) {  // of this prompt alone
      job.answer->fail(std::current_exception());
    }
  }
  metrics_.running = static_cast<std::int64_t>(running.size());
  return true;
}

void Engine::drop_abandoned(octavo::RunningBatch& batch, Jobs& running) {
  for (auto job = running.begin(); job != running.end();) {
    if (!job->second.answer->is_abandoned()) {
      ++job;
      continue;
    }
    batch.leave(job->first);
    job = running.erase(job);
    ++metrics_.abandoned;
  }
  std::deque<Job> gone;
  const std::lock_guard lock(mutex_);
  const auto kept = std::stable_partition(waiting_.begin(), waiting_.end(),
                                          [](const Job& job) { return !job.answer->is_abandoned(); });
  std::move(kept, waiting_.end(), std::back_inserter(gone));
  waiting_.erase(kept, waiting_.end());
  metrics_.abandoned += gone.size();
  metrics_.waiting = static_cast<std::int64_t>(waiting_.size());
}

void Engine::step(octavo::RunningBatch& batch, Jobs& running) {
  if (running.empty()) return;
  for (octavo::RunningBatch::Finished& finished : batch.step()) {
    const auto job = running.find(finished.id);
    metrics_.prompt_tokens += static_cast<std::uint64_t>(finished.result.prompt_tokens);
    metrics_.reused_tokens += static_cast<std::uint64_t>(finished.result.reused_tokens);
    metrics_.generated_tokens += finished.result.tokens.size();
    if (finished.error)
      job->second.answer->fail(std::make_exception_ptr(*finished.error));
    else
      job->second.answer->complete(std::move(finished.result));
    running.erase(job);
  }
  ++metrics_.steps;
}

}  // namespace server
