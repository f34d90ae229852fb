// The one thread that runs the model: all answers are one batch, which requests join, oldest first, and leave.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <octavo/model.hpp>
#include <octavo/running_batch.hpp>
#include <optional>
#include <thread>
#include <utility>

#include "answer.hpp"
#include "metrics.hpp"

namespace server {

class Engine {
 public:
  /// `model` and `metrics` must outlive it.
  Engine(const octavo::Model& model, std::size_t max_running, std::size_t max_waiting, Metrics& metrics);
  ~Engine() { stop(); }
  /// Ends the thread; answers that are not complete fail with 503, those of later requests, too.
  void stop();

  /// A request's right to be answered, held from before its pictures are decoded: whoever gets none is sent away at
  /// once, and cheaply.
  class Place {
   public:
    explicit Place(Engine& engine) noexcept : engine_(&engine) {}
    Place(Place&& other) noexcept : engine_(std::exchange(other.engine_, nullptr)) {}
    Place& operator=(Place&& other) noexcept {
      std::swap(engine_, other.engine_);
      return *this;
    }
    ~Place();

   private:
    Engine* engine_;
  };
  /// Absent when max_running + max_waiting requests have one.
  std::optional<Place> find_place();
  /// @param options  Without callbacks.
  std::shared_ptr<Answer> submit(Place place, octavo::ModelInput input, octavo::GenerateOptions options);

 private:
  struct Job {
    Place place;
    octavo::ModelInput input;
    octavo::GenerateOptions options;
    std::shared_ptr<Answer> answer;
  };
  using Jobs = std::map<octavo::RunningBatch::Id, Job>;

  void run();
  void run_until_failure();
  bool admit(octavo::RunningBatch& batch, Jobs& running);
  void drop_abandoned(octavo::RunningBatch& batch, Jobs& running);
  void step(octavo::RunningBatch& batch, Jobs& running);

  const octavo::Model& model_;
  const std::size_t max_running_, max_places_;
  Metrics& metrics_;
  std::mutex mutex_;
  std::condition_variable work_;
  std::deque<Job> waiting_;
  std::size_t places_ = 0;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace server
