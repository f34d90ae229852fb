/// @file
/// Shape contracts: one line of text per operation, parsed at compile time, checked before the operation
/// runs.
///
///     attention:  q[B,Hq,Lq,D]  k[B,Hkv,Lk,D]  v[B,Hkv,Lk,D]  mask?[B|1,Hq|1,Lq,Lk]  ->  out[B,Hq,Lq,D]
///                 where Hq % Hkv == 0, Lk == past + Lq
///
/// Grammar: `op: argument... -> output... [where condition, ...]`. An argument is `name[?] [dims] [:dtype|dtype]`, a
/// dimension a letter, a number, an expression of them (`Hq*D`), or alternatives (`B|1`). A letter is bound on first
/// sight and must agree after. Conditions compare expressions with == != <= >= < >. Letters that no argument shows
/// (`past`) are bound by Binder::dim.
///
/// The text is what is checked, what the docs print, and what an error quotes:
///
///     constexpr Contract kLinear{"linear: x[M,K] w[N,K] -> y[M,N]"};   // a malformed text does not compile
///     Binder(kLinear, "model.layers.0.self_attn.q_proj").arg("x", x).weight("w", w).check();
///
/// An operation binds, checks, makes its outputs, computes, and tells. Tensors without data take the same way, but for
/// the computing:
///
///     Binder binder(kGelu, path);
///     binder.arg("x", x).check();
///     Tensor y = binder.output("y", DType::f32, x.shape());
///     if (!y.is_meta()) compute(x, y);
///     binder.done({{"y", y}});
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "octavo/detail/contract_parser.hpp"
#include "octavo/observer.hpp"
#include "octavo/tensor.hpp"

namespace octavo {

/// A parsed contract. A literal type without pointers: copy it freely.
class Contract {
 public:
  /// At compile time, from a literal.
  template <std::size_t size>
  consteval explicit Contract(const char (&text)[size])
      : parsed_(detail::ContractParser(std::string_view(text, size - 1)).parse()) {}
  /// At run time. Throws format, saying what was expected at which offset.
  static Contract parse(std::string_view text);

  constexpr std::string_view text() const { return parsed_.text(); }
  constexpr std::string_view op() const { return parsed_.text(parsed_.op); }
  constexpr const detail::ParsedContract& parsed() const { return parsed_; }

 private:
  constexpr explicit Contract(const detail::ParsedContract& parsed) : parsed_(parsed) {}
  detail::ParsedContract parsed_;
};

/// The field's term for a letter: "Lk" -> "kv_len". The letter itself when it has none.
std::string_view meaning_of(std::string_view letter) noexcept;

/// One check of one contract. Refers to the contract, the module path and the origins of letters, which must outlive
/// it. Not thread-safe; make one per call. A check that holds allocates nothing: words are made when one fails.
class Binder {
 public:
  explicit Binder(const Contract& contract, std::string_view module_path = "");
  Binder(Contract&&, std::string_view) = delete;

  /// Binds a letter that no argument shows. `origin` is how errors name the source: "the cache's length".
  Binder& dim(std::string_view letter, std::int64_t value, std::string_view origin);
  /// An argument or output, by its tensor, or symbolically by dtype and shape.
  Binder& arg(std::string_view name, const Tensor& tensor);
  Binder& arg(std::string_view name, DType dtype, const Shape& shape);
  Binder& arg_if(std::string_view name, const Tensor& tensor);  ///< only when defined
  /// The same for what a model holds rather than computes, as it is stored.
  Binder& weight(std::string_view name, const Tensor& tensor);
  Binder& weight(std::string_view name, DType dtype, const Shape& shape, bool has_data = true);
  /// The same for what the model's caller holds: token ids, pixels, grids. A ledger sees them while they are read.
  Binder& given(std::string_view name, const Tensor& tensor);
  Binder& given(std::string_view name, DType dtype, const Shape& shape);
  Binder& workspace(std::uint64_t bytes);  ///< that the operation takes for itself while it runs
  /// Throws shape_mismatch or dtype_mismatch for the first problem, in the order arguments were given: a wrong rank,
  /// element type or dimension, a missing argument, a condition that does not hold. Error::shape() has the fields. When
  /// the thread is observed, the message goes on with one line for each of the last operations. An observer that wants
  /// to go on (OperationObserver::on_problem) hears of the problem instead.
  void check() const;
  /// After check(): no tensor that was given is without data.
  bool has_data() const noexcept { return has_data_; }
  /// After check(): an output of the contract's shape, uninitialised; without data where an argument is. `expected` is
  /// that shape as the caller knows it, and is what a broken contract's output has.
  Tensor output(std::string_view name, DType dtype, const Shape& expected) const;
  /// After check(): an output that is a view of an argument's values; `expected` as above.
  Tensor view(std::string_view name, const Tensor& of, const Shape& expected) const;
  /// After the work: tells the thread's observer, if it has one, what was computed. Outputs are then checked against
  /// the contract, too: one that does not fit throws internal.
  struct Output {
    std::string_view name;
    const Tensor& value;
  };
  void done(std::initializer_list<Output> outputs) const {
    if (OperationObserver* observer = current_observer()) tell(*observer, outputs);
  }
  /// After a successful check: a letter's value, an output's shape.
  std::int64_t value(std::string_view letter) const;
  Shape shape_of(std::string_view output) const;

 private:
  struct Letter {
    std::int64_t value = 0;
    std::string_view origin;  ///< as given to dim(); of one that an argument shows: empty
    std::uint8_t given = 0;   ///< else the place in given_ of the argument that showed it first,
    std::uint8_t at = 0;      ///< and its dimension
    bool bound = false;
  };
  struct Given {
    std::size_t argument = 0;
    DType dtype = DType::f32;
    Shape shape;
    bool is_weight = false;
  };
  friend class BinderCheck;
  std::optional<std::int64_t> evaluate(detail::Range steps) const;
  void bind_letters(std::size_t given);
  std::string source_of(const Letter& letter) const;  ///< "k [1, 2, 455, 128] dim 2"
  void tell(OperationObserver& observer, std::initializer_list<Output> outputs) const;

  const Contract& contract_;
  std::string_view module_path_;
  std::array<Letter, detail::ParsedContract::kMaxLetters> letters_{};
  detail::FixedList<Given, detail::ParsedContract::kMaxArguments> given_;
  std::uint64_t workspace_bytes_ = 0, caller_bytes_ = 0;
  bool has_data_ = true;
  mutable bool checked_ = false, broken_ = false;  // by check()
};

/// For operations that trust their caller: binds, checks and tells only when the thread is observed.
///
///     report_operation(kGeluContract, path, [&](Binder& binder) { binder.arg("x", x).done({{"y", x}}); });
template <class Tell>
void report_operation(const Contract& contract, std::string_view module_path, Tell&& tell) {
  if (current_observer() == nullptr) return;
  Binder binder(contract, module_path);
  tell(binder);
}

/// The same for one whose output is a view of x: x reshaped, when the contract holds.
///
///     Tensor y = view_operation(kSplitHeadsContract, path, x, Shape{rows, heads, width},
///                               [&](Binder& binder) { binder.dim("D", width, "head_dim").arg("x", x); });
template <class Bind>
Tensor view_operation(const Contract& contract, std::string_view module_path, const Tensor& x, const Shape& expected,
                      Bind&& bind) {
  if (current_observer() == nullptr) return x.reshape(expected);
  Binder binder(contract, module_path);
  bind(binder);
  binder.check();
  Tensor y = binder.view("y", x, expected);
  binder.done({{"y", y}});
  return y;
}

}  // namespace octavo
