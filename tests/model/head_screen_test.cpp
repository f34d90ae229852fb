// Greedy tokens without reading all of lm_head are those of the whole.
#include "head_screen.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "bundled.hpp"
#include "golden.hpp"
#include "int8_copy.hpp"
#include "octavo/allocator.hpp"
#include "octavo/cancel.hpp"
#include "octavo/gemm.hpp"
#include "octavo/log.hpp"
#include "octavo/session.hpp"
#include "threads.hpp"

using octavo::DType;
using octavo::FloatMath;
using octavo::GenerateOptions;
using octavo::GenerateResult;
using octavo::Linear;
using octavo::Model;
using octavo::ModelInput;
using octavo::Tensor;
using octavo::model::HeadScreen;
using Ids = std::vector<std::int32_t>;

namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();

/// Lowers what a screen asks of a model, as long as it lives.
class SmallScreens {
 public:
  explicit SmallScreens(int asked_before) : before_(octavo::model::screen_policy()) {
    octavo::model::screen_policy() = {1, asked_before};
  }
  ~SmallScreens() { octavo::model::screen_policy() = before_; }
  SmallScreens(const SmallScreens&) = delete;
  SmallScreens& operator=(const SmallScreens&) = delete;

 private:
  octavo::model::ScreenPolicy before_;
};

/// Whether a line of the log told of a screen.
class ScreenLog {
 public:
  ScreenLog() {
    octavo::set_log([this](octavo::LogLevel, std::string_view, std::string_view text) {
      if (text.rfind("greedy tokens read the copy", 0) == 0) ++made;
    });
  }
  ~ScreenLog() { octavo::set_log({}); }
  ScreenLog(const ScreenLog&) = delete;
  ScreenLog& operator=(const ScreenLog&) = delete;
  int made = 0;  // the log calls one thread at a time
};

/// Memory that sets a flag when a tensor of so many bytes is asked for: with what stands before them, less than 512.
class CancelWhenAsked {
 public:
  explicit CancelWhenAsked(std::size_t bytes) : bytes_(bytes) { octavo::set_allocator({allocate, release, this}); }
  ~CancelWhenAsked() { octavo::set_allocator({}); }
  CancelWhenAsked(const CancelWhenAsked&) = delete;
  CancelWhenAsked& operator=(const CancelWhenAsked&) = delete;
  std::atomic<bool> flag{false};

 private:
  static void* allocate(std::size_t bytes, std::size_t alignment, void* self) {
    auto& asked = *static_cast<CancelWhenAsked*>(self);
    if (bytes >= asked.bytes_ && bytes < asked.bytes_ + 512) asked.flag = true;
    return std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  }
  static void release(void* memory, std::size_t, void*) { std::free(memory); }
  std::size_t bytes_;
};

/// Whether a model makes screens on this processor.
bool makes_screens() {
  for (const octavo::BackendInfo& backend : octavo::int8_backends())
    if (backend.name == "avx2") return backend.available;
  return false;
}

Tensor random(std::int64_t rows, std::int64_t width, unsigned seed) {
  std::mt19937 engine(seed);
  std::normal_distribution<float> normal;
  Tensor values = Tensor::empty(DType::f32, {rows, width});
  for (float& value : values.mutable_values<float>()) value = normal(engine);
  return values;
}

std::size_t largest(const Tensor& logits, std::int64_t row) {
  const auto values = logits.select(0, row).values<float>();
  return static_cast<std::size_t>(std::max_element(values.begin(), values.end()) - values.begin());
}

/// Of every row, the largest and `exact` have the bits of the whole, others too or -infinity; how many are finite.
std::size_t check_screened(const Linear& head, const Tensor& screened, const Tensor& x, const Ids& exact) {
  const Tensor whole = head.forward(x);
  REQUIRE(screened.shape() == whole.shape());
  std::size_t finite = 0;
  for (std::int64_t r = 0; r < x.dim(0); ++r) {
    const auto all = whole.select(0, r).values<float>(), some = screened.select(0, r).values<float>();
    for (std::size_t j = 0; j < all.size(); ++j) {
      if (some[j] == kNever) continue;
      ++finite;
      REQUIRE(some[j] == all[j]);
    }
    for (const std::int32_t id : exact)
      REQUIRE(some[static_cast<std::size_t>(id)] == all[static_cast<std::size_t>(id)]);
    // The largest among those that are not exact in any case.
    float best = kNever;
    for (std::size_t j = 0; j < all.size(); ++j)
      if (std::find(exact.begin(), exact.end(), static_cast<std::int32_t>(j)) == exact.end())
        best = std::max(best, all[j]);
    for (std::size_t j = 0; j < all.size(); ++j)
      if (all[j] == best) REQUIRE(some[j] == best);
  }
  return finite;
}

