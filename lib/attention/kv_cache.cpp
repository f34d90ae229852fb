#include <cstring>

#include "octavo/attention.hpp"

namespace octavo {

struct KvCache::Impl {
  std::int64_t num_kv_heads = 0, head_dim = 0, capacity = 0, length = 0;
  struct Layer {
    Tensor k, v;               // [1, Hkv, capacity, D]
    std::int64_t pending = 0;  // positions appended and not yet committed
  };
  std::vector<Layer> layers;
  bool has_data = true;
};

namespace {

void check_extents(std::int64_t num_layers, std::int64_t num_kv_heads, std::int64_t head_dim, std::int64_t capacity) {
  const auto positive = [](const char* name, std::int64_t value) {
    if (value <= 0)
      throw Error(ErrorCode::invalid_argument,
                  std::string("KvCache: ") + name + " is " + std::to_string(value) + ", it must be positive");
  };
  positive("num_layers", num_layers);
  positive("num_kv_heads", num_kv_heads);
  positive("head_dim", head_dim);
  positive("capacity", capacity);
}

}  // namespace

KvCache::KvCache(std::int64_t num_layers, std::int64_t num_kv_heads, std::int64_t head_dim, std::int64_t capacity)
    : impl_(std::make_shared<Impl>()) {
  check_extents(num_layers, num_kv_heads, head_dim, capacity);
  impl_->num_kv_heads = num_kv_heads;
  impl_->head_dim = head_dim;
  impl_->capacity = capacity;
  const Shape shape{1, num_kv_heads, capacity, head_dim};
  for (std::int64_t i = 0; i < num_layers; ++i)
    impl_->layers.push_back({Tensor::empty(DType::f32, shape), Tensor::empty(DType::f32, shape), 0});
}

KvCache KvCache::meta(std::int64_t num_layers, std::int64_t num_kv_heads, std::int64_t head_dim,
                      std::int64_t capacity) {
  check_extents(num_layers, num_kv_heads, head_dim, capacity);
  KvCache cache(std::make_shared<Impl>(Impl{num_kv_heads, head_dim, capacity, 0, {}, false}));
  const Shape shape{1, num_kv_heads, capacity, head_dim};
  for (std::int64_t i = 0; i < num_layers; ++i)
    cache.impl_->layers.push_back({Tensor::meta(DType::f32, shape), Tensor::meta(DType::f32, shape), 0});
  return cache;
}

std::int64_t KvCache::num_layers() const noexcept { return static_cast<std::int64_t>(impl_->layers.size()); }
std::int64_t KvCache::capacity() const noexcept { return impl_->capacity; }
std::int64_t KvCache::length() const noexcept { return impl_->length; }

std::size_t KvCache::size_bytes() const noexcept {
  std::size_t total = 0;
  for (const Impl::Layer& layer : impl_->layers) total += layer.k.size_bytes() + layer.v.size_bytes();
  return total;
}

KvCache KvCache::clone() const {
  if (!impl_->has_data) {
    KvCache copy = meta(num_layers(), impl_->num_kv_heads, impl_->head_dim, impl_->capacity);
    copy.impl_->length = impl_->length;
    return copy;
  }
  KvCache copy(num_layers(), impl_->num_kv_heads, impl_->head_dim, impl_->capacity);
  copy.impl_->length = impl_->length;
  const auto head = static_cast<std::size_t>(impl_->length * impl_->head_dim);
  const std::int64_t stride = impl_->capacity * impl_->head_dim;
  for (std::size_t i = 0; i < impl_->layers.size(); ++i)
    for (const auto part : {&Impl::Layer::k, &Impl::Layer::v}) {
      const float* from = (impl_->layers[i].*part).data<float>();
      float* to = (copy.impl_->layers[i].*part).mutable_data<float>();
      for (std::int64_t h = 0; h < impl_->num_kv_heads; ++h)
        std::memcpy(to + h * stride, from + h * stride, head * sizeof(float));
    }
  return copy;
}

namespace {

// Copies x[1,Hkv,Lq,D], any strides, behind position `at` of to[1,Hkv,capacity,D].
void place(const Tensor& x, Tensor& to, std::int64_t at) {
  const Tensor from = x.strides()[3] == 1 || x.dim(3) <= 1 ? x : x.contiguous();
  const float* source = from.data<float>();
  float* target = to.mutable_data<float>();
  const std::int64_t heads = x.dim(1);
  const std::int64_t rows = x.dim(2);
  const std::int64_t width = x.dim(3);
  for (std::int64_t h = 0; h < heads; ++h)
    for (std::int64_t i = 0; i < rows; ++i)
      std::memcpy(target + (h * to.dim(2) + at + i) * width, source + h * from.strides()[1] + i * from.strides()[2],
                  static_cast<std::size_t>(width) * sizeof(float));
}

}  // namespace

KvCache::View KvCache::append(std::int64_t layer, const Tensor& k, const Tensor& v, std::string_view module_path) {
  Impl& impl = *impl_;
  const std::string where = "kv_append" + (module_path.empty() ? "" : " (" + std::string(module_path) + ")");
  if (layer < 0 || layer >= num_layers())
    throw Error(ErrorCode::invalid_argument, where + ": layer is " + std::to_string(layer) + ", the cache has " +
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
    throw Error(ErrorCode::invalid_argument, where + ": the cache is full: it holds " + std::to_string(impl.length) +
                                                 " positions, " + std::to_string(rows) +
                                                 " more exceed its capacity of " + std::to_string(impl.capacity) +
                                                 ". Make it larger, or reset it");
  Impl::Layer& slot = impl.layers[static_cast<std::size_t>(layer)];
  if (impl.has_data) {
    place(k, slot.k, impl.length);
    place(v, slot.v, impl.length);
  }
  slot.pending = rows;
  View view{slot.k.slice(2, 0, total), slot.v.slice(2, 0, total)};
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
