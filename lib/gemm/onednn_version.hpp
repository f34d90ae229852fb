// All that differs between oneDNN 2.x and 3.x in what we use.
#pragma once

#include <dnnl.hpp>

namespace octavo::gemm {

inline dnnl::matmul::primitive_desc make_matmul(const dnnl::engine& engine, const dnnl::memory::desc& a,
                                                const dnnl::memory::desc& w, const dnnl::memory::desc& acc,
                                                const dnnl::primitive_attr& attributes) {
#if DNNL_VERSION_MAJOR >= 3
  return {engine, a, w, acc, attributes};
#else
  return {dnnl::matmul::desc(a, w, acc), attributes, engine};
#endif
}

}  // namespace octavo::gemm
