#include <atomic>
#include <string_view>

#include "amx.hpp"
#include "kernels.hpp"
#include "octavo/detail/cpu.hpp"

namespace octavo::attention_kernels {

namespace {

const Kernels* usable(std::string_view name) noexcept {
  if (name == "amx") return detail::has_amx_bf16() && detail::has_avx512_bf16() ? amx_kernels() : nullptr;
  if (name == "avx512") return detail::has_avx512() ? avx512_kernels() : nullptr;
  if (name == "avx2") return detail::has_avx2() ? avx2_kernels() : nullptr;
  return name == "portable" ? portable_kernels() : nullptr;
}

std::atomic<const Kernels*> forced{nullptr};

}  // namespace

const Kernels* amx_kernels() noexcept {
  static const Kernels table = [] {
    Kernels made = avx512_kernels() != nullptr ? *avx512_kernels() : Kernels{};
    made.name = "amx";
    made.exact = amx_exact();
    made.rounded = amx_rounded();
    return made;
  }();
  return avx512_kernels() != nullptr && table.exact != nullptr ? &table : nullptr;
}

const Kernels& best_kernels() noexcept {
  static const Kernels& best = [&]() -> const Kernels& {
    for (const char* name : {"amx", "avx512", "avx2"})
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
