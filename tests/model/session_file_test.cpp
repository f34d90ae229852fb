// Sessions that are saved and restored: bit for bit the same, by the same model alone, and never from damaged bytes.
#include <algorithm>
#include <atomic>
#include <cstring>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "bundled.hpp"
#include "changed_model.hpp"
#include "golden.hpp"
#include "octavo/cancel.hpp"
#include "octavo/detail/sha256.hpp"
#include "octavo/session.hpp"

using golden::greedy;
using golden::message_of;
using golden::Values;
using octavo::DType;
using octavo::Error;
using octavo::ErrorCode;
using octavo::Model;
using octavo::ModelInput;
using octavo::Session;
using octavo::Tensor;
using Bytes = std::vector<std::byte>;
using Ids = std::vector<std::int32_t>;

namespace {

Ids ids_of(const Session& session) { return {session.tokens().begin(), session.tokens().end()}; }

void require_same_bits(const Tensor& a, const Tensor& b) {
  REQUIRE(a.shape() == b.shape());
  REQUIRE(std::memcmp(a.raw(), b.raw(), a.size_bytes()) == 0);
}

/// The same bytes with a digest that fits what was changed.
Bytes signed_anew(Bytes bytes) {
  octavo::detail::Sha256 hash;
  hash.update({reinterpret_cast<const char*>(bytes.data()), bytes.size() - 64});
  const std::string digest = hash.finish();
  std::memcpy(bytes.data() + bytes.size() - 64, digest.data(), 64);
  return bytes;
}

template <class Value>
Bytes with(Bytes bytes, std::size_t at, Value value) {
  std::memcpy(bytes.data() + at, &value, sizeof(value));
  return signed_anew(std::move(bytes));
}

ErrorCode code_of(const Model& model, const Bytes& bytes) {
  try {
    Session::from_bytes(model, bytes);
  } catch (const Error& error) {
    INFO(error.what());
    REQUIRE(std::string(error.what()).find("saved session: ") != std::string::npos);
    return error.code();
  }
  return ErrorCode::internal;
}

}  // namespace

TEST_CASE("a restored session goes on bit for bit") {
  const Model original = Model::open(golden::bundled());
  for (const Model& model : {original, golden::in_w8a8(original)})
    for (const DType dtype : {DType::f32, DType::bf16, DType::s8}) {
      INFO(octavo::dtype_name(dtype));
      const ModelInput input = golden::ask(model, "Where is the purple circle?", "000");
      Session session(model, 300, dtype, 40);
      session.feed(input);
      const golden::TemporaryDirectory place;
      const auto compare = [&](const char* when) {
        INFO(when);
        session.save(place.path() + "/s");
        Session restored = Session::restore(model, place.path() + "/s");
        REQUIRE(ids_of(restored) == ids_of(session));
        REQUIRE(restored.capacity() == session.capacity());
        REQUIRE(restored.to_bytes() == session.to_bytes());
        Session copy = session.fork();
        require_same_bits(restored.logits(), copy.logits());
        const octavo::GenerateResult expected = copy.generate(greedy(12));
        const octavo::GenerateResult answer = restored.generate(greedy(12));
        REQUIRE(answer.tokens == expected.tokens);
        REQUIRE(answer.pictures.size() == 1);
        REQUIRE(answer.pictures[0].original.width == expected.pictures[0].original.width);
        require_same_bits(restored.feed({{5, 6, 7}, {}}), copy.feed({{5, 6, 7}, {}}));
        Session wider = Session::from_bytes(model, session.to_bytes(), 400);
        REQUIRE(wider.capacity() == 400);
        Session other = session.fork();
        require_same_bits(wider.feed(input), other.feed(input));  // positions behind a picture
      };
      compare("after a prompt");
      const Ids answer = session.generate(greedy(9)).tokens;
      compare("after an answer, whose last token was not run");
      session.truncate(session.past() - 3);
      compare("after a truncation");
      // The picture is known again.
      Session restored = Session::restore(model, place.path() + "/s");
      REQUIRE(restored.continue_with(input).reused_tokens == static_cast<std::int64_t>(input.ids.size()) - 1);
      session.reset();
      REQUIRE(Session::from_bytes(model, session.to_bytes()).past() == 0);
    }
}

