// NaN and infinity end a run, and the error names the module that made them.
//
// A run looks where it costs next to nothing: norms see them in the sum of squares that they take anyway, int8 rows in
// their largest magnitude; queries, keys, vision rows and logits are looked at. Whatever lies between passes them on.
// Only a run that met some is repeated, with every output looked at, to find the first.
#pragma once

#include <string>
#include <string_view>

#include "octavo/observer.hpp"

namespace octavo::model {

/// @throws Error  not_finite: "`module_path`: `what` is NaN or infinite".
void require_finite(const Tensor& x, std::string_view module_path, std::string_view what);

/// Throws not_finite, naming the module, at the first operation whose output holds NaN or infinity. The observer that
/// was there before hears of everything, too.
class FirstNotFinite final : public OperationObserver {
 public:
  FirstNotFinite() noexcept : next_(current_observer()) {}
  void on_call(std::string_view phase) override;
  void on_operation(const ObservedOperation& operation) override;
  std::string recent() const override;
  bool on_problem(const Error& broken) override;
  void on_note(std::string_view note) override;
  void on_sequence(std::int64_t index) override;

 private:
  OperationObserver* next_;
};

/// Runs `job`, which must leave everything as it was when it throws. Where it meets NaN or infinity it runs once more,
/// to say where they come from.
template <class Job>
decltype(auto) naming_not_finite(Job&& job) {
  try {
    return job();
  } catch (const Error& error) {
    if (error.code() != ErrorCode::not_finite) throw;
    const ObserverScope quiet(nullptr);  // who watches has heard of the first run
    FirstNotFinite observer;
    const ObserverScope scope(&observer);
    job();
    throw;
  }
}

}  // namespace octavo::model