/// Rows in groups that differ in the last digits of bf16, so that int8 cannot tell which is the largest.
Tensor close_rows(std::int64_t rows, std::int64_t width, std::int64_t group) {
  Tensor weight = random(rows, width, 3);
  const Tensor noise = random(rows, width, 4);
  float* values = weight.mutable_data<float>();
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t k = 0; k < width; ++k)
      values[r * width + k] = values[r / group * group * width + k] + 0.004F * noise.data<float>()[r * width + k];
  return weight;
}

}  // namespace

TEST_CASE("columns of a linear are those of the whole bit for bit") {
  const std::int64_t n = 301, k = GENERATE(5, 64, 515), m = GENERATE(1, 3, 8);
  const Tensor x = random(m, k, 1);
  const Tensor bias = random(1, n, 2).reshape({n});
  const Ids wanted{300, 0, 17, 17, 16, 299, 128};
  std::vector<Linear> layers;
  for (const DType dtype : {DType::f32, DType::bf16, DType::f16})
    layers.push_back(Linear::floating("head", random(n, k, 3).to(dtype), bias));
  const octavo::QuantizedRows rounded = octavo::quantize_per_token(random(n, k, 3));
  layers.push_back(Linear::w8a16("head", rounded.values, rounded.scales, bias));
  for (const octavo::BackendInfo& backend : octavo::float_backends()) {
    if (!backend.available) continue;
    octavo::force_float_backend(backend.name);
    for (const Linear& layer : layers) {
      const Tensor whole = layer.forward(x), some = layer.forward_columns(x, wanted);
      INFO(backend.name << " k " << k << " rows " << m);
      for (std::int64_t r = 0; r < m; ++r)
        for (std::size_t i = 0; i < wanted.size(); ++i)
          REQUIRE(some.select(0, r).values<float>()[i] ==
                  whole.select(0, r).values<float>()[static_cast<std::size_t>(wanted[i])]);
    }
  }
  octavo::force_float_backend("");
  CHECK(layers[0].forward_columns(x, {}).shape() == octavo::Shape{m, 0});
}

TEST_CASE("columns that are not there are refused and so is a layer that is packed") {
  const Linear layer = Linear::floating("head", random(4, 8, 1), {});
  const Tensor x = random(2, 8, 2);
  CHECK(golden::message_of([&] { (void)layer.forward_columns(x, Ids{4}); }) ==
        "linear (head): column 4 is asked for, there are 4");
  CHECK_THROWS_AS(layer.forward_columns(x, Ids{-1}), octavo::Error);
  CHECK_THROWS_AS(layer.forward_columns(random(2, 7, 2), Ids{1}), octavo::Error);
  const octavo::QuantizedRows rounded = octavo::quantize_per_token(random(4, 8, 1));
  const Linear packed = Linear::w8a8("q", rounded.values, rounded.scales, {});
  CHECK(golden::message_of([&] { (void)packed.forward_columns(x, Ids{1}); }) ==
        "linear (q): forward_columns needs a weight as stored, and this one is packed");
}

TEST_CASE("a screen keeps what may be the largest to the bit and leaves out the rest") {
  const std::int64_t vocab = 4001, width = GENERATE(64, 200), rows = GENERATE(1, 3, 8);
  const DType dtype = GENERATE(DType::bf16, DType::f32);
  const Tensor weight = close_rows(vocab, width, 4).to(dtype);
  const Linear head = Linear::floating("lm_head", weight, {});
  const HeadScreen screen(head, weight);
  const Linear copy = octavo::model::int8_copy("lm_head", weight, FloatMath::f32);
  std::size_t finite = 0, all = 0, misled = 0;
  for (unsigned trial = 0; trial < 24; ++trial) {
    const Tensor x = random(rows, width, 100 + trial);
    const Ids exact =
        trial % 2 == 0 ? Ids{} : Ids{0, 7, 7, 4000, static_cast<std::int32_t>(largest(head.forward(x), 0))};
    const Tensor screened = screen.logits(x, exact);
    REQUIRE(screened.defined());
    finite += check_screened(head, screened, x, exact);
    all += static_cast<std::size_t>(vocab * rows);
    for (std::int64_t r = 0; r < rows; ++r)
      misled += largest(copy.forward(x), r) != largest(head.forward(x), r) ? 1 : 0;
  }
  CHECK(misled > 0);         // the copy alone would have answered otherwise
  CHECK(finite < all / 10);  // and most is left out
}

