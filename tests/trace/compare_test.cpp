// Comparing traces made by hand, so that every expected place is known.
#include <cmath>

#include "catch.hpp"
#include "octavo/contract.hpp"
#include "octavo/trace.hpp"

using octavo::Binder;
using octavo::Contract;
using octavo::DType;
using octavo::Shape;
using octavo::Tensor;
using octavo::Trace;
using octavo::TraceScope;

namespace {

constexpr Contract kProduct{"linear: x[M,K]:f32 -> y[M,K]:f32"};
constexpr Contract kInt8{"linear_w8a8: x[M,K]:f32 -> y[M,K]:f32"};
constexpr Contract kAttend{"attention: q[1,Hq,Lq,D]:f32 k[1,Hq,Lk,D]:f32 -> out[1,Hq,Lq,D]:f32"};

/// Rows 0, 1, ... of a sequence; row r is the same whatever comes before it.
Tensor rows(std::int64_t from, std::int64_t to, float factor) {
  Tensor x = Tensor::empty(DType::f32, {to - from, 4});
  for (std::int64_t r = from; r < to; ++r)
    for (std::int64_t i = 0; i < 4; ++i)
      x.mutable_data<float>()[(r - from) * 4 + i] = factor * static_cast<float>(r + 1) * static_cast<float>(i - 2);
  return x;
}

struct Run {
  bool cached = false;
  const Contract* product = &kProduct;
  float wrong_factor = 1;  ///< of module "b" from call 1 on
  std::int64_t extra_keys = 0;
};

/// A prefill of three rows and two more steps.
std::vector<octavo::TraceRecord> run(const Run& options) {
  Trace trace({.values = true});
  const TraceScope scope(trace);
  for (std::int64_t step = 0; step < 3; ++step) {
    const std::int64_t end = 3 + step;
    const std::int64_t begin = options.cached && step > 0 ? end - 1 : 0;
    octavo::announce_call(begin == 0 ? "prefill" : "decode");
    for (const char* module : {"a", "b", "c"}) {
      const float factor = step > 0 && module[0] == 'b' ? options.wrong_factor : 1;
      Binder binder(*options.product, module);
      binder.arg("x", rows(begin, end, 1)).check();
      binder.done({{"y", rows(begin, end, factor)}});
    }
    Binder binder(kAttend, "attn");
    binder.arg("q", DType::f32, Shape{1, 1, end - begin, 4})
        .arg("k", DType::f32, Shape{1, 1, end + options.extra_keys, 4});
    binder.check();
    binder.done({{"out", rows(begin, end, 1).reshape(Shape{1, 1, end - begin, 4})}});
  }
  return trace.records();
}

}  // namespace

TEST_CASE("a trace equals itself") {
  const auto a = run({});
  const octavo::TraceComparison result = octavo::compare_traces(a, a);
  CHECK(result.same());
  CHECK((result.matched == 12 && result.only_a == 0 && result.only_b == 0 && result.values_compared == 12));
  CHECK((!result.first_rows && !result.first_dims && !result.first_drift));
  CHECK(result.to_text() ==
        "12 operations match\nrows: equal everywhere\ndims: equal everywhere\nvalues: 12 compared, none beyond "
        "1.00e-03\n");
}

TEST_CASE("cached and uncached differ in rows alone, last rows are compared") {
  const octavo::TraceComparison result = octavo::compare_traces(run({}), run({.cached = true}));
  CHECK(result.same());
  REQUIRE(result.first_rows.has_value());
  CHECK((result.first_rows->call_a == 1 && result.first_rows->module_path == "a"));
  CHECK(result.first_rows->what == "M (rows) 4 / 1");
  CHECK((result.values_compared == 12 && result.values_beyond == 0));
}

