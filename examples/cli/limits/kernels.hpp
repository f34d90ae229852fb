// The loops that limits.cpp times, one file per instruction set; a file is run only where the processor and the
// operating system have what it was compiled for. These files include nothing with inline functions, so that no code
// compiled for a lesser processor is replaced by theirs when the program is linked.
#pragma once

#include <cstddef>
#include <cstdint>

#if defined(__x86_64__) && defined(__GNUC__)
#define OCTAVO_LIMITS_X86 1
#endif

namespace limits {

/// `rounds` times a fixed number of independent multiply-adds, or exps, in registers.
using Registers = void (*)(std::int64_t rounds);
/// Reads every byte; `bytes` is a multiple of 512.
using Read = void (*)(const std::byte* memory, std::size_t bytes);

// exp in as few operations as give it about float32's precision: x log2(e) is n + f with a whole n and |f| <= 1/2;
// 2^f is a polynomial of degree 5 (through 2^f at the six Chebyshev nodes; largest relative error 2.2e-7), to whose
// exponent n is added.
constexpr float kLog2E = 1.44269504F, kRounder = 12582912.0F;  // 1.5 * 2^23: adding it rounds to whole numbers
constexpr float kExp2[6] = {1.00000012F, 0.693147182F, 0.240221068F, 0.0555035695F, 0.00967603177F, 0.00133908633F};

// Operations of one round; a multiply-add is two.
constexpr double kPortableF32Ops = 2 * 32, kPortableExps = 32;
void portable_f32(std::int64_t rounds);
void portable_exp(std::int64_t rounds);
void portable_read(const std::byte* memory, std::size_t bytes);

#ifdef OCTAVO_LIMITS_X86
constexpr double kAvx2F32Ops = 12 * 2 * 8, kAvx2Int8Ops = 12 * 2 * 32, kAvx2Exps = 4 * 8;
void avx2_f32(std::int64_t rounds);   // with FMA
void avx2_int8(std::int64_t rounds);  // vpmaddubsw, vpmaddwd, vpaddd
void avx2_exp(std::int64_t rounds);
void avx2_read(const std::byte* memory, std::size_t bytes);

constexpr double kAvx512F32Ops = 24 * 2 * 16, kAvx512Exps = 8 * 16;
void avx512_f32(std::int64_t rounds);
void avx512_exp(std::int64_t rounds);
void avx512_read(const std::byte* memory, std::size_t bytes);

constexpr double kVnniOps = 24 * 2 * 64;
void avx512_vnni_int8(std::int64_t rounds);

constexpr double kAvxVnniOps = 12 * 2 * 32;
void avx_vnni_int8(std::int64_t rounds);

constexpr double kAvx512Bf16Ops = 24 * 2 * 32;
void avx512_bf16(std::int64_t rounds);

constexpr double kAmxInt8Ops = 4 * 2 * 16 * 16 * 64, kAmxBf16Ops = 4 * 2 * 16 * 16 * 32;
void amx_int8(std::int64_t rounds);
void amx_bf16(std::int64_t rounds);
#endif

}  // namespace limits