TEST_CASE("equal logits are all kept so that the first of them wins as without a screen") {
  Tensor weight = random(2000, 96, 3);
  float* values = weight.mutable_data<float>();
  for (const std::int64_t twin : {17, 800, 1999}) std::copy_n(values + 5 * 96, 96, values + twin * 96);
  const Linear head = Linear::floating("lm_head", weight, {});
  const HeadScreen screen(head, weight);
  const Tensor x = weight.slice(0, 5, 6).contiguous();  // most like row 5
  const Tensor screened = screen.logits(x, {});
  REQUIRE(screened.defined());
  check_screened(head, screened, x, {});
  CHECK(largest(screened, 0) == 5);
}

TEST_CASE("rows of other lengths, of zeros and of powers far apart are bounded each by its own") {
  Tensor weight = random(3000, 128, 3);
  float* values = weight.mutable_data<float>();
  for (std::int64_t r = 0; r < 3000; ++r)
    for (std::int64_t k = 0; k < 128; ++k)
      values[r * 128 + k] *= r % 7 == 0 ? 0.0F : std::ldexp(1.0F, static_cast<int>(r % 40) - 30);
  values[123 * 128 + 9] = 4096.0F;  // an outlier takes its row's digits
  const Linear head = Linear::floating("lm_head", weight, {});
  const HeadScreen screen(head, weight);
  for (unsigned trial = 0; trial < 16; ++trial) {
    const Tensor x = random(2, 128, 50 + trial);
    const Tensor screened = screen.logits(x, {});
    if (screened.defined()) check_screened(head, screened, x, {});
  }
}

TEST_CASE("a screen that saves nothing says so") {
  const Tensor weight = random(1000, 32, 3);
  const Linear head = Linear::floating("lm_head", weight, {});
  const HeadScreen screen(head, weight);
  CHECK_FALSE(screen.logits(Tensor::zeros(DType::f32, {1, 32}), {}).defined());  // all alike
  Tensor x = random(2, 32, 1);
  CHECK(screen.logits(x, {}).defined());
  x.mutable_values<float>()[40] = std::numeric_limits<float>::quiet_NaN();
  CHECK_FALSE(screen.logits(x, {}).defined());
  x.mutable_values<float>()[40] = std::numeric_limits<float>::infinity();
  CHECK_FALSE(screen.logits(x, {}).defined());
  x.mutable_values<float>()[40] = 3e38F;  // logits overflow
  CHECK_FALSE(screen.logits(x, {}).defined());
  Ids many(500);
  for (std::size_t i = 0; i < many.size(); ++i) many[i] = static_cast<std::int32_t>(i);
  CHECK_FALSE(screen.logits(random(1, 32, 1), many).defined());
  CHECK(screen.logits(random(1, 32, 1), Ids{-1, 1000}).defined());  // ids of no token

  Tensor damaged = random(1000, 32, 3);
  damaged.mutable_values<float>()[77] = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_AS(HeadScreen(Linear::floating("lm_head", damaged, {}), damaged), octavo::Error);
}

TEST_CASE("greedy tokens behind a screen equal transformers") {
  const SmallScreens small(2);
  const std::string name = GENERATE("nested", "bf16");
  const golden::Values values(name);
  ScreenLog log;
  const Model model = Model::open(golden::directory(name));
  for (const char* prompt : {"text", "one", "two"}) {
    const Ids expected = values.integers<std::int32_t>(std::string(prompt) + ".greedy");
    const auto count = static_cast<std::int64_t>(expected.size());
    CHECK(model.generate(values.input(prompt), golden::greedy(count)).tokens == expected);
  }
  CHECK(log.made == (makes_screens() ? 1 : 0));
}

