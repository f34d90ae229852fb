#include "octavo/attention.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>

#include "blocked.hpp"
#include "blocked_amx.hpp"
#include "octavo/parallel.hpp"
#include "problem.hpp"
#include "schedule.hpp"

namespace octavo {

namespace {

using attention_kernels::Kernels;
using attention_kernels::Operand;
using attention_kernels::Problem;
using attention_kernels::Schedule;
using attention_kernels::Working;
using attention_kernels::working_memory;

// Multiplications: some 30 us where many rows share a key, some 15 us where few do.
constexpr std::int64_t kWorthAThread = std::int64_t{1} << 21, kFewRowsWorthAThread = std::int64_t{1} << 18;

// Rows of a task: their sums and their queries fit the second cache, and they share packed keys and values, which take
// longer to pack for AMX, and are sooner multiplied.
constexpr std::int64_t kMostRows = 256, kMostAmxRows = 512;

Tensor with_contiguous_rows(const Tensor& x) {
  if (!x.defined()) return x;
  return x.strides().back() == 1 || x.dim(-1) <= 1 ? x : x.contiguous();
}

Operand operand(const Tensor& x) { return {x.data<float>(), x.strides()[0], x.strides()[1], x.strides()[2]}; }

attention_kernels::Stored stored(const Tensor& x, const Tensor& scale) {
  attention_kernels::Stored result{static_cast<const std::byte*>(x.raw()), x.dtype(), x.strides()[0], x.strides()[1],
                                   x.strides()[2]};
  if (scale.defined()) {
    result.scale = scale.data<float>();
    result.scale_batch_stride = scale.strides()[0];
    result.scale_head_stride = scale.strides()[1];
  }
  return result;
}

// Keys and values in one representation, with the scales that it needs and no others.
void check_stored(const Tensor& k, const Tensor& v, const AttentionOptions& options) {
  const auto where = [&] { return "attention (" + std::string(options.module_path) + "): "; };
  if (k.dtype() != v.dtype())
    throw Error(ErrorCode::dtype_mismatch, where() + "k is " + dtype_name(k.dtype()) + ", v is " +
                                               dtype_name(v.dtype()) +
                                               ": give both as one cache returned them, or both as f32");
  const bool scaled = k.dtype() == DType::s8;
  if (options.k_scale.defined() != scaled || options.v_scale.defined() != scaled)
    throw Error(ErrorCode::invalid_argument,
                where() + "k and v are " + dtype_name(k.dtype()) +
                    (scaled ? ", but k_scale or v_scale is missing: give those that the cache returned with them"
                            : ", which have no scales, but k_scale or v_scale is given: leave both out"));
}

attention_kernels::ExplicitMask explicit_mask(const Tensor& mask) {  // contiguous
  attention_kernels::ExplicitMask result;
  if (mask.dtype() == DType::f32)
    result.added = mask.data<float>();
  else
    result.visible = mask.data<std::uint8_t>();
  result.batch_stride = mask.dim(0) == 1 ? 0 : mask.strides()[0];
  result.head_stride = mask.dim(1) == 1 ? 0 : mask.strides()[1];
  return result;
}

// A call while its tasks run. Threads take the next task when they are done with one: tasks differ in size.
struct Run {
  const Problem& problem;
  const Kernels& kernels;
  const Schedule& schedule;
  const attention_kernels::AmxKernels* amx = nullptr;  // where it multiplies
  float* chunk_sums = nullptr;                         // of all tasks, where keys are divided
  std::atomic<std::int64_t> next{0};

  std::int64_t size() const noexcept { return attention_kernels::sums_size(schedule.most_rows, problem.width); }