TEST_CASE("two pictures and a pad that the model uttered keep their places") {
  const Values values("nested");
  const Model model = Model::open(golden::directory("nested"));
  const ModelInput two = values.input("two");
  Session session(model, 120);
  session.feed(two);
  // As though the answer spelled a pad: it is text, in a place of its own.
  octavo::GenerateOptions options = greedy(3);
  options.rules = octavo::GenerationRules{};
  std::int32_t pad = 0;  // which stands twice in a row
  for (std::size_t i = 1; i < two.ids.size(); ++i)
    if (two.ids[i] == two.ids[i - 1]) pad = two.ids[i];
  for (std::int32_t id = 0; id < static_cast<std::int32_t>(model.vocab_size()); ++id)
    if (id != pad) options.rules->suppress_tokens.push_back(id);
  REQUIRE(session.generate(options).tokens == Ids(3, pad));
  Session restored = Session::from_bytes(model, session.to_bytes());
  Session copy = session.fork();
  const Tensor expected = copy.feed({{9, 10}, {}});
  require_same_bits(restored.feed({{9, 10}, {}}), expected);
  REQUIRE(restored.past() == static_cast<std::int64_t>(two.ids.size()) + 5);
}

TEST_CASE("a session is refused by another model") {
  const Values values("nested");
  const Model model = Model::open(golden::directory("nested"));
  Session session(model, 60);
  session.feed(values.input("one"));
  const Bytes bytes = session.to_bytes();
  const golden::TemporaryDirectory place;
  golden::write_with(place.path() + "/changed", "model.layers.1.mlp.up_proj.weight", 0.25F);
  octavo::ModelOptions bf16;
  bf16.language_math = octavo::FloatMath::bf16;
  for (const Model& other : {Model::open(golden::directory("flat")), Model::open(place.path() + "/changed"),
                             Model::open(golden::directory("nested"), bf16), golden::in_w8a8(model)}) {
    REQUIRE(code_of(other, bytes) == ErrorCode::invalid_argument);
    REQUIRE(message_of([&] {
              Session::from_bytes(other, bytes);
            }).find("saved session: it was saved with another model, ") == 0);
  }
  REQUIRE(Session::from_bytes(Model::open(golden::directory("nested")), bytes).past() == session.past());
  REQUIRE(message_of([&] { Session::from_bytes(model, bytes, 5); }).find("more than the capacity of 5") !=
          std::string::npos);
}

TEST_CASE("a model that differs in any one value is another") {
  const Values values("nested");
  const Model model = Model::open(golden::directory("nested"));
  Session session(model, 60);
  session.feed(values.input("one"));
  const Bytes bytes = session.to_bytes();
  // Two fine-tunes may have learned a few rows of the embedding apart from each other and nothing else.
  for (const std::int64_t row :
       {std::int64_t{0}, std::int64_t{1}, std::int64_t{13}, model.vocab_size() / 2 + 5, model.vocab_size() - 1}) {
    INFO("row " << row << " of the embedding");
    const golden::TemporaryDirectory place;
    golden::write_with(place.path() + "/changed", "model.embed_tokens.weight", 0.25F, row);
    REQUIRE(code_of(Model::open(place.path() + "/changed"), bytes) == ErrorCode::invalid_argument);
  }
}

TEST_CASE("reading all weights for a session's model can be cancelled") {
  const Model model = Model::open(golden::directory("nested"));
  const Session session(model, 60);
  const std::atomic<bool> flag{true};
  {
    const octavo::CancelScope scope(&flag);
    REQUIRE_THROWS_WITH(session.to_bytes(), "cancelled by the caller");
  }
  REQUIRE(Session::from_bytes(model, session.to_bytes()).past() == 0);
}

