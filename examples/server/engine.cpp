#include "engine.hpp"

#include <utility>

namespace server {

struct Engine::Job {
  Place place;
  octavo::ModelInput input;
  octavo::GenerateOptions options;
  std::shared_ptr<Answer> answer;
};

Engine::Engine(const octavo::Model& model, std::size_t max_running, std::size_t max_waiting, Metrics& metrics)
    : model_(model), max_places_(max_running + max_waiting), metrics_(metrics), thread_([this] { run(); }) {}

Engine::~Engine() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    work_.notify_one();
  }
  thread_.join();
}

Engine::Place::~Place() {
  if (engine_ == nullptr) return;
  const std::lock_guard lock(engine_->mutex_);
  if (--engine_->places_ == 0) engine_->idle_.notify_all();
}

std::optional<Engine::Place> Engine::find_place() {
  const std::lock_guard lock(mutex_);
  if (places_ == max_places_) return std::nullopt;
  ++places_;
  return std::optional<Place>(std::in_place, *this);
}

std::shared_ptr<Answer> Engine::submit(Place place, octavo::ModelInput input, octavo::GenerateOptions options) {
  auto answer = std::make_shared<Answer>();
  options.on_token = [answer = answer.get()](std::int32_t, std::string_view text) {
    answer->add(text);
    return !answer->is_abandoned();
  };
  auto job = std::make_unique<Job>(Job{std::move(place), std::move(input), std::move(options), answer});
  const std::lock_guard lock(mutex_);
  waiting_.push_back(std::move(job));
  metrics_.waiting = static_cast<std::int64_t>(waiting_.size());
  work_.notify_one();
  return answer;
}

bool Engine::wait_until_idle(std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  return idle_.wait_for(lock, patience, [&] { return places_ == 0; });
}

void Engine::run() {
  for (;;) {
    std::unique_ptr<Job> job;
    {
      std::unique_lock lock(mutex_);
      work_.wait(lock, [&] { return stopping_ || !waiting_.empty(); });
      if (stopping_) return;
      job = std::move(waiting_.front());
      waiting_.pop_front();
      metrics_.waiting = static_cast<std::int64_t>(waiting_.size());
      metrics_.running = 1;
    }
    answer(*job);
    metrics_.running = 0;
  }
}

void Engine::answer(Job& job) {
  if (job.answer->is_abandoned()) {
    ++metrics_.abandoned;
    return;
  }
  try {
    octavo::GenerateResult result = model_.generate(job.input, job.options);
    metrics_.prompt_tokens += static_cast<std::uint64_t>(result.prompt_tokens);
    metrics_.reused_tokens += static_cast<std::uint64_t>(result.reused_tokens);
    metrics_.generated_tokens += result.tokens.size();
    if (job.answer->is_abandoned()) ++metrics_.abandoned;
    job.answer->complete(std::move(result));
  } catch (...) {
    job.answer->fail(std::current_exception());
  }
}

}  // namespace server
