#include "octavo/ledger.hpp"

#include <utility>

#include "storage.hpp"

namespace octavo {

namespace {

thread_local std::shared_ptr<Ledger::Account> current;

}  // namespace

Ledger::Ledger() : account_(std::make_shared<Account>()) {}

bool Ledger::counts(const Tensor& tensor) noexcept { return tensor.storage_ != nullptr && tensor.storage_->counted(); }

LedgerScope::LedgerScope(const Ledger& ledger) noexcept : previous_(std::exchange(current, ledger.account_)) {}

LedgerScope::~LedgerScope() { current = std::move(previous_); }

std::shared_ptr<Storage> allocate_without_data(std::size_t size_bytes) {
  return std::make_shared<Storage>(size_bytes, current);
}

}  // namespace octavo
