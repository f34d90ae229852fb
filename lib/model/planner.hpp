// A forward pass on paper: contracts bound over shapes alone, and the bytes that would be alive meanwhile.
// Architectures write their calls with it, in the order in which they run them.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "octavo/contract.hpp"
#include "octavo/model.hpp"
#include "octavo/plan.hpp"

namespace octavo::model {

/// What the headers hold of the tensors that config.json promises; the promise where one is missing.
class PaperWeights {
 public:
  PaperWeights(const Checkpoint& checkpoint, const std::vector<ExpectedTensor>& expected);
  struct Weight {
    DType dtype = DType::f32;
    Shape shape;
    Shape promised;
    StoredScheme scheme = StoredScheme::none;  ///< of a linear's weight
  };
  const Weight& at(const std::string& name) const;
  const Weight* find(const std::string& name) const;  ///< null for what neither is promised nor there

 private:
  std::unordered_map<std::string, Weight> weights_;
};

/// An activation on paper. Views share a buffer.
struct Symbol {
  static constexpr std::size_t kNoBuffer = static_cast<std::size_t>(-1);  ///< counted elsewhere: the KV cache's
  DType dtype = DType::f32;
  Shape shape;
  std::size_t buffer = kNoBuffer;

  Symbol viewed(const Shape& as) const { return {dtype, as, buffer}; }
};

class CallPlanner {
 public:
  CallPlanner(const PaperWeights& weights, PlannedCall& call, std::vector<Error>& problems)
      : weights_(weights), call_(call), problems_(problems) {}

  /// One operation: inputs in the runtime's order, then its output.
  class Step {
   public:
    Step(CallPlanner& planner, const Contract& contract, std::string module_path);
    Step& dim(std::string_view letter, std::int64_t value, std::string_view origin);
    Step& in(std::string_view name, const Symbol& symbol);
    Step& weight(std::string_view name, DType dtype, const Shape& shape);
    Step& workspace(std::uint64_t bytes);
    Step& note(std::string text);
    /// Checks the contract; `fallback` is the output's shape when it is broken. Again for each further output.
    Symbol out(std::string_view name, const Shape& fallback, DType dtype = DType::f32);
    Symbol out_in(std::string_view name, const Symbol& buffer_of, const Shape& fallback);  ///< in place, or a view

   private:
    void check();
    Symbol finish(std::string_view name, const Shape& fallback, DType dtype, std::size_t buffer);
    CallPlanner& planner_;
    Binder binder_;
    const Contract& contract_;
    std::size_t index_;
    bool checked_ = false, fits_ = false;
    std::string path_;
  };
  Step step(const Contract& contract, std::string module_path) { return {*this, contract, std::move(module_path)}; }

  /// The steps from here on run `count` times, over the sequences of a batch: each binds one sequence's share.
  void repeat(std::int64_t count) { times_ = count; }

  /// A tensor that the caller brings.
  Symbol given(DType dtype, const Shape& shape);
  /// The symbols stay alive until the operation before this point: the end of a scope.
  void keep(std::initializer_list<Symbol> symbols);

  // What every architecture is made of.
  Symbol linear(const std::string& path, const Symbol& x);  ///< by its stored scheme; x[M,K] -> y[M,N]
  Symbol rms_norm(const std::string& path, const Symbol& x);
  Symbol residual(const std::string& path, const Symbol& x, const Symbol& y);
  Symbol swiglu(const std::string& path, const Symbol& gate, const Symbol& up);

  const PaperWeights& weights() const { return weights_; }
  /// Fills live_bytes and the peak.
  void finish();

 private:
  struct Buffer {
    std::uint64_t bytes = 0;
    std::size_t first = 0, last = 0;  // steps
  };
  PlanStep& current() { return call_.steps.back(); }
  std::size_t new_buffer(std::uint64_t bytes);
  void touch(std::size_t buffer);
  void report(const Error& error, PlanStep& step);

  const PaperWeights& weights_;
  PlannedCall& call_;
  std::vector<Error>& problems_;
  std::vector<Buffer> buffers_;
  std::int64_t times_ = 1;
};

/// The next call of the plan, with its positions filled in.
PlannedCall& add_call(ModelPlan& plan, CallKind kind, std::int64_t batch, std::int64_t past, std::int64_t q_len,
                      std::int64_t capacity, std::string note);

}  // namespace octavo::model
