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

/// `rounds` times a fixed number of independent multiply-adds in registers.
using MultiplyAdds = void (*)(std::int64_t rounds);
/// Reads every byte; `bytes` is a multiple of 512.
using Read = void (*)(const std::byte* memory, std::size_t bytes);

// Operations of one round; a multiply-add is two.
constexpr double kPortableF32Ops = 2 * 32;
void portable_f32(std::int64_t rounds);
void portable_read(const std::byte* memory, std::size_t bytes);

#ifdef OCTAVO_LIMITS_X86
constexpr double kAvx2F32Ops = 12 * 2 * 8, kAvx2Int8Ops = 12 * 2 * 32;
void avx2_f32(std::int64_t rounds);   // with FMA
void avx2_int8(std::int64_t rounds);  // vpmaddubsw, vpmaddwd, vpaddd
void avx2_read(const std::byte* memory, std::size_t bytes);

constexpr double kAvx512F32Ops = 24 * 2 * 16;
void avx512_f32(std::int64_t rounds);
void avx512_read(const std::byte* memory, std::size_t bytes);

constexpr double kVnniOps = 24 * 2 * 64;
void avx512_vnni_int8(std::int64_t rounds);

constexpr double kAvx512Bf16Ops = 24 * 2 * 32;
void avx512_bf16(std::int64_t rounds);

constexpr double kAmxInt8Ops = 4 * 2 * 16 * 16 * 64, kAmxBf16Ops = 4 * 2 * 16 * 16 * 32;
void amx_int8(std::int64_t rounds);
void amx_bf16(std::int64_t rounds);
#endif

}  // namespace limits
