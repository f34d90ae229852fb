#include <cstring>
#include <optional>

#include "cache_rows.hpp"
#include "octavo/attention.hpp"
#include "octavo/detail/checked.hpp"
#include "octavo/memory_pool.hpp"
#include "octavo/parallel.hpp"

namespace octavo {

struct KvCache::Impl {
  std::int64_t num_kv_heads = 0, head_dim = 0, capacity = 0, length = 0;
  struct Part {
    Tensor rows;    // [1, Hkv, capacity, D]
    Tensor scales;  // [1, Hkv, capacity], for s8
  };
  struct Layer {
    Part k, v;
    std::int64_t pending = 0;  // positions appended and not yet committed
  };
  DType dtype = DType::f32;
  std::vector<Layer> layers;
  bool has_data = true;
};

namespace {

constexpr std::int64_t kGrainElements = 32768;  // of rows worth a thread: some 10 microseconds
constexpr std::int64_t kMostLayers = 65536;     // no model comes near; each has storage of its own

void check(std::int64_t num_layers, std::int64_t num_kv_heads, std::int64_t head_dim, std::int64_t capacity,
           DType dtype) {
  const auto positive = [](const char* name, std::int64_t value) {
    if (value <= 0)
      throw Error(ErrorCode::invalid_argument,
                  std::string("KvCache: ") + name + " is " + std::to_string(value) + ", it must be positive");
  };
  positive("num_layers", num_layers);
  positive("num_kv_heads", num_kv_heads);
  positive("head_dim", head_dim);
  positive("capacity", capacity);
  if (dtype != DType::f32 && dtype != DType::bf16 && dtype != DType::s8)
    throw Error(ErrorCode::invalid_argument,
                std::string("KvCache: dtype is ") + dtype_name(dtype) + ", it must be f32, bf16 or s8");
  const std::optional<std::int64_t> bytes = detail::checked_multiply(
      {2, num_layers, num_kv_heads, head_dim, capacity, static_cast<std::int64_t>(sizeof(float))});
  if (!bytes || num_layers > kMostLayers)
    throw Error(ErrorCode::invalid_argument,
                "KvCache: " + std::to_string(num_layers) + " layers of " + std::to_string(num_kv_heads) +
                    " heads, head_dim " + std::to_string(head_dim) + " and capacity " + std::to_string(capacity) +
                    " are more than a machine can hold (at most " + std::to_string(kMostLayers) +
                    " layers, and sizes that fit in 64 bits)");
}

}  // namespace

KvCache::KvCache(std::int64_t num_layers, std::int64_t num_kv_heads, std::int64_t head_dim, std::int64_t capacity,
                 DType dtype, bool has_data)
    : impl_(std::make_shared<Impl>()) {
  check(num_layers, num_kv_heads, head_dim, capacity, dtype);
  impl_->num_kv_heads = num_kv_heads;
  impl_->head_dim = head_dim;
  impl_->capacity = capacity;
  impl_->dtype = dtype;
  impl_->has_data = has_data;
  const MemoryPoolScope fresh(nullptr);  // pages that nothing has used yet, and small ones
  const auto part = [&] {
    const auto make = has_data ? &Tensor::empty : &Tensor::meta;
    Impl::Part made{make(dtype, {1, num_kv_heads, capacity, head_dim}), {}};
    if (dtype == DType::s8) made.scales = make(DType::f32, {1, num_kv_heads, capacity});
    return made;
  };
  for (std::int64_t i = 0; i < num_layers; ++i) impl_->layers.push_back({part(), part(), 0});
}

KvCache::KvCache(std::int64_t num_layers, std::int64_t num_kv_heads, std::int64_t head_dim, std::int64_t capacity,
                 DType dtype)
    : KvCache(num_layers, num_kv_heads, head_dim, capacity, dtype, true) {}

KvCache KvCache::meta(std::int64_t num_layers, std::int64_t num_kv_heads, std::int64_t head_dim, std::int64_t capacity,
                      DType dtype) {
  return {num_layers, num_kv_heads, head_dim, capacity, dtype, false};
}

DType KvCache::dtype() const noexcept { return impl_->dtype; }
std::int64_t KvCache::num_layers() const noexcept { return static_cast<std::int64_t>(impl_->layers.size()); }
std::int64_t KvCache::capacity() const noexcept { return impl_->capacity; }
std::int64_t KvCache::length() const noexcept { return impl_->length; }

std::size_t KvCache::size_bytes() const noexcept {
  std::size_t total = 0;
  for (const Impl::Layer& layer : impl_->layers)
    for (const Impl::Part* part : {&layer.k, &layer.v})
      total += part->rows.size_bytes() + (part->scales.defined() ? part->scales.size_bytes() : 0);
  return total;
}

namespace {

// The positions [begin, end) of every head, from[1, Hkv, capacity, ...] to `to`, behind its position `at`; the two
// differ in capacity alone.
void copy_positions(const Tensor& from, std::int64_t begin, std::int64_t end, Tensor& to, std::int64_t at) {
  const auto position = static_cast<std::int64_t>(size_of(from.dtype())) * (from.rank() == 4 ? from.dim(3) : 1);
  for (std::int64_t h = 0; h < from.dim(1); ++h)
    std::memcpy(static_cast<std::byte*>(to.mutable_raw()) + (h * to.dim(2) + at) * position,
                static_cast<const std::byte*>(from.raw()) + (h * from.dim(2) + begin) * position,
                static_cast<std::size_t>((end - begin) * position));
}

}  // namespace

void KvCache::append_copy(const KvCache& from, std::int64_t begin, std::int64_t end) {
  const Impl& other = *from.impl_;
  if (other.dtype != impl_->dtype || from.num_layers() != num_layers() || other.num_kv_heads != impl_->num_kv_heads ||
      other.head_dim != impl_->head_dim || other.has_data != impl_->has_data)
    throw Error(ErrorCode::invalid_argument, "KvCache::append_copy: the two caches were made for different models");
  if (begin < 0 || end < begin || end > other.length || end - begin > impl_->capacity - impl_->length)
    throw Error(ErrorCode::invalid_argument, "KvCache::append_copy: positions [" + std::to_string(begin) + ", " +
                                                 std::to_string(end) + ") of " + std::to_string(other.length) +
                                                 " into a cache that holds " + std::to_string(impl_->length) +
                                                 " and has a capacity of " + std::to_string(impl_->capacity));
  for (std::size_t i = 0; i < impl_->layers.size() && impl_->has_data; ++i)
    for (const auto part : {&Impl::Layer::k, &Impl::Layer::v}) {
      const Impl::Part& source = other.layers[i].*part;
      Impl::Part& to = impl_->layers[i].*part;
      copy_positions(source.rows, begin, end, to.rows, impl_->length);
      if (source.scales.defined()) copy_positions(source.scales, begin, end, to.scales, impl_->length);
    }
  impl_->length += end - begin;
}

KvCache::View KvCache::stored(std::int64_t layer) const {
  if (layer < 0 || layer >= num_layers())
    throw Error(ErrorCode::invalid_argument, "KvCache::stored: layer is " + std::to_string(layer) + ", the cache has " +
                                                 std::to_string(num_layers()) + " layers");
  const Impl::Layer& slot = impl_->layers[static_cast<std::size_t>(layer)];
  View view{slot.k.rows.slice(2, 0, impl_->length), slot.v.rows.slice(2, 0, impl_->length)};
  if (impl_->dtype == DType::s8) {
    view.k_scale = slot.k.scales.slice(2, 0, impl_->length);
    view.v_scale = slot.v.scales.slice(2, 0, impl_->length);
  }
  return view;
}

void KvCache::append_stored(std::int64_t layer, const View& positions) {
  const View held = stored(layer);
  const std::int64_t rows = positions.k.rank() == 4 ? positions.k.dim(2) : 0;
  if (rows < 1 || rows > impl_->capacity - impl_->length)
    throw Error(ErrorCode::invalid_argument, "KvCache::append_stored: " + std::to_string(rows) +
                                                 " positions into a cache that holds " + std::to_string(impl_->length) +
                                                 " and has a capacity of " + std::to_string(impl_->capacity));
  const auto fits = [&](const Tensor& given, const Tensor& own) {
    if (given.defined() != own.defined()) return false;
    if (!own.defined()) return true;
    bool same = given.dtype() == own.dtype() && given.rank() == own.rank();
    for (int d = 0; same && d < own.rank(); ++d) same = given.dim(d) == (d == 2 ? rows : own.dim(d));
    return same;
  };
  if (!fits(positions.k, held.k) || !fits(positions.v, held.v) || !fits(positions.k_scale, held.k_scale) ||
      !fits(positions.v_scale, held.v_scale))
    throw Error(ErrorCode::invalid_argument,
                "KvCache::append_stored: the positions are those of a cache of another model or type");
  Impl::Layer& slot = impl_->layers[static_cast<std::size_t>(layer)];
  const auto place = [&](const Tensor& from, Tensor& to) {
    if (from.defined()) copy_positions(from.contiguous(), 0, rows, to, impl_->length);
  };
  place(positions.k, slot.k.rows);
  place(positions.v, slot.v.rows);
  place(positions.k_scale, slot.k.scales);
  place(positions.v_scale, slot.v.scales);
  slot.pending = rows;
}

KvCache KvCache::clone() const {
  KvCache copy(num_layers(), impl_->num_kv_heads, impl_->head_dim, impl_->capacity, impl_->dtype, impl_->has_data);
  copy.append_copy(*this, 0, impl_->length);
  return copy;
}

namespace {

// Writes x[1,Hkv,Lq,D] f32, any strides, behind position `at` of to.
void place(const Tensor& x, Tensor& to, Tensor& scales, std::int64_t at) {
  const Tensor from = x.strides()[3] == 1 || x.dim(3) <= 1 ? x : x.contiguous();
  const std::int64_t rows = x.dim(2);
  const std::int64_t width = x.dim(3);
  const DType dtype = to.dtype();
  void* target = to.mutable_raw();
  float* scale = dtype == DType::s8 ? scales.mutable_data<float>() : nullptr;
  const std::int64_t capacity = to.dim(2);
  parallel_for(x.dim(1) * rows, kGrainElements / (width + 1) + 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t head = i / rows;
      const std::int64_t position = head * capacity + at + i % rows;
      const float* row = from.data<float>() + head * from.strides()[1] + i % rows * from.strides()[2];
      if (dtype == DType::s8)
        scale[position] =
            attention_kernels::row_to_s8(row, width, static_cast<std::int8_t*>(target) + position * width);
      else if (dtype == DType::bf16)
        attention_kernels::row_to_bf16(row, width, static_cast<BFloat16*>(target) + position * width);
      else
        std::memcpy(static_cast<float*>(target) + position * width, row,
                    static_cast<std::size_t>(width) * sizeof(float));
    }
  });
}

}  // namespace

