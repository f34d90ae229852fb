// What layers are given to run on, and what an architecture has by default.
#include "octavo/architecture.hpp"

#include <array>
#include <cstring>
#include <string>

#include "finite.hpp"
#include "language_ends.hpp"
#include "octavo/message.hpp"
#include "octavo/model_operations.hpp"

namespace octavo {

namespace {

struct Heads {
  const Tensor &q, &k, &v;  // [rows, heads, D]
};

/// One sequence's attention over its own rows and cache: [its rows, heads*D].
Tensor attend_part(const Heads& heads, const model::LanguagePart& part, std::int64_t cache_layer, FloatMath math,
                   std::string_view module_path) {
  const std::int64_t rows = part.plan.q_len;
  // Heads first, as views: (1, heads, rows, D).
  const auto first = [&](const Tensor& x) {
    return x.slice(0, part.first, part.first + rows).reshape(Shape{1, rows, x.dim(1), x.dim(2)}).permute({0, 2, 1, 3});
  };
  KvCache::View seen{first(heads.k), first(heads.v)};
  if (part.cache != nullptr) seen = part.cache->append(cache_layer, seen.k, seen.v, module_path);
  AttentionOptions options;
  options.mask = part.plan.mask;
  options.past = part.plan.past;
  options.module_path = module_path;
  options.math = math;
  options.k_scale = seen.k_scale;
  options.v_scale = seen.v_scale;
  announce_note([] { return "causal"; });
  return join_heads(attention(first(heads.q), seen.k, seen.v, options), module_path);
}

/// A slice of rows outside the tensor would say so without the module.
void require_heads(const Tensor& x, const char* name, std::int64_t rows, std::string_view module_path) {
  if (x.defined() && x.rank() == 3 && x.dim(0) == rows && x.dtype() == DType::f32) return;
  throw Error(ErrorCode::shape_mismatch,
              std::string(module_path) + ": attend: " + name + " is " +
                  (x.defined() ? dtype_name(x.dtype()) + x.shape().to_string() : std::string("undefined")) +
                  ", expected f32 [rows, heads, head_dim] of " + std::to_string(rows) + " rows",
              ShapeDetail{"attend", std::string(module_path), name, 0, "rows", rows,
                          x.defined() && x.rank() > 0 ? x.dim(0) : 0});
}

}  // namespace

const RotaryTable& LayerCall::rotary() const noexcept { return context_.rotary; }

Tensor LayerCall::attend(const Tensor& q, const Tensor& k, const Tensor& v, FloatMath math,
                         std::string_view module_path) const {
  const model::LanguagePart& last = context_.parts.back();
  const std::int64_t rows = last.first + last.plan.q_len;
  require_heads(q, "q", rows, module_path);
  require_heads(k, "k", rows, module_path);
  require_heads(v, "v", rows, module_path);
  // A score of -infinity would hide its key without a trace.
  model::require_finite(q, module_path, "a query");
  model::require_finite(k, module_path, "a key");
  const Heads heads{q, k, v};
  if (context_.parts.size() == 1) return attend_part(heads, last, cache_layer_, math, module_path);
  const std::int64_t width = q.dim(1) * q.dim(2);
  Tensor joined = Tensor::empty_like(q, DType::f32, Shape{rows, width});
  for (std::size_t i = 0; i < context_.parts.size(); ++i) {
    const model::LanguagePart& part = context_.parts[i];
    announce_sequence(static_cast<std::int64_t>(i));
    const Tensor own = attend_part(heads, part, cache_layer_, math, module_path);
    if (own.is_meta()) continue;
    std::memcpy(joined.mutable_data<float>() + part.first * width, own.data<float>(), own.size_bytes());
  }
  announce_sequence(-1);
  return joined;
}

void LanguageLayer::forward(BlockState& state, LinearObserver* observer) const {
  model::FirstNotFinite finite;
  const ObserverScope scope(&finite);
  run(state.hidden, LayerCall(*static_cast<const model::LanguageContext*>(state.context.get()), 0, observer));
}

void VisionLayer::forward(BlockState& state, LinearObserver* observer) const {
  if (!state.hidden.defined()) return;  // no images
  model::FirstNotFinite finite;
  const ObserverScope scope(&finite);
  run(state, BlockCall{observer});
}

RotaryTable Architecture::rotary(const Tensor& positions) const {
  const TextConfig& config = text();
  constexpr std::array<std::int64_t, 3> kUnstated{};
  const std::array<std::int64_t, 3> whole{config.head_dim / 2, 0, 0};
  return mrope_table(positions, config.head_dim, config.rope_theta,
                     config.mrope_section == kUnstated ? whole : config.mrope_section, "model");
}

FinalNorm Architecture::final_norm(WeightSource& weights) const {
  const RmsNorm norm = load_norm(weights, "model.norm", {text().hidden_size, "hidden_size"}, text().rms_norm_eps);
  return {norm, norm.weight.size_bytes()};
}

std::vector<ParallelDim> Architecture::tensor_parallel_dims(const Checkpoint& checkpoint,
                                                            std::int64_t /*ranks*/) const {
  throw Error(ErrorCode::unsupported, checkpoint.config().where() + ": the architecture " +
                                          in_quotes(checkpoint.config().get_string("model_type", "")) +
                                          " does not say how it is divided among ranks");
}

}  // namespace octavo
