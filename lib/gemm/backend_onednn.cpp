// The only file that knows oneDNN.
#include <dnnl.h>
#include <dnnl_debug.h>

#include <dnnl.hpp>
#include <map>
#include <mutex>

#include "backend.hpp"
#include "onednn_version.hpp"
#include "scratch.hpp"

namespace octavo::gemm {

namespace {

using dnnl::memory;

const dnnl::engine& cpu() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

// The scratchpad that oneDNN keeps by default belongs to the thread that made a primitive: two threads that run
// primitives of one maker overwrite each other's sums. So each thread brings its own, kept for its next call.
dnnl::primitive_attr own_scratchpad() {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attributes;
}

template <class Work>
decltype(auto) translated(Work&& work) {
  try {
    return work();
  } catch (const dnnl::error& error) {
    throw Error(ErrorCode::internal,
                std::string("oneDNN: ") + error.what() + " (" + dnnl_status2str(error.status) + ")");
  }
}

class PackedOneDnn final : public PackedS8 {
 public:
  PackedOneDnn(const std::int8_t* weight, std::int64_t n, std::int64_t k) : n_(n), k_(k) {
    translated([&] {
      // The layout is chosen for a middling number of rows and then kept: repacking per call would cost more than it
      // gains.
      const memory::desc any({k, n}, memory::data_type::s8, memory::format_tag::any);
      const dnnl::matmul::primitive_desc typical =
          make_matmul(cpu(), rows(kTypicalRows), any, sums(kTypicalRows), own_scratchpad());
      const memory::desc stored({k, n}, memory::data_type::s8, memory::dims{1, k});
      packed_ = memory(typical.weights_desc(), cpu());
      memory source(stored, cpu(), const_cast<std::int8_t*>(weight));  // read only
      dnnl::stream stream(cpu());
      dnnl::reorder(source, packed_).execute(stream, source, packed_);
      stream.wait();
    });
  }

  std::size_t size_bytes() const noexcept override { return packed_.get_desc().get_size(); }

  void multiply(const std::int8_t* a, std::int64_t m, std::int32_t* acc) const override {
    translated([&] {
      const Product product = product_of(m);
      dnnl::stream stream(cpu());
      auto* scratchpad = scratch<std::byte>(Purpose::onednn, product.scratchpad.get_size());
      product.primitive.execute(stream, {{DNNL_ARG_SRC, memory(rows(m), cpu(), const_cast<std::int8_t*>(a))},
                                         {DNNL_ARG_WEIGHTS, packed_},
                                         {DNNL_ARG_DST, memory(sums(m), cpu(), acc)},
                                         {DNNL_ARG_SCRATCHPAD, memory(product.scratchpad, cpu(), scratchpad)}});
      stream.wait();
    });
  }

 private:
  std::int64_t out_features() const noexcept override { return n_; }

  static constexpr std::int64_t kTypicalRows = 64;
  static constexpr std::size_t kKeptProducts = 16;

  memory::desc rows(std::int64_t m) const { return {{m, k_}, memory::data_type::s8, memory::format_tag::ab}; }
  memory::desc sums(std::int64_t m) const { return {{m, n_}, memory::data_type::s32, memory::format_tag::ab}; }

  struct Product {
    dnnl::matmul primitive;
    memory::desc scratchpad;
  };

  Product product_of(std::int64_t m) const {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (const auto found = products_.find(m); found != products_.end()) return found->second;
    if (products_.size() >= kKeptProducts) products_.clear();
    const dnnl::matmul::primitive_desc made =
        make_matmul(cpu(), rows(m), packed_.get_desc(), sums(m), own_scratchpad());
    return products_.emplace(m, Product{dnnl::matmul(made), made.scratchpad_desc()}).first->second;
  }

  std::int64_t n_, k_;
  memory packed_;
  mutable std::mutex mutex_;
  mutable std::map<std::int64_t, Product> products_;
};

std::unique_ptr<PackedS8> pack(const std::int8_t* weight, std::int64_t n, std::int64_t k) {
  return std::make_unique<PackedOneDnn>(weight, n, k);
}

}  // namespace

// oneDNN passes int32 sums through float32 on their way out (seen in 2.6: 2114044159 becomes 2114044160), so only
// those of at most 2^24 = 1024 * 128 * 128 are exact.
const Backend kOneDnnBackend{"onednn", "oneDNN matmul, weights packed once", 1024, runs_anywhere, pack};

int onednn_sgemm(std::int64_t m, std::int64_t n, std::int64_t k, const float* a, std::int64_t lda, const float* b,
                 std::int64_t ldb, float* c, std::int64_t ldc, const SgemmOptions& options) {
  return dnnl_sgemm(options.transpose_a ? 'T' : 'N', options.transpose_b ? 'T' : 'N', m, n, k, options.alpha, a, lda, b,
                    ldb, options.beta, c, ldc);
}

namespace {
std::string dotted(int major, int minor, int patch) {
  return std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(patch);
}
}  // namespace

std::string onednn_built() { return dotted(DNNL_VERSION_MAJOR, DNNL_VERSION_MINOR, DNNL_VERSION_PATCH); }

std::string onednn_running() {
  const dnnl_version_t* version = dnnl_version();
  return dotted(version->major, version->minor, version->patch);
}

std::string onednn_isa() {
  const std::string name = dnnl_cpu_isa2str(dnnl_get_effective_cpu_isa());
  const std::string prefix = "cpu_isa_";
  return name.rfind(prefix, 0) == 0 ? name.substr(prefix.size()) : name;
}

std::string onednn_problem() {
  try {
    translated([] { cpu(); });
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

}  // namespace octavo::gemm