KvCache::View KvCache::append(std::int64_t layer, const Tensor& k, const Tensor& v, std::string_view module_path) {
  Impl& impl = *impl_;
  const auto where = [&] { return "kv_append" + (module_path.empty() ? "" : " (" + std::string(module_path) + ")"); };
  if (layer < 0 || layer >= num_layers())
    throw Error(ErrorCode::invalid_argument, where() + ": layer is " + std::to_string(layer) + ", the cache has " +
                                                 std::to_string(num_layers()) +
                                                 " layers: it was made for another model");
  Binder binder(kKvAppendContract, module_path);
  binder.dim("Hkv", impl.num_kv_heads, "the cache")
      .dim("D", impl.head_dim, "the cache")
      .arg("k", k)
      .arg("v", v)
      .check();
  const std::int64_t rows = k.dim(2);
  const std::int64_t total = impl.length + rows;
  if (total > impl.capacity)
    throw Error(ErrorCode::invalid_argument, where() + ": the cache is full: it holds " + std::to_string(impl.length) +
                                                 " positions, " + std::to_string(rows) +
                                                 " more exceed its capacity of " + std::to_string(impl.capacity) +
                                                 ". Make it larger, or reset it");
  Impl::Layer& slot = impl.layers[static_cast<std::size_t>(layer)];
  if (impl.has_data) {
    place(k, slot.k.rows, slot.k.scales, impl.length);
    place(v, slot.v.rows, slot.v.scales, impl.length);
  }
  slot.pending = rows;
  View view{slot.k.rows.slice(2, 0, total), slot.v.rows.slice(2, 0, total)};
  if (impl.dtype == DType::s8) {
    view.k_scale = slot.k.scales.slice(2, 0, total);
    view.v_scale = slot.v.scales.slice(2, 0, total);
  }
  binder.done({{"cached", view.k}});
  return view;
}

