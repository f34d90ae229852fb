// Recording by hand-made operations: what is kept, how it is written, read and shown.
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <random>
#include <sstream>
#include <thread>

#include "catch.hpp"
#include "message_of.hpp"
#include "octavo/contract.hpp"
#include "octavo/trace.hpp"
#include "scratch.hpp"

using octavo::Binder;
using octavo::Contract;
using octavo::DType;
using octavo::Shape;
using octavo::Tensor;
using octavo::Trace;
using octavo::TraceScope;

namespace {

constexpr Contract kProduct{"linear: x[M,K]:f32 w[N,K]:f32 -> y[M,N]:f32"};
constexpr Contract kJoin{"join: x[B,heads,L,D]:f32 -> y[B*L,heads*D]:f32"};

Tensor ramp(const Shape& shape, float first = 0) {
  Tensor x = Tensor::empty(DType::f32, shape);
  for (float& value : x.mutable_values<float>()) value = first++;
  return x;
}

void product(std::int64_t m, std::int64_t k, std::int64_t n, const std::string& path) {
  Binder binder(kProduct, path);
  binder.arg("x", ramp({m, k})).arg("w", DType::f32, Shape{n, k}).check();
  binder.done({{"y", ramp({m, n})}});
}

using test::message_of;

class TemporaryFile : public test::ScratchDirectory {
 public:
  std::string path() const { return ScratchDirectory::path("trace.jsonl"); }
  void write(const std::string& text) const { ScratchDirectory::write("trace.jsonl", text); }
};

}  // namespace

TEST_CASE("without a scope nothing is recorded") {
  Trace trace;
  product(1, 2, 3, "a");
  CHECK(octavo::current_observer() == nullptr);
  {
    const TraceScope scope(trace);
    CHECK(octavo::current_observer() == &trace);
  }
  product(1, 2, 3, "b");
  CHECK(trace.count() == 0);
  CHECK(trace.records().empty());
}

TEST_CASE("a record holds path, contract, dims, arguments and outputs") {
  Trace trace;
  const TraceScope scope(trace);
  octavo::announce_call("prefill");
  product(2, 3, 4, "layers.0.q_proj");
  REQUIRE(trace.records().size() == 1);
  const octavo::TraceRecord& record = trace.records()[0];
  CHECK((record.call == 0 && record.phase == "prefill" && record.module_path == "layers.0.q_proj"));
  CHECK((record.operation == "linear" && record.contract == kProduct.text()));
  CHECK(record.to_line() == "layers.0.q_proj linear M=2 K=3 N=4 -> y f32 [2, 4]");
  REQUIRE(record.arguments.size() == 2);
  CHECK((record.arguments[1].name == "w" && record.arguments[1].shape == Shape{4, 3}));
  REQUIRE(record.outputs.size() == 1);
  CHECK_FALSE(record.outputs[0].all.has_value());
}

TEST_CASE("scopes nest, null is silence, other threads are not heard") {
  Trace outer;
  Trace inner;
  const TraceScope scope(outer);
  {
    const TraceScope nested(inner);
    product(1, 1, 1, "inner");
  }
  {
    const octavo::ObserverScope quiet(nullptr);
    product(1, 1, 1, "nobody");
  }
  std::thread([] { product(1, 1, 1, "elsewhere"); }).join();
  product(1, 1, 1, "outer");
  REQUIRE((outer.count() == 1 && inner.count() == 1));
  CHECK((outer.records()[0].module_path == "outer" && inner.records()[0].module_path == "inner"));
}

TEST_CASE("statistics are those of the definition, NaN and infinity apart") {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const std::vector<float> values{3, -4, NAN, 0, kInfinity, -kInfinity, 12};
  const octavo::ValueStatistics all = octavo::statistics_of(Tensor::from<float>(values, {7}));
  CHECK((all.count == 7 && all.nan_count == 1 && all.inf_count == 2));
  CHECK((all.min == -4 && all.max == 12));
  CHECK(all.rms == Approx(std::sqrt(169.0 / 4)));
  CHECK(all.outlier_ratio == 0);
  // 99 ones and a hundred: rms is sqrt(10099 / 100), 100 is the only value beyond six times that.
  std::vector<float> heavy(100, 1);
  heavy[37] = -100;
  CHECK(octavo::statistics_of(Tensor::from<float>(heavy, {100})).outlier_ratio == 0.01);
  const octavo::ValueStatistics none = octavo::statistics_of(Tensor::from<float>(std::vector<float>{NAN}, {1}));
  CHECK((none.min == 0 && none.max == 0 && none.rms == 0 && none.outlier_ratio == 0));
  const octavo::ValueStatistics whole =
      octavo::statistics_of(Tensor::from<std::int64_t>(std::vector<std::int64_t>{-7, 1, 6}, {3}));
  CHECK((whole.min == -7 && whole.max == 6 && whole.rms == Approx(std::sqrt(86.0 / 3))));
}

