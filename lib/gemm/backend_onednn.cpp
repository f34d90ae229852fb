// The only file that knows oneDNN.
#include <dlfcn.h>
#include <dnnl.h>
#include <dnnl_debug.h>

#include <algorithm>
#include <dnnl.hpp>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "backend.hpp"
#include "octavo/parallel.hpp"
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

// Builds of oneDNN with OpenMP, such as Debian's, run on as many threads as the calling thread's setting of that
// runtime says. Octavo links no OpenMP; the functions are those of the runtime that oneDNN brought. Null for other
// builds: the sequential one and the one with a thread pool (of which it is given none) run on the calling thread
// anyway.
struct OpenMp {
  int (*threads)() = nullptr;
  void (*set_threads)(int) = nullptr;
};

OpenMp find_openmp() {
  if (dnnl_version()->cpu_runtime != DNNL_RUNTIME_OMP) return {};
  Dl_info library{};
  void* handle = dladdr(reinterpret_cast<const void*>(&dnnl_version), &library) != 0
                     ? dlopen(library.dli_fname, RTLD_LAZY | RTLD_NOLOAD)
                     : nullptr;
  if (handle == nullptr) handle = dlopen(nullptr, RTLD_LAZY);  // oneDNN is part of the program
  OpenMp found;
  found.threads = reinterpret_cast<int (*)()>(dlsym(handle, "omp_get_max_threads"));
  found.set_threads = reinterpret_cast<void (*)(int)>(dlsym(handle, "omp_set_num_threads"));
  return found.threads != nullptr && found.set_threads != nullptr ? found : OpenMp{};
}

// While one lives, what its thread asks of oneDNN is done by that thread: our loops divide the work. The setting is the
// host's, too, so it gets it back.
class OneThread {
 public:
  OneThread() noexcept {
    if (openmp().set_threads == nullptr) return;
    before_ = openmp().threads();
    openmp().set_threads(1);
  }
  ~OneThread() {
    if (openmp().set_threads != nullptr) openmp().set_threads(before_);
  }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  static const OpenMp& openmp() noexcept {
    static const OpenMp found = find_openmp();
    return found;
  }
  int before_ = 1;
};

