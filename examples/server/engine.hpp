// The model's one thread: answers what waits, oldest first, and lets connections watch.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <octavo/model.hpp>
#include <optional>
#include <thread>

#include "answer.hpp"
#include "metrics.hpp"

namespace server {

class Engine {
 public:
  /// `model` and `metrics` must outlive it.
  Engine(const octavo::Model& model, std::size_t max_running, std::size_t max_waiting, Metrics& metrics);
  ~Engine();  ///< gives up what still runs

  /// A request's right to be answered, held from before its pictures are decoded: whoever gets none is sent away at
  /// once, and cheaply.
  class Place {
   public:
    explicit Place(Engine& engine) noexcept : engine_(&engine) {}
    Place(Place&& other) noexcept : engine_(std::exchange(other.engine_, nullptr)) {}
    Place& operator=(Place&&) = delete;
    ~Place();

   private:
    Engine* engine_;
  };
  /// Absent when max_running + max_waiting requests have one.
  std::optional<Place> find_place();
  /// @param options  Without callbacks.
  std::shared_ptr<Answer> submit(Place place, octavo::ModelInput input, octavo::GenerateOptions options);

  /// Whether no request has a place any more, after `patience` at most.
  bool wait_until_idle(std::chrono::milliseconds patience);

 private:
  struct Job;
  void run();
  void answer(Job& job);

  const octavo::Model& model_;
  const std::size_t max_places_;
  Metrics& metrics_;
  std::mutex mutex_;
  std::condition_variable work_, idle_;
  std::deque<std::unique_ptr<Job>> waiting_;
  std::size_t places_ = 0;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace server