TEST_CASE("the sketch estimates relative differences within its stated error") {
  std::mt19937 engine(11);
  std::normal_distribution<double> normal;
  for (const double apart : {1e-5, 1e-2, 0.5}) {
    double worst = 0;
    double mean = 0;
    constexpr int kTrials = 200;
    for (int trial = 0; trial < kTrials; ++trial) {
      Tensor a = Tensor::empty(DType::f32, {40, 50});
      Tensor b = Tensor::empty(DType::f32, {40, 50});
      double difference = 0;
      double norm = 0;
      for (std::int64_t i = 0; i < a.numel(); ++i) {
        const auto x = static_cast<float>(normal(engine));
        const auto y = static_cast<float>(double{x} + apart * normal(engine));
        a.mutable_data<float>()[i] = x;
        b.mutable_data<float>()[i] = y;
        difference += (double{x} - double{y}) * (double{x} - double{y});
        norm += double{x} * double{x};
      }
      const double ratio = octavo::relative_difference(octavo::statistics_of(a), octavo::statistics_of(b)) /
                           std::sqrt(difference / norm);
      worst = std::max(worst, std::fabs(ratio - 1));
      mean += ratio / kTrials;
    }
    INFO("apart by " << apart);
    CHECK(worst < 0.45);  // five standard errors of 1 / sqrt(2 * 64)
    CHECK(mean == Approx(1).margin(0.03));
  }
}

TEST_CASE("relative differences at the edges") {
  const auto of = [](std::vector<float> values) {
    return octavo::statistics_of(Tensor::from<float>(values, Shape{static_cast<std::int64_t>(values.size())}));
  };
  CHECK(octavo::relative_difference(of({1, 2, 3}), of({1, 2, 3})) == 0);
  CHECK(octavo::relative_difference(of({0, 0}), of({0, 0})) == 0);
  CHECK(std::isinf(octavo::relative_difference(of({0, 0}), of({0, 1}))));
  CHECK(std::isinf(octavo::relative_difference(of({1, 2}), of({1, NAN}))));
  CHECK(octavo::relative_difference(of({2}), of({1})) == 0.5);
  CHECK(message_of([&] {
          octavo::relative_difference(of({1}), of({1, 2}));
        }) ==
        "relative_difference: statistics of 1 values against those of 2: only tensors of one size can be compared");
}

TEST_CASE("the last row is that of the dimension that counts positions") {
  Trace trace({.values = true});
  const TraceScope scope(trace);
  product(3, 1, 2, "");  // y [3, 2] = 0 .. 5
  Binder binder(kJoin);
  binder.arg("x", ramp({1, 2, 3, 1})).check();
  binder.done({{"y", ramp({3, 2}, 10)}});  // 10 .. 15
  REQUIRE(trace.records()[0].outputs[0].last_row.has_value());
  CHECK(trace.records()[0].outputs[0].last_row->min == 4);
  CHECK(trace.records()[0].outputs[0].last_row->count == 2);
  CHECK(trace.records()[1].outputs[0].last_row->min == 14);
  CHECK(trace.records()[1].outputs[0].all->min == 10);
}

TEST_CASE("an output that breaks the contract is a bug of ours, and said so") {
  Trace trace;
  const TraceScope scope(trace);
  Binder binder(kProduct, "q");
  binder.arg("x", ramp({2, 3})).arg("w", ramp({4, 3})).check();
  CHECK(
      message_of([&] {
        binder.done({{"y", ramp({2, 5})}});
      }) ==
      "an operation's result breaks its own contract: linear (q): y [2, 5] dim 1 (N, out_features) is 5, but w [4, 3] "
      "dim 0 set out_features to 4.");
}

TEST_CASE("a broken contract carries the last operations when a trace is on") {
  const std::string line =
      "linear (bad): w [2, 4] dim 1 (K, in_features) is 4, but x [2, 3] dim 1 set in_features to 3.";
  const auto broken = [] { Binder(kProduct, "bad").arg("x", ramp({2, 3})).arg("w", ramp({2, 4})).check(); };
  CHECK(message_of(broken) == line);
  Trace trace;
  const TraceScope scope(trace);
  CHECK(message_of(broken) == line);  // nothing ran yet
  for (std::int64_t i = 0; i < 7; ++i) product(i, 1, 1, "m" + std::to_string(i));
  std::string expected = line;
  for (const char* n : {"2", "3", "4", "5", "6"})
    expected += std::string("\ntrace: m") + n + " linear M=" + n + " K=1 N=1 -> y f32 [" + n + ", 1]";
  CHECK(message_of(broken) == expected);
  try {
    broken();
  } catch (const octavo::Error& error) {
    REQUIRE(error.shape() != nullptr);
    CHECK((error.shape()->argument == "w" && error.shape()->expected == 3 && error.shape()->actual == 4));
  }
}

