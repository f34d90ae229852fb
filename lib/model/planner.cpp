#include "planner.hpp"

#include <algorithm>
#include <optional>

#include "octavo/gemm.hpp"
#include "octavo/model_contracts.hpp"

namespace octavo::model {

PaperWeights::PaperWeights(const Checkpoint& checkpoint, const std::vector<ExpectedTensor>& expected) {
  weights_.reserve(expected.size());
  for (const ExpectedTensor& tensor : expected) {
    const TensorInfo* info = checkpoint.find(tensor.name);
    if (tensor.optional) continue;  // a copy that nothing reads: lm_head of a tied model
    const DType promised = tensor.scheme != StoredScheme::none ? DType::s8 : DType::f32;
    weights_[tensor.name] = {info != nullptr && info->dtype ? *info->dtype : promised,
                             info != nullptr ? info->shape : tensor.shape, tensor.shape, tensor.scheme};
  }
}

const PaperWeights::Weight* PaperWeights::find(const std::string& name) const {
  const auto found = weights_.find(name);
  return found == weights_.end() ? nullptr : &found->second;
}

const PaperWeights::Weight& PaperWeights::at(const std::string& name) const {
  if (const Weight* found = find(name)) return *found;
  throw Error(ErrorCode::internal, "plan: no tensor \"" + name + "\" was promised");
}

CallPlanner::Step::Step(CallPlanner& planner, const Contract& contract, std::string module_path)
    : planner_(planner),
      binder_(contract, module_path),
      contract_(contract),
      index_(planner.call_.steps.size()),
      path_(std::move(module_path)) {
  PlanStep step;
  step.module_path = path_;
  step.operation = contract.op();
  step.contract = contract.text();
  step.times = planner.times_;
  planner.call_.steps.push_back(std::move(step));
}

CallPlanner::Step& CallPlanner::Step::dim(std::string_view letter, std::int64_t value, std::string_view origin) {
  binder_.dim(letter, value, origin);
  return *this;
}

namespace {

/// The contract's own spelling, which lives for ever.
std::string_view registered_name(const Contract& contract, std::string_view name) {
  for (std::size_t i = 0; i < contract.parsed().arguments.size(); ++i) {
    const std::string_view known = contract.parsed().text(contract.parsed().arguments[i].name);
    if (known == name) return known;
  }
  return {};
}

/// Letters of an absent optional argument stay unbound.
std::optional<std::int64_t> value_if_bound(const Binder& binder, std::string_view letter) {
  try {
    return binder.value(letter);
  } catch (const Error&) {
    return std::nullopt;
  }
}

/// The same operation broken in an earlier call: one mistake, told once.
bool told_before(const std::vector<Error>& problems, const Error& error) {
  const ShapeDetail* shape = error.shape();
  if (shape == nullptr) return false;
  return std::any_of(problems.begin(), problems.end(), [&](const Error& known) {
    return known.shape() != nullptr && known.shape()->module == shape->module && known.shape()->op == shape->op;
  });
}

}  // namespace

CallPlanner::Step& CallPlanner::Step::in(std::string_view name, const Symbol& symbol) {
  binder_.arg(name, symbol.dtype, symbol.shape);
  planner_.touch(symbol.buffer);
  planner_.call_.steps[index_].inputs.push_back({registered_name(contract_, name), symbol.dtype, symbol.shape});
  return *this;
}

CallPlanner::Step& CallPlanner::Step::weight(std::string_view name, DType dtype, const Shape& shape) {
  binder_.arg(name, dtype, shape);
  planner_.call_.steps[index_].weights.push_back({registered_name(contract_, name), dtype, shape});
  return *this;
}

CallPlanner::Step& CallPlanner::Step::workspace(std::uint64_t bytes) {
  planner_.call_.steps[index_].workspace_bytes = bytes;
  return *this;
}

CallPlanner::Step& CallPlanner::Step::note(std::string text) {
  planner_.call_.steps[index_].note = std::move(text);
  return *this;
}

void CallPlanner::Step::check() {
  if (checked_) return;
  checked_ = true;
  PlanStep& step = planner_.call_.steps[index_];
  try {
    binder_.check();
    fits_ = true;
  } catch (const Error& error) {
    planner_.report(error, step);
  }
  const detail::ParsedContract& parsed = contract_.parsed();
  for (std::size_t i = 0; i < parsed.letters.size(); ++i) {
    const std::string_view letter = parsed.text(parsed.letters[i]);
    if (const std::optional<std::int64_t> value = value_if_bound(binder_, letter))
      step.dims.push_back({letter, *value});
  }
}

Symbol CallPlanner::Step::finish(std::string_view name, const Shape& fallback, DType dtype, std::size_t buffer) {
  check();
  Symbol symbol{dtype, fits_ ? binder_.shape_of(name) : fallback, buffer};
  planner_.call_.steps[index_].outputs.push_back({registered_name(contract_, name), dtype, symbol.shape});
  return symbol;
}

Symbol CallPlanner::Step::out(std::string_view name, const Shape& fallback, DType dtype) {
  Symbol symbol = finish(name, fallback, dtype, Symbol::kNoBuffer);
  symbol.buffer = planner_.new_buffer(static_cast<std::uint64_t>(symbol.shape.numel()) *
                                      static_cast<std::uint64_t>(size_of(dtype)));
  return symbol;
}

Symbol CallPlanner::Step::out_in(std::string_view name, const Symbol& buffer_of, const Shape& fallback) {
  return finish(name, fallback, buffer_of.dtype, buffer_of.buffer);
}

Symbol CallPlanner::given(DType dtype, const Shape& shape) {
  const std::uint64_t bytes = static_cast<std::uint64_t>(shape.numel()) * static_cast<std::uint64_t>(size_of(dtype));
  // Before the first step there is none to be alive in: the next one counts.
  buffers_.push_back({bytes, call_.steps.size(), call_.steps.size()});
  return {dtype, shape, buffers_.size() - 1};
}

void CallPlanner::keep(std::initializer_list<Symbol> symbols) {
  for (const Symbol& symbol : symbols) touch(symbol.buffer);
}

std::size_t CallPlanner::new_buffer(std::uint64_t bytes) {
  const std::size_t now = call_.steps.size() - 1;
  buffers_.push_back({bytes, now, now});
  return buffers_.size() - 1;
}

void CallPlanner::touch(std::size_t buffer) {
  if (buffer != Symbol::kNoBuffer && !call_.steps.empty())
    buffers_[buffer].last = std::max(buffers_[buffer].last, call_.steps.size() - 1);
}

void CallPlanner::report(const Error& error, PlanStep& step) {
  step.problem = error.what();
  if (!told_before(problems_, error)) problems_.push_back(error);
}

Symbol CallPlanner::linear(const std::string& path, const Symbol& x) {
  const PaperWeights::Weight& weight = weights_.at(path + ".weight");
  const bool w8a8 = weight.scheme == StoredScheme::w8a8_dynamic;
  const PaperWeights::Weight* bias = weights_.find(path + ".bias");
  Step step(*this,
            w8a8                                   ? kLinearW8A8Contract
            : weight.scheme == StoredScheme::w8a16 ? kLinearW8A16Contract
                                                   : kLinearContract,
            path);
  if (weight.shape.rank() == 2) {
    step.dim("K", weight.shape[1], "the layer's weight " + weight.shape.to_string() + " dim 1");
  }
  step.in("x", x).weight("w", weight.dtype, weight.shape);
  if (weight.scheme != StoredScheme::none) {
    const PaperWeights::Weight& scale = weights_.at(path + ".weight_scale");
    // Published checkpoints store the scale as [N,1].
    const bool column = scale.shape.rank() == 2 && scale.shape[1] == 1;
    step.weight("w_scale", scale.dtype, column ? Shape{scale.shape[0]} : scale.shape);
  }
  if (w8a8) {
    const auto m = static_cast<std::uint64_t>(x.shape[0]);
    const auto k = static_cast<std::uint64_t>(weight.promised[1]);
    const auto n = static_cast<std::uint64_t>(weight.promised[0]);
    step.workspace(m * k + m * sizeof(float) + m * n * sizeof(std::int32_t));
  }
  if (bias != nullptr) step.weight("bias", bias->dtype, bias->shape);
  return step.out("y", Shape{x.shape[0], weight.promised[0]});
}

Symbol CallPlanner::rms_norm(const std::string& path, const Symbol& x) {
  const PaperWeights::Weight& weight = weights_.at(path + ".weight");
  return step(kRmsNormContract, path).in("x", x).weight("w", weight.dtype, weight.shape).out("y", x.shape);
}

Symbol CallPlanner::residual(const std::string& path, const Symbol& x, const Symbol& y) {
  return step(kResidualContract, path).in("x", x).in("y", y).out_in("sum", x, x.shape);
}

Symbol CallPlanner::swiglu(const std::string& path, const Symbol& gate, const Symbol& up) {
  return step(kSwigluContract, path).in("gate", gate).in("up", up).out_in("y", gate, gate.shape);
}

void CallPlanner::finish() {
  std::vector<std::uint64_t> begins(call_.steps.size() + 1), ends(call_.steps.size() + 1);
  for (const Buffer& buffer : buffers_) {
    if (buffer.first >= call_.steps.size()) continue;
    begins[buffer.first] += buffer.bytes;
    ends[std::min(buffer.last, call_.steps.size() - 1)] += buffer.bytes;
  }
  std::uint64_t live = 0;
  for (std::size_t i = 0; i < call_.steps.size(); ++i) {
    live += begins[i];
    call_.steps[i].live_bytes = live;
    call_.peak_activation_bytes = std::max(call_.peak_activation_bytes, live + call_.steps[i].workspace_bytes);
    live -= ends[i];
  }
}

PlannedCall& add_call(ModelPlan& plan, CallKind kind, std::int64_t batch, std::int64_t past, std::int64_t q_len,
                      std::int64_t capacity, std::string note) {
  PlannedCall call;
  call.kind = kind;
  call.note = std::move(note);
  call.batch = batch;
  call.past = past;
  call.q_len = q_len;
  call.kv_len = past + q_len;
  call.cache_capacity = capacity;
  call.kv_cache_bytes =
      plan.kv_cache_bytes_per_position * static_cast<std::uint64_t>(batch) * static_cast<std::uint64_t>(capacity);
  plan.calls.push_back(std::move(call));
  return plan.calls.back();
}

}  // namespace octavo::model