TEST_CASE("cut and damaged sessions are refused") {
  const Values values("nested");
  const Model model = Model::open(golden::directory("nested"));
  Session session(model, 60, DType::s8);
  session.feed(values.input("one"));
  session.generate(greedy(2));
  const Bytes bytes = session.to_bytes();
  REQUIRE(bytes.size() > 500);
  for (std::size_t length = 0; length < bytes.size(); length += length < 400 ? 1 : 97)
    REQUIRE(code_of(model, Bytes(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(length))) ==
            ErrorCode::format);
  Bytes longer = bytes;
  longer.push_back(std::byte{0});
  REQUIRE(code_of(model, longer) == ErrorCode::format);
  std::mt19937_64 random(7);
  for (int i = 0; i < 500; ++i) {  // any bit of the first bytes, and any elsewhere
    Bytes damaged = bytes;
    const std::size_t at = i < 300 ? static_cast<std::size_t>(i) : random() % bytes.size();
    damaged[at] ^= std::byte{1} << (random() % 8);
    INFO("byte " << at);
    const ErrorCode code = code_of(model, damaged);
    REQUIRE((code == ErrorCode::format || (code == ErrorCode::unsupported && at >= 16 && at < 20)));
  }
}

TEST_CASE("numbers of a session that lie are refused however well they are signed") {
  const Values values("nested");
  const Model model = Model::open(golden::directory("nested"));
  Session session(model, 60);
  const ModelInput one = values.input("one");
  session.feed(one);
  const Bytes bytes = session.to_bytes();
  constexpr std::size_t kExtents = 16 + 4 + 4 + 8 + 64;
  REQUIRE(code_of(model, signed_anew(bytes)) == ErrorCode::internal);  // that is, none
  for (const std::uint32_t version : {0U, 1U, 3U})
    REQUIRE(code_of(model, with(bytes, 16, version)) == ErrorCode::unsupported);
  for (const std::uint32_t type : {1U, 4U, 7U, 256U, 0xffffffffU})
    REQUIRE(code_of(model, with(bytes, 20, type)) == ErrorCode::format);
  for (std::size_t field = 0; field < 9; ++field)
    for (const std::int64_t value : {std::int64_t{-1}, std::int64_t{1} << 62, INT64_MIN, INT64_MAX, std::int64_t{7}}) {
      if (field == 4 && value > 0) continue;  // any size of chunks will do
      INFO("field " << field << " is " << value);
      REQUIRE(code_of(model, with(bytes, kExtents + 8 * field, value)) == ErrorCode::format);
    }
  const std::size_t tokens = kExtents + 9 * 8;
  REQUIRE(code_of(model, with(bytes, tokens, std::int32_t{-1})) == ErrorCode::format);
  REQUIRE(code_of(model, with(bytes, tokens, std::int32_t{1 << 30})) == ErrorCode::format);
  const std::size_t picture = tokens + 4 * one.ids.size();
  for (std::size_t field = 0; field < 5; ++field)
    for (const std::int64_t value : {std::int64_t{-1}, std::int64_t{0}, std::int64_t{1} << 62, INT64_MAX}) {
      INFO("number " << field << " of the picture is " << value);
      REQUIRE(code_of(model, with(bytes, picture + 8 * field, value)) == ErrorCode::format);
    }
}

TEST_CASE("a saved session is a file that is whole or as before") {
  const Values values("nested");
  const Model model = Model::open(golden::directory("nested"));
  Session session(model, 60);
  session.feed(values.input("text"));
  const golden::TemporaryDirectory place;
  const std::string path = place.path() + "/s";
  session.save(path);
  session.feed({{3}, {}});
  session.save(path);  // in place of the old one
  REQUIRE(Session::restore(model, path).past() == session.past());
  std::ofstream(place.path() + "/notes") << "not a session";
  const auto code = [&](auto&& job) {
    try {
      job();
    } catch (const Error& error) {
      INFO(error.what());
      REQUIRE(std::string(error.what()).find(place.path()) != std::string::npos);
      return error.code();
    }
    return ErrorCode::internal;
  };
  CHECK(code([&] { session.save(place.path() + "/notes"); }) == ErrorCode::exists);
  CHECK(code([&] { session.save(place.path() + "/none/s"); }) == ErrorCode::not_found);
  CHECK(code([&] { Session::restore(model, place.path() + "/notes"); }) == ErrorCode::format);
  CHECK(code([&] { Session::restore(model, place.path() + "/none"); }) == ErrorCode::not_found);
  CHECK(code([&] { Session::restore(model, place.path()); }) == ErrorCode::invalid_argument);
  std::ofstream(place.path() + "/empty").flush();
  CHECK(code([&] { Session::restore(model, place.path() + "/empty"); }) == ErrorCode::format);
}