namespace {

Tensor without_data(std::int64_t m, std::int64_t k, std::int64_t n, const std::string& path) {
  Binder binder(kProduct, path);
  binder.arg("x", Tensor::meta(DType::f32, {m, k})).weight("w", Tensor::meta(DType::f32, {n, 3})).check();
  Tensor y = binder.output("y", DType::f32, {m, n});
  binder.workspace(7).done({{"y", y}});
  return y;
}

}  // namespace

TEST_CASE("a run without data is recorded with what is alive, its notes, and its broken contracts") {
  const octavo::Ledger ledger;
  Trace trace({.values = true, .ledger = &ledger, .go_on = true});
  {
    const TraceScope scope(trace);
    const octavo::LedgerScope counting(ledger);
    octavo::announce_note([] { return "the first"; });
    const Tensor first = without_data(2, 3, 4, "a");
    const Tensor second = without_data(2, 5, 4, "b");  // K is 5 and 3
  }
  REQUIRE(trace.records().size() == 2);
  const octavo::TraceRecord& a = trace.records()[0];
  const octavo::TraceRecord& b = trace.records()[1];
  CHECK((a.note == "the first" && a.problem.empty() && a.workspace_bytes == 7 && a.times == 1));
  CHECK(a.live_bytes == 2 * 4 * 4);  // arguments died with the expression that bound them
  CHECK((b.note.empty() && b.live_bytes == 2 * a.live_bytes && b.outputs[0].shape == Shape{2, 4}));
  REQUIRE(trace.problems().size() == 1);
  CHECK(b.problem == trace.problems()[0].what());
  CHECK(b.problem == "linear (b): w [4, 3] dim 1 (K, in_features) is 3, but x [2, 5] dim 1 set in_features to 5.");
  CHECK(trace.problems()[0].shape()->expected == 5);
  REQUIRE(a.argument("w") != nullptr);
  CHECK((a.argument("w")->is_weight && !a.argument("x")->is_weight && a.argument("bias") == nullptr));
  CHECK(a.argument("w")->size_bytes() == 48);
  CHECK(!a.outputs[0].all);  // no values where there are no data
  for (const octavo::TraceRecord& record : trace.records()) {
    const octavo::TraceRecord read = octavo::TraceRecord::from_json(record.to_json().build());
    CHECK(read.to_json().dump() == record.to_json().dump());
    CHECK((read.live_bytes == record.live_bytes && read.problem == record.problem && read.note == record.note));
  }
}

TEST_CASE("what the sequences of a batch do alike is one record when they are folded") {
  const bool fold = GENERATE(true, false);
  const octavo::Ledger ledger;
  Trace trace({.ledger = &ledger, .fold_sequences = fold});
  {
    const TraceScope scope(trace);
    const octavo::LedgerScope counting(ledger);
    std::vector<Tensor> kept;
    without_data(1, 3, 1, "before");
    for (std::int64_t i = 0; i < 3; ++i) {
      octavo::announce_sequence(i);
      kept.push_back(without_data(1, 3, 2, "each"));
      without_data(1, 3, 2, "each");  // twice, and not the same record
      if (i == 2) without_data(1, 3, 5, "last");
    }
    octavo::announce_sequence(-1);
    without_data(1, 3, 2, "each");
  }
  std::vector<std::string> lines;
  for (const octavo::TraceRecord& record : trace.records())
    lines.push_back(record.module_path + " " + std::to_string(record.times) + " " + std::to_string(record.live_bytes));
  CHECK(trace.count() == 9);
  if (fold) {
    CHECK(lines == std::vector<std::string>{"before 1 4", "each 3 24", "each 3 32", "last 1 44", "each 1 32"});
  } else {
    CHECK(lines.size() == 9);
  }
}