// The weights are divided into slices of columns, and the rows where there are more threads than slices: one primitive
// on one thread for each. Sums are whole in each, so that the division changes no bit.
class PackedOneDnn final : public PackedS8 {
 public:
  PackedOneDnn(const std::int8_t* weight, std::int64_t n, std::int64_t k)
      : n_(n),
        k_(k),
        width_(std::min(n, slice_width(k))),
        slices_(static_cast<std::size_t>((n + width_ - 1) / width_)) {
    parallel_for(slice_count(), 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t slice = begin; slice < end; ++slice)
        translated([&] {
          slices_[static_cast<std::size_t>(slice)] = packed(weight + slice * width_ * k_, columns_of(slice));
        });
    });
  }

  std::size_t size_bytes() const noexcept override {
    std::size_t bytes = 0;
    for (const Slice& slice : slices_) bytes += slice.weights.get_desc().get_size();
    return bytes;
  }

  void multiply(const std::int8_t* a, std::int64_t m, std::int32_t* acc) const override {
    const std::int64_t parts = std::clamp<std::int64_t>((num_threads() + slice_count() - 1) / slice_count(), 1,
                                                        std::max<std::int64_t>(1, m / kFewestRows));
    const std::int64_t height = (m + parts - 1) / parts;
    parallel_for(slice_count() * parts, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t tile = begin; tile < end; ++tile) {
        const std::int64_t slice = tile % slice_count();
        const std::int64_t row = std::min(m, tile / slice_count() * height);
        const std::int64_t count = std::min(height, m - row);
        if (count > 0) translated([&] { multiply_tile(slice, a + row * k_, count, acc + row * n_ + slice * width_); });
      }
    });
  }

 private:
  std::int64_t out_features() const noexcept override { return n_; }

  struct Slice {
    AlignedBytes bytes;
    memory weights;  // over the bytes
  };

  static constexpr std::int64_t kTypicalRows = 64;
  static constexpr std::int64_t kFewestRows = 32;  // of a tile: fewer are no faster
  static constexpr std::size_t kKeptProducts = 32;

  static std::int64_t slice_width(std::int64_t k) {
    constexpr std::int64_t kSliceWeights = std::int64_t{1} << 20;  // some 40 us to read
    constexpr std::int64_t kNarrowest = 256;                       // rows are read anew for each slice
    return std::max(kNarrowest, kSliceWeights / k / 64 * 64);
  }

  std::int64_t slice_count() const noexcept { return static_cast<std::int64_t>(slices_.size()); }
  std::int64_t columns_of(std::int64_t slice) const noexcept { return std::min(width_, n_ - slice * width_); }

  // The layout is chosen for a middling number of rows and then kept: repacking per call would cost more than it gains.
  Slice packed(const std::int8_t* weight, std::int64_t columns) const {
    const OneThread alone;
    const memory::desc any({k_, columns}, memory::data_type::s8, memory::format_tag::any);
    const dnnl::matmul::primitive_desc typical =
        make_matmul(cpu(), rows(kTypicalRows), any, sums(kTypicalRows, columns), own_scratchpad());
    const memory::desc stored({k_, columns}, memory::data_type::s8, memory::dims{1, k_});
    Slice result{aligned_bytes(typical.weights_desc().get_size()), {}};
    result.weights = memory(typical.weights_desc(), cpu(), result.bytes.get());
    memory source(stored, cpu(), const_cast<std::int8_t*>(weight));  // read only
    dnnl::stream stream(cpu());
    dnnl::reorder(source, result.weights).execute(stream, source, result.weights);
    stream.wait();
    return result;
  }

  void multiply_tile(std::int64_t slice, const std::int8_t* a, std::int64_t m, std::int32_t* acc) const {
    const OneThread alone;
    const memory& weights = slices_[static_cast<std::size_t>(slice)].weights;
    const std::int64_t columns = columns_of(slice);
    const Product product = product_of(m, columns, weights.get_desc());
    dnnl::stream stream(cpu());
    auto* scratchpad = scratch<std::byte>(Purpose::onednn, product.scratchpad.get_size());
    product.primitive.execute(stream, {{DNNL_ARG_SRC, memory(rows(m), cpu(), const_cast<std::int8_t*>(a))},
                                       {DNNL_ARG_WEIGHTS, weights},
                                       {DNNL_ARG_DST, memory(sums(m, columns), cpu(), acc)},
                                       {DNNL_ARG_SCRATCHPAD, memory(product.scratchpad, cpu(), scratchpad)}});
    stream.wait();
  }

  memory::desc rows(std::int64_t m) const { return {{m, k_}, memory::data_type::s8, memory::format_tag::ab}; }
  memory::desc sums(std::int64_t m, std::int64_t columns) const {
    return {{m, columns}, memory::data_type::s32, memory::dims{n_, 1}};
  }

  struct Product {
    dnnl::matmul primitive;
    memory::desc scratchpad;
  };

  Product product_of(std::int64_t m, std::int64_t columns, const memory::desc& weights) const {
    const std::lock_guard<std::mutex> lock(mutex_);
    const std::pair key(m, columns);
    if (const auto found = products_.find(key); found != products_.end()) return found->second;
    if (products_.size() >= kKeptProducts) products_.clear();
    const dnnl::matmul::primitive_desc made = make_matmul(cpu(), rows(m), weights, sums(m, columns), own_scratchpad());
    return products_.emplace(key, Product{dnnl::matmul(made), made.scratchpad_desc()}).first->second;
  }

  std::int64_t n_, k_;
  std::int64_t width_;  // columns of a slice; the last may have fewer
  std::vector<Slice> slices_;
  mutable std::mutex mutex_;
  mutable std::map<std::pair<std::int64_t, std::int64_t>, Product> products_;
};

std::unique_ptr<PackedS8> pack(const std::int8_t* weight, std::int64_t n, std::int64_t k) {
  return std::make_unique<PackedOneDnn>(weight, n, k);
}

}  // namespace

// oneDNN passes int32 sums through float32 on their way out (seen in 2.6: 2114044159 becomes 2114044160), so only
// those of at most 2^24 = 1024 * 128 * 128 are exact.
const Backend kOneDnnBackend{"onednn", "oneDNN matmul, weights packed once", 1024, runs_anywhere, pack};

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
