/// @file
/// What tensors without data would take: bytes alive, from their real lifetimes.
///
///     Ledger ledger;
///     {
///       const LedgerScope scope(ledger);
///       const Tensor x = Tensor::meta(DType::f32, {1024, 1024});
///       ledger.live_bytes();  // 4194304
///     }
///     ledger.live_bytes();  // 0
///
/// A run over tensors without data makes and drops the very tensors that a real one does, so that its ledger says what
/// the real one holds at any moment. Views share storage and count once.
///
/// Threads: a scope belongs to its thread, and its tensors must be released on it.
#pragma once

#include <cstdint>
#include <memory>

#include "octavo/tensor.hpp"

namespace octavo {

class Ledger {
 public:
  Ledger();
  /// Of storages made within its scopes and not yet released.
  std::uint64_t live_bytes() const noexcept { return account_->live_bytes; }
  /// Whether some ledger, this or another, counts the tensor's storage.
  static bool counts(const Tensor& tensor) noexcept;

  struct Account {
    std::uint64_t live_bytes = 0;
  };

 private:
  friend class LedgerScope;
  std::shared_ptr<Account> account_;  // which a storage may outlive
};

/// While one lives, tensors without data that its thread makes are counted by this ledger. Scopes nest; the innermost
/// counts.
class LedgerScope {
 public:
  explicit LedgerScope(const Ledger& ledger) noexcept;
  ~LedgerScope();
  LedgerScope(const LedgerScope&) = delete;
  LedgerScope& operator=(const LedgerScope&) = delete;

 private:
  std::shared_ptr<Ledger::Account> previous_;
};

}  // namespace octavo