void KvCache::commit(std::int64_t new_positions) {
  for (std::size_t i = 0; i < impl_->layers.size(); ++i)
    if (impl_->layers[i].pending != new_positions)
      throw Error(ErrorCode::invalid_argument, "KvCache::commit: layer " + std::to_string(i) + " has " +
                                                   std::to_string(impl_->layers[i].pending) + " new positions, " +
                                                   std::to_string(new_positions) +
                                                   " are to be committed: every layer must append before a commit");
  for (Impl::Layer& layer : impl_->layers) layer.pending = 0;
  impl_->length += new_positions;
}

void KvCache::truncate(std::int64_t length) {
  if (length < 0 || length > impl_->length)
    throw Error(ErrorCode::invalid_argument, "KvCache::truncate: to " + std::to_string(length) +
                                                 " positions, the cache holds " + std::to_string(impl_->length));
  for (Impl::Layer& layer : impl_->layers) layer.pending = 0;
  impl_->length = length;
}

void KvCache::skip(std::int64_t positions) {
  if (impl_->has_data || positions < 0 || positions > impl_->capacity - impl_->length)
    throw Error(ErrorCode::invalid_argument, "KvCache::skip: by " + std::to_string(positions) + " positions of " +
                                                 std::to_string(impl_->capacity - impl_->length) +
                                                 " free ones, for caches without data alone");
  impl_->length += positions;
}

}  // namespace octavo
