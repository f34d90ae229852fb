// A thread's CancelScope ends what it does, before the next layer, and leaves all as it was.
#include "octavo/cancel.hpp"

#include <atomic>
#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "bundled.hpp"
#include "golden.hpp"
#include "octavo/observer.hpp"
#include "octavo/running_batch.hpp"
#include "octavo/session.hpp"

using golden::greedy;
using octavo::CancelScope;
using octavo::Error;
using octavo::ErrorCode;
using octavo::FinishReason;
using octavo::Model;
using octavo::ModelInput;
using octavo::Session;

namespace {

/// Sets the flag when the operation of that number ends.
class CancelAt : public octavo::OperationObserver {
 public:
  CancelAt(std::atomic<bool>& flag, int at) : flag_(flag), at_(at) {}
  void on_call(std::string_view) override {}
  void on_operation(const octavo::ObservedOperation&) override {
    if (++seen == at_) flag_ = true;
  }
  std::string recent() const override { return {}; }
  int seen = 0;

 private:
  std::atomic<bool>& flag_;
  int at_;
};

/// The operations that were run before the call ended as cancelled; 0 when it did not.
int cancelled_after(int at, const std::function<void()>& call) {
  std::atomic<bool> flag{false};
  CancelAt observer(flag, at);
  const octavo::ObserverScope observed(&observer);
  const CancelScope scope(&flag);
  try {
    call();
  } catch (const Error& error) {
    REQUIRE(error.code() == ErrorCode::cancelled);
    return observer.seen;
  }
  return 0;
}

}  // namespace

TEST_CASE("feeding ends before the next layer and the session is as before") {
  const Model model = Model::open(golden::bundled());
  const ModelInput input = golden::ask(model, "Where is the purple circle?", "000");
  Session session(model, 300, octavo::DType::f32, 16);
  session.feed({{5, 6, 7}, {}});
  const std::vector<std::byte> before = session.to_bytes();
  Session other = session.fork();
  const octavo::Tensor expected = other.feed(input);
  for (const int at : {1, 40, 80, 120}) {  // in the vision tower, and in several chunks of the prompt
    INFO("at operation " << at);
    const int seen = cancelled_after(at, [&] { session.feed(input); });
    REQUIRE(seen >= at);
    REQUIRE(seen < at + 30);  // a layer has fewer operations
    REQUIRE(session.to_bytes() == before);
  }
  const octavo::Tensor logits = session.feed(input);
  REQUIRE(std::memcmp(logits.raw(), expected.raw(), expected.size_bytes()) == 0);
}

TEST_CASE("scopes nest and end") {
  const std::atomic<bool> set{true}, unset{false};
  REQUIRE_FALSE(octavo::cancel_requested());
  {
    const CancelScope outer(&set);
    REQUIRE(octavo::cancel_requested());
    {
      const CancelScope inner(&unset);
      REQUIRE_FALSE(octavo::cancel_requested());
      const CancelScope none(nullptr);
      REQUIRE_FALSE(octavo::cancel_requested());
    }
    REQUIRE_THROWS_AS(octavo::check_cancelled(), Error);
  }
  REQUIRE_FALSE(octavo::cancel_requested());
}

TEST_CASE("generations give the answer so far") {
  const Model model = Model::open(golden::bundled());
  const ModelInput input = golden::ask(model, "Where is the purple circle?", "000");
  const std::vector<std::int32_t> whole = model.generate(input, greedy(6)).tokens;
  REQUIRE(whole.size() > 3);
  std::atomic<bool> flag{false};
  octavo::GenerateOptions options = greedy(6);
  int told = 0;
  options.on_event = [&](const octavo::TokenEvent&) {
    flag = ++told == 2;
    return true;
  };
  const CancelScope scope(&flag);
  const auto require_two = [&](const octavo::GenerateResult& result) {
    REQUIRE(result.finish_reason == FinishReason::cancelled);
    REQUIRE(result.tokens == std::vector<std::int32_t>(whole.begin(), whole.begin() + 2));
    told = 0;
    flag = false;
  };
  require_two(model.generate(input, options));
  Session session(model, 300);
  session.feed(input);
  require_two(session.generate(options));
}

TEST_CASE("a step of a batch ends and its sequences go on with the next") {
  const Model model = Model::open(golden::bundled());
  const ModelInput inputs[] = {golden::ask(model, "Where is the purple circle?", "000"),
                               golden::ask(model, "What colour is the small triangle?", "000")};
  octavo::RunningBatch batch(model);
  for (const ModelInput& input : inputs) batch.join(input, greedy(6));
  std::map<octavo::RunningBatch::Id, octavo::GenerateResult> results;
  int cancelled = 0;
  for (int step = 0; batch.size() > 0; ++step) {
    const auto take = [&] {
      for (octavo::RunningBatch::Finished& one : batch.step()) results[one.id] = std::move(one.result);
    };
    if (step % 2 == 0)
      cancelled += cancelled_after(1 + step * 7 % 60, take) > 0 ? 1 : 0;
    else
      take();
  }
  REQUIRE(cancelled >= 4);
  REQUIRE(results.size() == 2);
  for (const octavo::RunningBatch::Id id : {octavo::RunningBatch::Id{1}, octavo::RunningBatch::Id{2}}) {
    REQUIRE(results[id].finish_reason == FinishReason::length);
    REQUIRE(results[id].tokens == model.generate(inputs[id - 1], greedy(6)).tokens);
  }
}
