#include <algorithm>
#include <optional>

#include "guard.hpp"
#include "handles.hpp"

using namespace octavo::capi;  // NOLINT(google-build-using-namespace): this file is the namespace's C face

extern "C" {

octavo_status octavo_kv_cache_create(int64_t num_layers, int64_t num_kv_heads, int64_t head_dim, int64_t capacity,
                                     octavo_kv_cache** out) {
  return guarded([&] {
    require(out, "out");
    *out = new octavo_kv_cache{octavo::KvCache(num_layers, num_kv_heads, head_dim, capacity)};
  });
}

octavo_status octavo_kv_cache_create_typed(int64_t num_layers, int64_t num_kv_heads, int64_t head_dim, int64_t capacity,
                                           int32_t dtype, octavo_kv_cache** out) {
  return guarded([&] {
    require(out, "out");
    *out = new octavo_kv_cache{octavo::KvCache(num_layers, num_kv_heads, head_dim, capacity, dtype_from(dtype))};
  });
}

octavo_status octavo_kv_cache_length(const octavo_kv_cache* cache, int64_t* out) {
  return guarded([&] {
    require(cache, "cache");
    require(out, "out");
    *out = cache->value.length();
  });
}

octavo_status octavo_kv_cache_commit(octavo_kv_cache* cache, int64_t new_positions) {
  return guarded([&] {
    require(cache, "cache");
    const InUse use(cache->caller, "cache");
    cache->value.commit(new_positions);
  });
}

octavo_status octavo_kv_cache_truncate(octavo_kv_cache* cache, int64_t length) {
  return guarded([&] {
    require(cache, "cache");
    const InUse use(cache->caller, "cache");
    cache->value.truncate(length);
  });
}

void octavo_kv_cache_release(octavo_kv_cache* cache) { delete cache; }

octavo_status octavo_attention(const octavo_tensor* q, const octavo_tensor* k, const octavo_tensor* v,
                               const octavo_tensor* mask, int32_t causal, octavo_kv_cache* cache, int64_t layer,
                               octavo_tensor** out) {
  return guarded([&] {
    require(out, "out");
    const octavo::Tensor& queries = tensor_of(q, "q");
    octavo::Tensor keys = tensor_of(k, "k");
    octavo::Tensor values = tensor_of(v, "v");
    if (mask != nullptr && (causal != 0 || cache != nullptr))
      throw octavo::Error(octavo::ErrorCode::invalid_argument,
                          "a mask excludes `causal` and a cache, which say who sees whom themselves");
    octavo::AttentionOptions options;
    std::optional<InUse> use;
    if (cache != nullptr) {
      use.emplace(cache->caller, "cache");
      options.past = cache->value.length();
      options.mask = octavo::Mask::causal(options.past);
      const octavo::KvCache::View view = cache->value.append(layer, keys, values, "");
      keys = view.k;
      values = view.v;
      options.k_scale = view.k_scale;
      options.v_scale = view.v_scale;
    } else {
      // Without a cache, keys beyond the queries are the past: the last query sees them all.
      if (keys.rank() == 4 && queries.rank() == 4) options.past = std::max<int64_t>(0, keys.dim(2) - queries.dim(2));
      if (mask != nullptr) options.mask = octavo::Mask::explicit_tensor(mask->value);
      if (causal != 0) options.mask = octavo::Mask::causal(options.past);
    }
    *out = new octavo_tensor{octavo::attention(queries, keys, values, options).contiguous()};
  });
}

}  // extern "C"
