#include "octavo/attention.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "octavo/gemm.hpp"
#include "octavo/parallel.hpp"

namespace octavo {

namespace {

constexpr std::int64_t kQueryBlock = 64;                       // rows of scores held at once, per thread
constexpr std::int64_t kWorthAThread = std::int64_t{1} << 18;  // products of a part, some 20 us
constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

// Rows of queries that see the same contiguous range of keys, but for causality.
struct Task {
  std::int64_t batch, head, query_begin, query_end, key_begin, key_end;
};

// A 4-d view whose last dimension is contiguous.
struct View {
  const float* first;
  std::int64_t batch_stride, head_stride, row_stride;
  const float* at(std::int64_t b, std::int64_t h, std::int64_t row) const {
    return first + b * batch_stride + h * head_stride + row * row_stride;
  }
};

Tensor with_contiguous_rows(const Tensor& x) {
  const bool usable = (x.strides()[3] == 1 || x.dim(3) <= 1) && x.strides()[2] >= x.dim(3);
  return usable ? x : x.contiguous();
}

View view_of(const Tensor& x) { return {x.data<float>(), x.strides()[0], x.strides()[1], x.strides()[2]}; }

// Adds the mask's row to scores of keys [begin, end); u8 masks hide where they are 0.
class MaskRows {
 public:
  explicit MaskRows(const Tensor& mask) : mask_(mask.contiguous()), is_float_(mask.dtype() == DType::f32) {}
  void apply(std::int64_t b, std::int64_t h, std::int64_t i, std::int64_t begin, std::int64_t end,
             float* scores) const {
    const std::int64_t row =
        ((mask_.dim(0) == 1 ? 0 : b) * mask_.dim(1) + (mask_.dim(1) == 1 ? 0 : h)) * mask_.dim(2) + i;
    const std::int64_t offset = row * mask_.dim(3);
    if (is_float_) {
      const float* values = mask_.data<float>() + offset;
      for (std::int64_t j = begin; j < end; ++j) scores[j - begin] += values[j];
    } else {
      const std::uint8_t* visible = mask_.data<std::uint8_t>() + offset;
      for (std::int64_t j = begin; j < end; ++j)
        if (visible[j] == 0) scores[j - begin] = kMinusInfinity;
    }
  }

 private:
  Tensor mask_;
  bool is_float_;
};

// In place over scores[0, visible); the rest becomes 0. A row that sees nothing becomes 0 altogether.
void softmax(float* scores, std::int64_t visible, std::int64_t count) {
  float largest = kMinusInfinity;
  for (std::int64_t j = 0; j < visible; ++j) largest = std::max(largest, scores[j]);
  if (largest == kMinusInfinity) visible = 0;
  float sum = 0;
  for (std::int64_t j = 0; j < visible; ++j) sum += scores[j] = std::exp(scores[j] - largest);
  const float factor = visible > 0 ? 1.0F / sum : 0.0F;
  for (std::int64_t j = 0; j < visible; ++j) scores[j] *= factor;
  std::fill(scores + visible, scores + count, 0.0F);
}

std::vector<Task> tasks_for(const Mask& mask, std::int64_t batches, std::int64_t heads, std::int64_t q_len,
                            std::int64_t kv_len) {
  std::vector<Task> tasks;
  for (std::int64_t b = 0; b < batches; ++b)
    for (std::int64_t h = 0; h < heads; ++h) {
      const auto add = [&](std::int64_t begin, std::int64_t end, std::int64_t key_begin, std::int64_t key_end) {
        for (std::int64_t i = begin; i < end; i += kQueryBlock) {
          const std::int64_t last = std::min(end, i + kQueryBlock);
          const std::int64_t seen = mask.kind() == Mask::Kind::causal ? std::min(key_end, mask.past() + last) : key_end;
          tasks.push_back({b, h, i, last, key_begin, seen});
        }
      };
      if (mask.kind() == Mask::Kind::segments) {
        const auto bounds = mask.cu_seqlens();
        for (std::size_t s = 1; s < bounds.size(); ++s) add(bounds[s - 1], bounds[s], bounds[s - 1], bounds[s]);
      } else {
        add(0, q_len, 0, kv_len);
      }
    }
  return tasks;
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
  binder.check();

  const std::int64_t batches = q.dim(0);
  const std::int64_t heads = q.dim(1);
  const std::int64_t q_len = q.dim(2);
  const std::int64_t width = q.dim(3);
  const std::int64_t kv_len = k.dim(2);
  const std::int64_t group = k.dim(1) == 0 ? 1 : heads / k.dim(1);
  if (mask.kind() == Mask::Kind::segments &&
      (q_len != kv_len || mask.cu_seqlens().empty() || mask.cu_seqlens().back() != q_len))
    throw Error(ErrorCode::shape_mismatch,
                "attention (" + std::string(options.module_path) + "): cu_seqlens ends at " +
                    std::to_string(mask.cu_seqlens().empty() ? 0 : mask.cu_seqlens().back()) + ", but q has " +
                    std::to_string(q_len) + " and k " + std::to_string(kv_len) +
                    " rows. The windows were derived for another grid: take them from the same images");
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
  const View query = view_of(queries);
  const View key = view_of(keys);
  const View value = view_of(values);
  const float scale = options.scale != 0 ? options.scale : 1.0F / std::sqrt(static_cast<float>(width));
  const std::optional<MaskRows> explicit_mask =
      mask.kind() == Mask::Kind::tensor ? std::optional<MaskRows>(mask.tensor()) : std::nullopt;
  float* target = out.mutable_data<float>();
  const std::vector<Task> tasks = tasks_for(mask, batches, heads, q_len, kv_len);

  const auto jobs = static_cast<std::int64_t>(tasks.size());
  std::int64_t products = 0;
  for (const Task& task : tasks)
    products += 2 * (task.query_end - task.query_begin) * (task.key_end - task.key_begin) * width;
  const std::int64_t grain =
      std::max<std::int64_t>(1, kWorthAThread / (1 + products / std::max<std::int64_t>(1, jobs)));
  parallel_for(jobs, grain, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> scores;
    for (std::int64_t t = begin; t < end; ++t) {
      const Task& task = tasks[static_cast<std::size_t>(t)];
      const std::int64_t rows = task.query_end - task.query_begin;
      const std::int64_t count = task.key_end - task.key_begin;
      const std::int64_t kv_head = task.head / group;
      float* to = target + ((task.batch * q_len + task.query_begin) * heads + task.head) * width;
      if (rows == 0) continue;
      if (count == 0) {
        for (std::int64_t i = 0; i < rows; ++i) std::fill_n(to + i * heads * width, width, 0.0F);
        continue;
      }
      scores.resize(static_cast<std::size_t>(rows * count));
      sgemm(rows, count, width, query.at(task.batch, task.head, task.query_begin), query.row_stride,
            key.at(task.batch, kv_head, task.key_begin), key.row_stride, scores.data(), count,
            {.transpose_b = true, .alpha = scale});
      for (std::int64_t i = 0; i < rows; ++i) {
        float* row = scores.data() + i * count;
        if (explicit_mask)
          explicit_mask->apply(task.batch, task.head, task.query_begin + i, task.key_begin, task.key_end, row);
        const std::int64_t visible =
            mask.kind() == Mask::Kind::causal ? std::min(count, mask.past() + task.query_begin + i + 1) : count;
        softmax(row, visible, count);
      }
      sgemm(rows, width, count, scores.data(), count, value.at(task.batch, kv_head, task.key_begin), value.row_stride,
            to, heads * width);
    }
  });
  binder.done({{"out", result}});
  return result;
}

}  // namespace octavo