TEST_CASE("the first and the worst drift are found at their module") {
  const octavo::TraceComparison result = octavo::compare_traces(run({}), run({.cached = true, .wrong_factor = 1.25F}));
  CHECK_FALSE(result.same());
  REQUIRE(result.first_drift.has_value());
  CHECK((result.first_drift->call_a == 1 && result.first_drift->module_path == "b"));
  // One row against itself times 1.25: every group's sum differs by a quarter, whatever the hash.
  CHECK(result.first_drift->drift == Approx(0.25).epsilon(0.5));
  CHECK(result.values_beyond == 2);
  REQUIRE_FALSE(result.worst.empty());
  CHECK(result.worst[0].module_path == "b");
  const octavo::Json json = result.to_json().build();
  CHECK(json.at("first_drift").at("module").as_string() == "b");
  CHECK_FALSE(json.at("same").as_bool());
  CHECK(json.at("first_dims").is_null());
}

TEST_CASE("dims other than rows are a difference") {
  const octavo::TraceComparison result = octavo::compare_traces(run({}), run({.extra_keys = 3}));
  CHECK_FALSE(result.same());
  REQUIRE(result.first_dims.has_value());
  CHECK(result.first_dims->what == "Lk (kv_len) 3 / 6");
  CHECK((result.first_dims->call_a == 0 && result.first_dims->operation == "attention"));
  CHECK(result.to_text().find("dims: first differ at call 0 / 0, attention (attn): Lk (kv_len) 3 / 6\n") !=
        std::string::npos);
}

TEST_CASE("int8 and float linears belong together") {
  const octavo::TraceComparison result = octavo::compare_traces(run({}), run({.product = &kInt8}));
  CHECK((result.matched == 12 && result.only_a == 0 && result.same()));
}

TEST_CASE("the last call alone can be compared: prefill with decode") {
  const auto decode = run({.cached = true});
  std::vector<octavo::TraceRecord> prefill;
  for (octavo::TraceRecord record : run({}))
    if (record.call == 2) {
      record.call = 0;
      prefill.push_back(record);
    }
  const octavo::TraceComparison result = octavo::compare_traces(prefill, decode, {.last_call_only = true});
  CHECK((result.matched == 4 && result.only_a == 0 && result.only_b == 0 && result.same()));
  CHECK(result.first_rows->what == "M (rows) 5 / 1");
  CHECK_FALSE(octavo::compare_traces(prefill, decode).same());  // first calls: kv_len 5 against 3
}

TEST_CASE("what is on one side alone is counted and named") {
  auto a = run({});
  auto b = run({});
  a.erase(a.begin() + 2);  // "c" of call 0
  b.pop_back();
  const octavo::TraceComparison result = octavo::compare_traces(a, b);
  CHECK((result.matched == 10 && result.only_a == 1 && result.only_b == 1));
  CHECK((result.first_only_a == "attention (attn)" && result.first_only_b == "linear (c)"));
  CHECK(result.to_text().find("10 operations match, 1 only in the first trace, from attention (attn) on, 1 only in the "
                              "second, from linear (c) on\n") == 0);
}

TEST_CASE("traces without values say that values were not compared") {
  auto a = run({});
  for (octavo::TraceRecord& record : a)
    for (octavo::TraceValue& output : record.outputs) output.all = output.last_row = std::nullopt;
  const octavo::TraceComparison result = octavo::compare_traces(a, run({}));
  CHECK((result.values_compared == 0 && result.same()));
  CHECK(result.to_text().find("values: not compared: record both traces with values") != std::string::npos);
}

TEST_CASE("impossible comparisons are refused") {
  const auto a = run({});
  const auto message = [](auto&& job) {
    try {
      job();
    } catch (const octavo::Error& error) {
      return std::string(error.what());
    }
    return std::string("nothing was thrown");
  };
  CHECK(message([&] { octavo::compare_traces(a, {}); }) == "compare_traces: the second trace has no records");
  CHECK(message([&] { octavo::compare_traces(a, a, {.bound = -1}); }) ==
        "compare_traces: the bound is -1.000000, it must be positive");
  CHECK(message([&] { octavo::compare_traces(a, a, {.bound = std::nan("")}); }).find("compare_traces: the bound") == 0);
}
