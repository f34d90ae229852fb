// The contract language: what it accepts, what it binds, and whole messages.
#include "octavo/contract.hpp"

#include <limits>

#include "catch.hpp"

using namespace octavo;

namespace {

constexpr Contract kAttention{
    "attention: q[B,Hq,Lq,D] k[B,Hkv,Lk,D] v[B,Hkv,Lk,D] mask?[B|1,Hq|1,Lq,Lk] -> out[B,Hq,Lq,D] "
    "where Hq % Hkv == 0, Lk == past + Lq"};
static_assert(kAttention.op() == "attention");  // parsed while compiling

std::string message(const Binder& binder) {
  try {
    binder.check();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

bool says(const Binder& binder, const std::string& part) { return message(binder).find(part) != std::string::npos; }

Binder seed(const Shape& mask, std::int64_t past) {
  Binder binder(kAttention, "language.layers.0.self_attn");
  binder.dim("past", past, "the cache's length");
  binder.arg("q", DType::f32, {1, 16, 228, 128}).arg("k", DType::f32, {1, 2, 455, 128});
  binder.arg("v", DType::f32, {1, 2, 455, 128}).arg("mask", DType::f32, mask);
  return binder;
}

}  // namespace

TEST_CASE("the mistake that Octavo exists for reads well") {
  const Binder binder = seed({1, 1, 228, 228}, 227);
  CHECK(message(binder) ==
        "attention (language.layers.0.self_attn): mask [1, 1, 228, 228] dim 3 (Lk, kv_len) is 228, but k [1, 2, 455, "
        "128] dim 2 set kv_len to 455 = past 227 + new 228. The cache already holds 227 positions and all 228 prompt "
        "tokens were passed again: pass only the new token, or reset the cache.");
  try {
    binder.check();
    FAIL("no error");
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::shape_mismatch);
    REQUIRE(error.shape() != nullptr);
    const ShapeDetail& shape = *error.shape();
    CHECK(shape.op == "attention");
    CHECK(shape.module == "language.layers.0.self_attn");
    CHECK(shape.argument == "mask");
    CHECK(shape.dim == 3);
    CHECK(shape.dim_name == "Lk, kv_len");
    CHECK(shape.expected == 455);
    CHECK(shape.actual == 228);
  }
  CHECK(message(seed({1, 1, 228, 455}, 227)).empty());
  CHECK(message(seed({1, 16, 228, 455}, 227)).empty());
}

TEST_CASE("letters agree across arguments, and outputs follow from them") {
  constexpr Contract linear{"linear: x[M,K] w[N,K] bias?[N] -> y[M,N]"};
  Binder good(linear);
  good.arg("x", DType::f32, {5, 8}).arg("w", DType::bf16, {3, 8}).check();
  CHECK(good.shape_of("y") == Shape({5, 3}));
  CHECK(good.value("K") == 8);
  Binder bad(linear, "lm_head");
  bad.arg("x", DType::f32, {5, 8}).arg("w", DType::bf16, {3, 8}).arg("bias", DType::f32, {4});
  CHECK(message(bad) ==
        "linear (lm_head): bias [4] dim 0 (N, out_features) is 4, but w [3, 8] dim 0 set out_features to 3.");
  Binder swapped(linear);
  swapped.arg("w", DType::f32, {3, 8}).arg("x", DType::f32, {8, 5});
  CHECK(says(swapped, "x [8, 5] dim 1 (K, in_features) is 5"));
}

TEST_CASE("rank, element type, missing and undefined arguments, conditions") {
  constexpr Contract typed{"op: a[N]:f32|bf16 b[2*N+1] -> c[N] where N % 4 == 0"};
  Binder rank(typed);
  rank.arg("a", DType::f32, {2, 4}).arg("b", DType::f32, {9});
  CHECK(message(rank) == "op: a [2, 4] has 2 dimensions, the contract has 1: " + std::string(typed.text()));
  Binder dtype(typed);
  dtype.arg("a", DType::s8, {4}).arg("b", DType::f32, {9});
  CHECK(message(dtype) == "op: a [4] holds s8, f32 or bf16 is needed");
  Binder missing(typed);
  missing.arg("a", DType::f32, {4});
  CHECK(message(missing) == "op: the argument b is missing. Contract: " + std::string(typed.text()));
  Binder product(typed);
  product.arg("a", DType::f32, {4}).arg("b", DType::f32, {8});
  CHECK(message(product) == "op: b [8] dim 0 (2*N+1) is 8, but 2*N+1 is 9 (N, out_features is 4 by a [4] dim 0).");
  Binder condition(typed, "m");
  condition.arg("a", DType::f32, {6}).arg("b", DType::f32, {13});
  CHECK(
      message(condition) ==
      "op (m): N % 4 == 0 does not hold: the left side is 2, the right side 0 (N, out_features is 6 by a [6] dim 0).");
  CHECK_THROWS_WITH(Binder(typed).arg("a", Tensor()), "op: a is an undefined tensor");
  CHECK_THROWS_WITH(Binder(typed).arg("z", DType::f32, {1}),
                    "contract op has no argument z: " + std::string(typed.text()));
  CHECK_THROWS_WITH(Binder(typed).dim("Z", 1, "here"), "contract op has no letter Z: " + std::string(typed.text()));
}

TEST_CASE("an expression without a value is an error whatever the operator") {
  constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  struct Case {
    const char* expression;
    std::int64_t a, b;
  };
  for (const Case& c :
       {Case{"a / b", kLeast, -1}, Case{"a % b", kLeast, -1}, Case{"a / b", 1, 0}, Case{"a % b", 1, 0},
        Case{"a * b", kLeast, -1}, Case{"a * b", kMost, 2}, Case{"a + b", kMost, 1}, Case{"a + b", kLeast, -1},
        Case{"a - b", kLeast, 1}, Case{"0 - a + b", kLeast, 0}, Case{"a / (0-1) + b", kLeast, 0}}) {
    INFO(c.expression << " of " << c.a << " and " << c.b);
    const Contract condition = Contract::parse("f: x[M] -> y[M] where " + std::string(c.expression) + " == 1");
    Binder where(condition);
    where.dim("a", c.a, "a test").dim("b", c.b, "a test").arg("x", DType::f32, {3});
    CHECK(says(where, "does not hold: a side has no value: it exceeds 64 bits or divides by 0"));
    const Contract dimension = Contract::parse("f: x[" + std::string(c.expression) + "] -> y[1]");
    Binder binder(dimension);
    binder.dim("a", c.a, "a test").dim("b", c.b, "a test").arg("x", DType::f32, {3});
    CHECK(says(binder, "has no value: it exceeds 64 bits or divides by 0"));
  }
}

TEST_CASE("a condition never divides by zero or overflows into a pass") {
  constexpr Contract heads{"op: q[Hq] k[Hkv] -> y[Hq] where Hq % Hkv == 0"};
  Binder zero(heads);
  zero.arg("q", DType::f32, {4}).arg("k", DType::f32, {0});
  CHECK(says(zero, "Hq % Hkv == 0 does not hold"));
  constexpr Contract big{"op: a[N] -> y[N] where N*N*N < 10"};
  Binder overflow(big);
  overflow.arg("a", DType::f32, {std::int64_t{1} << 40});
  CHECK(says(overflow, "does not hold"));
}

TEST_CASE("malformed texts are refused at run time as they are while compiling") {
  const auto refused = [](const char* text, const char* wanted) {
    CAPTURE(text);
    CHECK_THROWS_WITH(Contract::parse(text), "contract \"" + std::string(text) + "\": expected " + wanted);
  };
  refused("", "an operation name at offset 0");
  refused("op x[M] -> y[M]", "':' after the operation name at offset 3");
  refused("op: x[M -> y[M]", "',' or ']' after a dimension at offset 8");
  refused("op: x[M]", "an argument or '->' at offset 8");
  refused("op: x[M] x[N] -> y[M]", "an argument name of its own at offset 10");
  refused("op: x[M]:f99 -> y[M]", "an element type: f32, f16, bf16, s8, u8, s32 or i64 at offset 12");
  refused("op: x[M] -> y[M] where M", "a comparison: == != <= >= < > at offset 24");
  refused("op: x[M] -> y[M] where M == 1 M", "nothing more after the conditions at offset 30");
  refused("op: x[1,2,3,4,5,6,7,8,9] -> y[M]", "at most eight dimensions at offset 24");
  CHECK_THROWS_AS(Contract::parse(std::string(600, 'a')), Error);
  CHECK_THROWS_AS(Contract::parse("op: x[" + std::string(60, '(') + "M"), Error);
}

TEST_CASE("what is made after a check has data when every argument has") {
  static constexpr Contract kProduct{"linear: x[M,K]:f32 w[N,K]:f32 -> y[M,N]:f32"};
  const Tensor x = Tensor::zeros(DType::f32, {2, 3});
  const Tensor nothing = Tensor::meta(DType::f32, {2, 3});
  const auto product = [](const Tensor& left, const Tensor& right) {
    Binder binder(kProduct);
    binder.arg("x", left).weight("w", right).check();
    return binder.output("y", DType::f32, {2, 2});
  };
  CHECK(!product(x, x).is_meta());
  CHECK(product(x, nothing).is_meta());
  CHECK(product(nothing, x).is_meta());
  CHECK(product(nothing, nothing).shape() == Shape{2, 2});

  Binder symbolic(kProduct);
  symbolic.arg("x", x).weight("w", DType::f32, {5, 3}, false).check();
  CHECK(!symbolic.has_data());
  CHECK(symbolic.output("y", DType::f32, {2, 7}).shape() == Shape{2, 5});  // the contract's, when it holds
}

namespace {

/// Lets a run go on, as a plan does.
struct Tolerant : OperationObserver {
  std::vector<std::string> told, done;
  void on_call(std::string_view) override {}
  void on_operation(const ObservedOperation& operation) override {
    done.push_back(std::string(operation.module_path) + " " + operation.outputs[0].shape.to_string());
  }
  std::string recent() const override { return "not asked for"; }
  bool on_problem(const Error& broken) override {
    told.emplace_back(broken.what());
    return true;
  }
};

}  // namespace

TEST_CASE("an observer may let a broken contract pass, and its outputs are then what the caller expects") {
  static constexpr Contract kJoin{"join: x[L,heads,D]:f32 -> y[L,heads*D]:f32 where D % 2 == 0"};
  const Tensor x = Tensor::meta(DType::f32, {2, 3, 5});
  const auto join = [&](const Shape& expected) {
    return view_operation(kJoin, "m", x, expected, [&](Binder& binder) { binder.arg("x", x); });
  };
  Tolerant observer;
  {
    const ObserverScope scope(&observer);
    CHECK(join({2, 15}).shape() == Shape{2, 15});
    CHECK(join({2, 16}).shape() == Shape{2, 16});  // no view of x could have it
    Binder(kJoin, "n").arg("x", Tensor::meta(DType::f32, {2, 3, 4})).check();
  }
  CHECK(observer.told.size() == 2);
  CHECK(observer.told[0] == message(Binder(kJoin, "m").arg("x", x)));
  CHECK(observer.done == std::vector<std::string>{"m [2, 15]", "m [2, 16]"});
  CHECK_THROWS_AS(Binder(kJoin, "m").arg("x", x).check(), Error);  // unobserved, as ever
}
