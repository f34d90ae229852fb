#include <atomic>
#include <string_view>

#include "kernels.hpp"

namespace octavo::attention_kernels {

namespace {

// The compiler's check includes that the operating system saves the registers.
#if defined(__x86_64__) && defined(__GNUC__)
bool runs_avx2() noexcept { return __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0; }
bool runs_avx512() noexcept {
  return __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
         __builtin_cpu_supports("avx512vl") != 0 && __builtin_cpu_supports("avx512dq") != 0;
}
#else
bool runs_avx2() noexcept { return false; }
bool runs_avx512() noexcept { return false; }
#endif

const Kernels* usable(std::string_view name) noexcept {
  if (name == "avx512") return runs_avx512() ? avx512_kernels() : nullptr;
  if (name == "avx2") return runs_avx2() ? avx2_kernels() : nullptr;
  return name == "portable" ? portable_kernels() : nullptr;
}

std::atomic<const Kernels*> forced{nullptr};

}  // namespace

const Kernels& best_kernels() noexcept {
  static const Kernels& best = [&]() -> const Kernels& {
    for (const char* name : {"avx512", "avx2"})
      if (const Kernels* found = usable(name)) return *found;
    return *portable_kernels();
  }();
  return best;
}

const Kernels& kernels() noexcept {
  const Kernels* chosen = forced.load(std::memory_order_relaxed);
  return chosen != nullptr ? *chosen : best_kernels();
}

bool force_kernels(const char* name) noexcept {
  const std::string_view wanted(name);
  const Kernels* found = wanted.empty() ? nullptr : usable(wanted);
  if (found == nullptr && !wanted.empty()) return false;
  forced.store(found, std::memory_order_relaxed);
  return true;
}

}  // namespace octavo::attention_kernels
