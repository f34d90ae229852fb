// Four floats at a time, as the compiler's vector extension (GCC and Clang) maps them to SSE, NEON or single floats.
#include "kernels.hpp"
#include "loops.hpp"

namespace octavo::attention_kernels {

namespace {

struct Portable {
  using Vector = float __attribute__((vector_size(16)));
  using Unsigned = std::uint32_t __attribute__((vector_size(16)));
  static constexpr int kLanes = 4, kRows = 4, kVectors = 2;

  static Vector load(const float* from) {
    Vector v;
    __builtin_memcpy(&v, from, sizeof v);
    return v;
  }
  static void store(float* to, Vector v) { __builtin_memcpy(to, &v, sizeof v); }
  static Vector broadcast(float value) { return Vector{value, value, value, value}; }
  static Vector zero() { return Vector{}; }
  static Vector add(Vector a, Vector b) { return a + b; }
  static Vector subtract(Vector a, Vector b) { return a - b; }
  static Vector multiply(Vector a, Vector b) { return a * b; }
  static Vector multiply_add(Vector a, Vector b, Vector c) { return a * b + c; }
  static float multiply_add_one(float a, float b, float c) { return a * b + c; }
  static Vector larger(Vector x, Vector kept) { return x > kept ? x : kept; }
  static float largest_of(Vector v) {
    float most = v[0];
    for (int i = 1; i < kLanes; ++i) most = v[i] > most ? v[i] : most;
    return most;
  }
  static Vector power_of_two(Vector shifted) {
    const Unsigned n = reinterpret_cast<Unsigned>(shifted) << 23U;
    return reinterpret_cast<Vector>(n + 0x3F800000U);
  }
  static Vector zero_below(Vector y, Vector x, Vector bound) { return x < bound ? zero() : y; }
  static Vector widen(const std::uint16_t* from) {
    return reinterpret_cast<Vector>(Unsigned{from[0], from[1], from[2], from[3]} << 16U);
  }
  static Vector widen(const std::int8_t* from) {
    return Vector{static_cast<float>(from[0]), static_cast<float>(from[1]), static_cast<float>(from[2]),
                  static_cast<float>(from[3])};
  }
  static void transpose(const float* const* rows, std::int64_t c, float* to, float scale) {
    for (int i = 0; i < 4; ++i)
      for (int r = 0; r < kLanes; ++r) to[(c + i) * kLanes + r] = scale * rows[r][c + i];
  }
};

constexpr Kernels kTable = table<Portable>("portable");

}  // namespace

const Kernels* portable_kernels() noexcept { return &kTable; }

}  // namespace octavo::attention_kernels
