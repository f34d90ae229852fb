// Which instructions may be used here, in the kernels' own namespace.
#pragma once

#include "octavo/detail/cpu.hpp"

namespace octavo::gemm {

using detail::has_amx_bf16;
using detail::has_amx_int8;
using detail::has_avx2;
using detail::has_avx512;
using detail::has_avx512_bf16;
using detail::has_avx512_vnni;
using detail::has_avx_vnni;

}  // namespace octavo::gemm
