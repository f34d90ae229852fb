/// @file
/// Watching a run: what each operation bound and what it computed, told as it happens to whoever asked.
///
/// Operations check their contract before they compute (Binder::check) and hand in their outputs when they are done
/// (Binder::done). A thread that has an observer hears of both; a thread that has none pays one null check of a
/// thread-local pointer. trace.hpp records runs on top of this, with data or without.
///
/// Threads: an observer belongs to the thread that set it. Workers of parallel loops have none, so an operation is
/// heard of once, from the thread that runs the model.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "octavo/tensor.hpp"

namespace octavo {

struct ObservedDim {
  std::string_view letter;  ///< "Lk"; meaning_of() gives the field's term
  std::int64_t value = 0;
};

struct ObservedValue {
  std::string_view name;  ///< as in the contract
  DType dtype = DType::f32;
  Shape shape;
  const Tensor* tensor = nullptr;  ///< outputs only
  int row_dim = -1;  ///< outputs: the dimension that counts tokens, positions or patches; -1 when none does
  bool is_weight = false;
};

/// One finished operation. Views: valid during the call alone.
struct ObservedOperation {
  std::string_view module_path;  ///< published layout: "model.layers.0.self_attn.q_proj"; may be empty
  std::string_view operation;    ///< "linear"
  std::string_view contract;     ///< its whole text
  std::vector<ObservedDim> dims;
  std::vector<ObservedValue> arguments, outputs;
  std::uint64_t workspace_bytes = 0;  ///< memory of its own while it runs
  std::uint64_t caller_bytes = 0;     ///< of arguments that the model's caller holds and no ledger counts: token ids
};

class OperationObserver {
 public:
  virtual ~OperationObserver() = default;
  /// A forward call begins: "vision"; of the language model "prefill" (nothing cached), "decode" (one token after
  /// cached ones) or "extend" (several after cached ones).
  virtual void on_call(std::string_view phase) = 0;
  virtual void on_operation(const ObservedOperation& operation) = 0;
  /// The last few operations, one line each, oldest first; they are appended to the message of a broken contract.
  virtual std::string recent() const = 0;

  /// A contract is broken. True: go on, as only a run without data can; the operation's outputs then have the shapes
  /// that its caller expects, and on_operation follows. False, the default: it throws.
  virtual bool on_problem(const Error& /*broken*/) { return false; }
  /// What is worth knowing of the operation that comes next: an attention's windows.
  virtual void on_note(std::string_view /*note*/) {}
  /// What follows is done for one sequence of a batch alone; -1: for all of them together again.
  virtual void on_sequence(std::int64_t /*index*/) {}
};

namespace detail {
inline thread_local constinit OperationObserver* observer = nullptr;
}
/// This thread's observer, or null.
inline OperationObserver* current_observer() noexcept { return detail::observer; }

/// While one lives, its thread has this observer instead of the one before; null: no observer. Scopes nest.
class ObserverScope {
 public:
  explicit ObserverScope(OperationObserver* observer) noexcept : previous_(detail::observer) {
    detail::observer = observer;
  }
  ~ObserverScope() { detail::observer = previous_; }
  ObserverScope(const ObserverScope&) = delete;
  ObserverScope& operator=(const ObserverScope&) = delete;

 private:
  OperationObserver* previous_;
};

/// Models say where a call begins,
inline void announce_call(std::string_view phase) {
  if (OperationObserver* observer = current_observer()) observer->on_call(phase);
}
/// whose operations follow,
inline void announce_sequence(std::int64_t index) {
  if (OperationObserver* observer = current_observer()) observer->on_sequence(index);
}
/// and what is worth knowing of the next one; `text` makes the note, and is called when somebody hears it.
template <class Text>
void announce_note(Text&& text) {
  if (OperationObserver* observer = current_observer()) observer->on_note(text());
}

}  // namespace octavo