TEST_CASE("answers are the same with a screen whatever else is asked for") {
  const Model plain = Model::open(golden::bundled());
  const SmallScreens small(1);
  const Model screened = Model::open(golden::bundled());
  const auto same = [&](const GenerateOptions& options) {
    for (const char* question : {"Where is the purple circle?", "What is in the picture?"}) {
      const ModelInput input = golden::ask(plain, question, "000");
      const GenerateResult without = plain.generate(input, options), with = screened.generate(input, options);
      CHECK(with.tokens == without.tokens);
      CHECK(with.text == without.text);
      REQUIRE(with.log_probs.size() == without.log_probs.size());
      for (std::size_t i = 0; i < with.log_probs.size(); ++i)
        CHECK(with.log_probs[i].log_prob == without.log_probs[i].log_prob);
    }
  };
  GenerateOptions options = golden::greedy(48);
  same(options);
  options.sampling->repetition_penalty = 1.3;
  same(options);
  options.sampling->repetition_penalty = 0.7;
  same(options);
  options.lookup = octavo::PromptLookup{};
  same(options);
  options.sampling->repetition_penalty = 1.0;
  same(options);
  options.lookup.reset();
  options.log_probs = 3;
  same(options);
  options.log_probs.reset();
  options.rules.emplace();
  options.rules->suppress_tokens = {5, 60};
  same(options);
  options.rules.reset();
  options.sampling->do_sample = true;
  options.sampling->temperature = 1.5;
  same(options);
}

TEST_CASE("batches and sessions get the same tokens with a screen") {
  const Model plain = Model::open(golden::bundled());
  const SmallScreens small(1);
  const Model screened = Model::open(golden::bundled());
  GenerateOptions options = golden::greedy(32);
  options.sampling->repetition_penalty = 1.2;
  const std::vector<ModelInput> inputs{golden::ask(plain, "Where is the purple circle?", "000"),
                                       golden::ask(plain, "What is in the picture?", "001")};
  const std::vector<GenerateResult> without = plain.generate(inputs, options),
                                    with = screened.generate(inputs, options);
  for (std::size_t i = 0; i < inputs.size(); ++i) CHECK(with[i].tokens == without[i].tokens);
  const auto in_session = [&](const Model& model) {
    octavo::Session session(model, static_cast<std::int64_t>(inputs[0].ids.size()) + 33);
    (void)session.feed(inputs[0]);
    return session.generate(options).tokens;
  };
  CHECK(in_session(screened) == in_session(plain));
}

TEST_CASE("an answer that is cancelled while the screen is made keeps its tokens and the next makes it") {
  const Model plain = Model::open(golden::bundled());
  const ModelInput input = golden::ask(plain, "Where is the purple circle?", "000");
  const Ids expected = plain.generate(input, golden::greedy(16)).tokens;
  const SmallScreens small(5);
  const std::atomic<bool> never = false;
  for (const bool by_options : {true, false}) {  // or by the thread's scope; the other is not set
    const Model model = Model::open(golden::bundled());
    ScreenLog log;
    GenerateOptions options = golden::greedy(16);
    CancelWhenAsked memory(static_cast<std::size_t>(model.vocab_size() * 192));  // of the copy's values
    GenerateResult result;
    {
      const octavo::CancelScope scope(by_options ? &never : &memory.flag);
      options.cancel = by_options ? &memory.flag : &never;
      result = model.generate(input, options);
    }
    REQUIRE(memory.flag == makes_screens());
    if (!memory.flag) return;
    CHECK(result.finish_reason == octavo::FinishReason::cancelled);
    CHECK(result.tokens == Ids(expected.begin(), expected.begin() + 5));
    CHECK(log.made == 0);
    options.cancel = nullptr;
    CHECK(model.generate(input, options).tokens == expected);
    CHECK(log.made == 1);
  }
}

TEST_CASE("one thread makes the screen while others go on") {
  const Model plain = Model::open(golden::bundled());
  const ModelInput input = golden::ask(plain, "Where is the purple circle?", "000");
  const Ids expected = plain.generate(input, golden::greedy(32)).tokens;
  const SmallScreens small(6);
  const Model model = Model::open(golden::bundled());
  test::at_once(4, [&](int) {
    for (int i = 0; i < 3; ++i)
      if (model.generate(input, golden::greedy(32)).tokens != expected) throw std::runtime_error("other tokens");
  });
}
