// The table of engines of float products.
#include <array>
#include <atomic>
#include <cstdlib>

#include "choice.hpp"
#include "kernels/cpu.hpp"
#include "kernels/float_product.hpp"

namespace octavo {

namespace gemm {

namespace {

struct Engine {
  FloatEngine engine;
  const char* name;
  const char* detail;
  bool (*runs_here)() noexcept;
};

constexpr std::array<Engine, 5> kEngines{
    Engine{FloatEngine::amx_bf16, "amx_bf16", "AMX for weights in bf16 and int8, AVX-512 for the others", has_amx_bf16},
    Engine{FloatEngine::avx512_bf16, "avx512_bf16", "AVX-512 multiply-adds, AVX512-BF16 for bf16 math",
           has_avx512_bf16},
    Engine{FloatEngine::avx512, "avx512", "AVX-512 multiply-adds", has_avx512},
    Engine{FloatEngine::avx2, "avx2", "AVX2 multiply-adds over widened weights", has_avx2},
    Engine{FloatEngine::portable, "portable", "vectors of four floats, for any processor",
           []() noexcept { return true; }}};

std::atomic<const Engine*> forced{nullptr};

const Engine& engine_named(std::string_view name) {
  std::string known;
  for (const Engine& engine : kEngines) {
    if (name == engine.name) {
      if (engine.runs_here()) return engine;
      throw Error(ErrorCode::unsupported, "float backend " + std::string(name) +
                                              " is not available here: this processor lacks its instructions");
    }
    known += (known.empty() ? "" : ", ") + std::string(engine.name);
  }
  throw Error(ErrorCode::invalid_argument,
              "there is no float backend \"" + std::string(name) + "\"; known are " + known);
}

const Engine& best_engine() {
  for (const Engine& engine : kEngines)
    if (engine.runs_here()) return engine;
  return kEngines.back();
}

}  // namespace

FloatEngine chosen_float_engine() {
  if (const Engine* engine = forced) return engine->engine;
  static const Engine& best = best_engine();
  if (const char* environment = std::getenv("OCTAVO_FLOAT_BACKEND"); environment != nullptr && *environment != '\0')
    return engine_named(environment).engine;
  return best.engine;
}

std::string float_backend_in_use() {
  const FloatEngine chosen = chosen_float_engine();
  for (const Engine& engine : kEngines)
    if (engine.engine == chosen) return engine.name;
  return kEngines.back().name;
}

}  // namespace gemm

std::vector<BackendInfo> float_backends() {
  std::vector<BackendInfo> table;
  for (const gemm::Engine& engine : gemm::kEngines) {
    const bool available = engine.runs_here();
    table.push_back({engine.name, available, available ? engine.detail : "this processor lacks its instructions"});
  }
  return table;
}

void force_float_backend(std::string_view name) { gemm::forced = name.empty() ? nullptr : &gemm::engine_named(name); }

}  // namespace octavo
