// The output directories and files that this process is writing, in a form that a signal handler may read.
#pragma once

#include <atomic>
#include <string>

namespace octavo::checkpoint_detail {

/// Names one directory, open as `descriptor`, or one file, of descriptor -1, while it lives. Where very many are being
/// written at once, the last ones are not named. Neither path nor descriptor may change meanwhile.
class Unfinished {
 public:
  Unfinished() = default;
  Unfinished(const Unfinished&) = delete;
  Unfinished& operator=(const Unfinished&) = delete;
  ~Unfinished() { forget(); }
  void name(const std::string& path, int descriptor) noexcept;
  void forget() noexcept;

 private:
  struct Entry {
    std::atomic<const char*> path{nullptr};
    std::atomic<int> descriptor{-1};
    std::atomic<bool> taken{false};
  };
  friend void remove_all_unfinished() noexcept;
  static Entry entries[16];
  Entry* entry_ = nullptr;
};

void remove_all_unfinished() noexcept;

}  // namespace octavo::checkpoint_detail