TEST_CASE("JSON lines read back as they were written") {
  const TemporaryFile file;
  Trace kept({.values = true});
  Trace written({.values = true, .path = file.path()});
  for (Trace* trace : {&kept, &written}) {
    const TraceScope scope(*trace);
    octavo::announce_call("prefill");
    product(2, 3, 4, "a \"quoted\" path");
    octavo::announce_call("decode");
    product(1, 3, 4, "b");
  }
  CHECK((written.records().empty() && written.count() == 2));
  written.close();
  const std::vector<octavo::TraceRecord> read = octavo::read_trace(file.path());
  REQUIRE(read.size() == 2);
  for (std::size_t i = 0; i < 2; ++i) CHECK(read[i].to_json().dump() == kept.records()[i].to_json().dump());
  CHECK(read[1].call == 1);
  CHECK(octavo::relative_difference(*read[0].outputs[0].all, *kept.records()[0].outputs[0].all) == 0);
  std::ostringstream text;
  octavo::write_trace(text, kept.records(), true);
  std::ifstream raw(file.path());
  CHECK(text.str() == std::string(std::istreambuf_iterator<char>(raw), {}));
  CHECK(text.str().find("{\"octavo_trace\":1,\"values\":true}\n") == 0);
  CHECK(text.str().find("{\"letter\":\"K\",\"meaning\":\"in_features\",\"value\":3}") != std::string::npos);
}

TEST_CASE("what is no trace is refused with file and line") {
  const TemporaryFile file;
  CHECK(message_of([&] { octavo::read_trace(file.path()); }) == "trace: cannot open " + file.path());
  file.write("");
  CHECK(message_of([&] { octavo::read_trace(file.path()); }) == file.path() + ": an empty file is no trace");
  file.write("{\"model\": 1}\n");
  CHECK(message_of([&] { octavo::read_trace(file.path()); }) ==
        file.path() + ": not a trace: its first line must say {\"octavo_trace\": 1}");
  file.write("{\"octavo_trace\": 2}\n");
  CHECK(message_of([&] { octavo::read_trace(file.path()); }) ==
        file.path() + ": a trace of version 2, this build reads version 1");
  file.write("{\"octavo_trace\": 1}\n{\"call\": 0}\n");
  CHECK(message_of([&] { octavo::read_trace(file.path()); }).find(file.path() + ":2") == 0);
  for (const char* line :
       {"[]",
        "{\"call\":0,\"phase\":\"\",\"module\":\"\",\"operation\":\"\",\"contract\":\"\",\"dims\":[],"
        "\"arguments\":[{\"name\":\"x\",\"dtype\":\"f99\",\"shape\":[1]}],\"outputs\":[]}",
        "{\"call\":0,\"phase\":\"\",\"module\":\"\",\"operation\":\"\",\"contract\":\"\",\"dims\":[],"
        "\"arguments\":[{\"name\":\"x\",\"dtype\":\"f32\",\"shape\":[-1]}],\"outputs\":[]}"}) {
    file.write(std::string("{\"octavo_trace\": 1}\n") + line + "\n");
    CHECK_THROWS_AS(octavo::read_trace(file.path()), octavo::Error);
  }
  CHECK(message_of([] { Trace({.path = "/no/such/directory/t"}); }) ==
        "trace: /no/such/directory/t: the directory to put it in, /no/such/directory, does not exist; create it first");
}

TEST_CASE("the table has a line per record and columns that align") {
  Trace trace({.values = true});
  const TraceScope scope(trace);
  octavo::announce_call("prefill");
  product(2, 3, 4, "layers.0.q_proj");
  product(12, 3, 1, "n");
  CHECK(octavo::trace_table(trace.records()) ==
        "call  phase    module           operation  dims          output         min  max  rms    outliers  nan  inf\n"
        "0     prefill  layers.0.q_proj  linear     M=2 K=3 N=4   y f32 [2, 4]   0    7    4.183  0         0    0\n"
        "0     prefill  n                linear     M=12 K=3 N=1  y f32 [12, 1]  0    11   6.494  0         0    0\n");
}

TEST_CASE("records are handed to a callback instead of being kept and with a path to both") {
  std::vector<std::string> heard;
  const auto hear = [&](const octavo::TraceRecord& record) { heard.push_back(record.to_json().dump()); };
  Trace alone({.on_record = hear});
  {
    const TraceScope scope(alone);
    product(2, 3, 4, "first");
    product(1, 3, 4, "second");
  }
  CHECK(alone.records().empty());
  CHECK(alone.count() == 2);
  REQUIRE(heard.size() == 2);
  CHECK(octavo::TraceRecord::from_json(octavo::Json::parse(heard[1], "heard")).module_path == "second");

  const TemporaryFile file;
  Trace both({.path = file.path(), .on_record = hear});
  {
    const TraceScope scope(both);
    product(2, 3, 4, "third");
  }
  both.close();
  CHECK(heard.size() == 3);
  const std::vector<octavo::TraceRecord> written = octavo::read_trace(file.path());
  REQUIRE(written.size() == 1);
  CHECK(written[0].to_json().dump() == heard[2]);
}