  void take_tasks() {
    const auto count = static_cast<std::int64_t>(schedule.tasks.size());
    for (std::int64_t t = next++; t < count; t = next++) {
      const attention_kernels::Task& task = schedule.tasks[static_cast<std::size_t>(t)];
      const std::int64_t rows = (task.query_end - task.query_begin) * problem.group();
      float* memory = chunk_sums != nullptr ? chunk_sums + t * size() : working_memory(Working::sums, size());
      const attention_kernels::Sums sums = attention_kernels::sums_in(memory, rows, problem.width);
      if (amx != nullptr)
        attend_amx(problem, task, kernels, *amx, sums);
      else
        attend(problem, task, kernels, sums);
      if (chunk_sums == nullptr) finish(problem, task, kernels, memory, 1);
    }
  }
};

void compute(const Problem& problem, FloatMath math) {
  thread_local Schedule schedule;
  const Kernels& kernels = attention_kernels::kernels();
  const attention_kernels::AmxKernels* amx = math == FloatMath::bf16 ? kernels.rounded : kernels.exact;
  attention_kernels::make_schedule(problem, num_threads(), amx != nullptr ? kMostAmxRows : kMostRows, schedule);
  const auto tasks = static_cast<std::int64_t>(schedule.tasks.size());
  Run run{problem, kernels, schedule};
  if (!schedule.few_rows) run.amx = amx;
  if (schedule.chunks > 1) run.chunk_sums = working_memory(Working::chunk_sums, tasks * run.size());
  const std::int64_t worth_a_thread = schedule.few_rows ? kFewRowsWorthAThread : kWorthAThread;
  parallel_for(std::min<std::int64_t>(tasks, 1 + schedule.multiplies / worth_a_thread), 1,
               [&run](std::int64_t, std::int64_t) { run.take_tasks(); });
  for (std::int64_t t = 0; run.chunk_sums != nullptr && t < tasks; t += schedule.chunks)
    finish(problem, schedule.tasks[static_cast<std::size_t>(t)], run.kernels, run.chunk_sums + t * run.size(),
           schedule.chunks);
}

}  // namespace

Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionOptions& options) {
  const Mask& mask = options.mask;
  if (mask.kind() == Mask::Kind::causal && options.past != 0 && options.past != mask.past())
    throw Error(ErrorCode::invalid_argument,
                "attention (" + std::string(options.module_path) + "): AttentionOptions::past is " +
                    std::to_string(options.past) + " but the causal mask was made for past " +
                    std::to_string(mask.past()) + ": take both from one plan, or leave AttentionOptions::past at 0");
  Binder binder(kAttentionContract, options.module_path);
  if (mask.kind() == Mask::Kind::causal || options.past != 0 || mask.kind() == Mask::Kind::tensor) {
    // Without a cache to ask, the keys beyond the queries are the past.
    std::int64_t past = mask.kind() == Mask::Kind::causal ? mask.past() : options.past;
    const char* origin = mask.kind() == Mask::Kind::causal ? "the causal mask" : "AttentionOptions::past";
    if (mask.kind() == Mask::Kind::tensor && past == 0 && q.defined() && k.defined() && q.rank() == 4 &&
        k.rank() == 4 && k.dim(2) > q.dim(2)) {
      past = k.dim(2) - q.dim(2);
      origin = "the keys beyond the queries";
    }
    binder.dim("past", past, origin);
  }
  binder.arg("q", q).arg("k", k).arg("v", v);
  if (mask.kind() == Mask::Kind::tensor) binder.arg("mask", mask.tensor());
  if (options.k_scale.defined()) binder.arg("k_scale", options.k_scale);
  if (options.v_scale.defined()) binder.arg("v_scale", options.v_scale);
  binder.check();
  check_stored(k, v, options);

  const std::int64_t batches = q.dim(0);
  const std::int64_t heads = q.dim(1);
  const std::int64_t q_len = q.dim(2);
  const std::int64_t width = q.dim(3);
  const std::int64_t kv_len = k.dim(2);
  if (mask.kind() == Mask::Kind::segments &&
      (q_len != kv_len || mask.cu_seqlens().empty() || mask.cu_seqlens().back() != q_len))
    throw Error(ErrorCode::shape_mismatch,
                "attention (" + std::string(options.module_path) + "): cu_seqlens ends at " +
                    std::to_string(mask.cu_seqlens().empty() ? 0 : mask.cu_seqlens().back()) + ", but q has " +
                    std::to_string(q_len) + " and k " + std::to_string(kv_len) +
                    " rows. The windows were derived for another grid: take them from the same images",
                ShapeDetail{"attention", std::string(options.module_path), "cu_seqlens",
                            static_cast<int>(mask.cu_seqlens().size()) - 1, "Lq (q_len)", q_len,
                            mask.cu_seqlens().empty() ? 0 : mask.cu_seqlens().back()});
  // Laid out [B, Lq, Hq, D], so that joining the heads again is a view.
  const Shape laid_out{batches, q_len, heads, width};
  Tensor out = binder.has_data() ? Tensor::empty(DType::f32, laid_out) : Tensor::meta(DType::f32, laid_out);
  Tensor result = out.permute({0, 2, 1, 3});
  if (out.numel() == 0 || out.is_meta()) {
    binder.done({{"out", result}});
    return result;
  }

  const Tensor queries = with_contiguous_rows(q);
  const Tensor keys = with_contiguous_rows(k);
  const Tensor values = with_contiguous_rows(v);
  const Tensor key_scales = with_contiguous_rows(options.k_scale);
  const Tensor value_scales = with_contiguous_rows(options.v_scale);
  Problem problem;
  problem.q = operand(queries);
  problem.k = stored(keys, key_scales);
  problem.v = stored(values, value_scales);
  problem.out = out.mutable_data<float>();
  problem.batches = batches;
  problem.heads = heads;
  problem.kv_heads = k.dim(1);
  problem.q_len = q_len;
  problem.kv_len = kv_len;
  problem.width = width;
  problem.scale = options.scale != 0 ? options.scale : 1.0F / std::sqrt(static_cast<float>(width));
  problem.mask = &mask;
  Tensor mask_rows;
  if (mask.kind() == Mask::Kind::tensor) {
    mask_rows = mask.tensor().contiguous();
    problem.explicit_mask = explicit_mask(mask_rows);
  }
  compute(problem, options.math);
  binder.done({{"out", result}});
  return result;
}

}  // namespace octavo
