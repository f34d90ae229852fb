#include "answer.hpp"

#include <utility>

namespace server {

void Answer::add(const octavo::TokenEvent& event) {
  const std::lock_guard lock(mutex_);
  started_ = true;
  text_ += event.text;
  if (event.log_probs != nullptr) {
    scores_.ids.push_back(event.id);
    scores_.log_probs.push_back(*event.log_probs);
  }
  changed_.notify_one();
}

void Answer::complete(octavo::GenerateResult result) {
  const std::lock_guard lock(mutex_);
  result_ = std::move(result);
  started_ = done_ = true;
  changed_.notify_one();
}

void Answer::fail(std::exception_ptr failure) {
  const std::lock_guard lock(mutex_);
  failure_ = std::move(failure);
  changed_.notify_one();
}

Answer::News Answer::wait(std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, patience, [&] { return !text_.empty() || done_ || failure_; });
  if (failure_) std::rethrow_exception(failure_);
  return {std::exchange(text_, {}), std::exchange(scores_, {}), started_, done_};
}

}  // namespace server
