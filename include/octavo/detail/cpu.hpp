/// Which instructions may be used here: the processor has them and the operating system saves their registers. Not for
/// direct use.
#pragma once

#if defined(__x86_64__) && defined(__GNUC__)
#define OCTAVO_X86 1
#endif
#if defined(OCTAVO_X86) && defined(__linux__)
#define OCTAVO_AMX 1  // Linux hands out the tile registers on request
#endif

namespace octavo::detail {

bool has_avx2() noexcept;         // and FMA and F16C
bool has_avx_vnni() noexcept;     // AVX2 and VNNI on its registers
bool has_avx512() noexcept;       // F, BW, VL and DQ
bool has_avx512_vnni() noexcept;  // and VNNI
bool has_avx512_bf16() noexcept;  // and BF16
bool has_amx_int8() noexcept;     // AVX512-VNNI and tiles of bytes
bool has_amx_bf16() noexcept;     // AVX512 and tiles of bf16

}  // namespace octavo::detail
