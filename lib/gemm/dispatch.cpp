// The table of int8 backends, best first, the reference last; and the test that lets one in.
#include <array>
#include <cstdlib>
#include <mutex>

#include "backend.hpp"
#include "choice.hpp"

namespace octavo {

namespace gemm {

namespace {

constexpr std::array<const Backend*, 7> kTable{&kAmxInt8Backend, &kAvx512VnniBackend, &kAvxVnniBackend, &kAvx512Backend,
                                               &kOneDnnBackend,  &kAvx2Backend,       &kPortableBackend};

// Exact at the extremes? Without VNNI an s8 x s8 product may saturate pairs of sums at 127 * 127 * 2.
std::string why_not(const Backend& backend) {
  if (&backend == &kPortableBackend) return "";
  if (!backend.runs_here()) return "this processor lacks its instructions";
  try {
    for (const std::int64_t k :
         {std::int64_t{7}, std::int64_t{64}, std::int64_t{515}, std::int64_t{1024}, std::int64_t{29567}}) {
      constexpr std::int64_t kRows = 3;
      constexpr std::int64_t kColumns = 33;
      static constexpr std::array<std::int8_t, 6> kValues{127, -128, -127, 127, 1, -128};
      std::vector<std::int8_t> a(static_cast<std::size_t>(kRows * k)), w(static_cast<std::size_t>(kColumns * k));
      for (std::size_t i = 0; i < a.size(); ++i) a[i] = kValues[(i * i / 3) % kValues.size()];
      for (std::size_t i = 0; i < w.size(); ++i) w[i] = kValues[(i / 5 + i * 7) % kValues.size()];
      for (std::int64_t i = 0; i < k; ++i) a[static_cast<std::size_t>(i)] = w[static_cast<std::size_t>(i)] = 127;
      std::vector<std::int32_t> expected(static_cast<std::size_t>(kRows * kColumns)), actual(expected.size());
      kPortableBackend.pack(w.data(), kColumns, k)->multiply(a.data(), kRows, expected.data());
      for (const std::int64_t rows : {kRows, std::int64_t{1}}) {
        backend.pack(w.data(), kColumns, k)->multiply(a.data(), rows, actual.data());
        for (std::size_t i = 0; i < static_cast<std::size_t>(rows * kColumns); ++i)
          if (k <= backend.exact_k ? actual[i] != expected[i]
                                   : static_cast<float>(actual[i]) != static_cast<float>(expected[i]))
            return "inexact on this CPU: " + std::to_string(actual[i]) + " where " + std::to_string(expected[i]) +
                   " is right";
      }
    }
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

// Tested when first asked for: oneDNN takes tenths of a second to make its primitives, and is rarely the one chosen.
const BackendInfo& info_of(std::size_t index) {
  static std::array<std::once_flag, kTable.size()> once;
  static std::array<BackendInfo, kTable.size()> table;
  std::call_once(once[index], [index] {
    const Backend& backend = *kTable[index];
    const std::string reason = why_not(backend);
    table[index] = {backend.name, reason.empty(), reason.empty() ? backend.detail : reason};
  });
  return table[index];
}

std::mutex forced_mutex;
std::string forced_name;

std::string wanted_name(std::string_view name) {
  if (!name.empty()) return std::string(name);
  {
    const std::lock_guard<std::mutex> lock(forced_mutex);
    if (!forced_name.empty()) return forced_name;
  }
  const char* environment = std::getenv("OCTAVO_INT8_BACKEND");
  return environment == nullptr ? "" : environment;
}

}  // namespace

const Backend& choose_backend(std::string_view name) {
  const std::string wanted = wanted_name(name);
  std::string known;
  for (std::size_t i = 0; i < kTable.size(); ++i) {
    known += (known.empty() ? "" : ", ") + std::string(kTable[i]->name);
    if (!wanted.empty() && wanted != kTable[i]->name) continue;
    const BackendInfo& info = info_of(i);
    if (info.available) return *kTable[i];
    if (!wanted.empty())
      throw Error(ErrorCode::unsupported, "int8 backend " + wanted + " is not available here: " + info.detail);
  }
  throw Error(ErrorCode::invalid_argument, "there is no int8 backend \"" + wanted + "\"; known are " + known);
}

std::vector<BackendInfo> best_int8_backends() {
  std::vector<BackendInfo> table;
  while (table.empty() || !table.back().available) table.push_back(info_of(table.size()));  // the reference always is
  return table;
}

}  // namespace gemm

std::vector<BackendInfo> int8_backends() {
  std::vector<BackendInfo> table;
  for (std::size_t i = 0; i < gemm::kTable.size(); ++i) table.push_back(gemm::info_of(i));
  return table;
}

std::string int8_backend_in_use() { return gemm::choose_backend("").name; }

void force_int8_backend(std::string_view name) {
  if (!name.empty()) gemm::choose_backend(name);
  const std::lock_guard<std::mutex> lock(gemm::forced_mutex);
  gemm::forced_name = std::string(name);
}

}  // namespace octavo
