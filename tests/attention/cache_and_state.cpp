// The key/value cache and the sequence state: what must agree between calls.
#include <unistd.h>

#include <fstream>

#include "catch.hpp"
#include "octavo/memory_pool.hpp"
#include "support.hpp"

using namespace attention_test;
using octavo::Grid;
using octavo::KvCache;
using octavo::SequenceState;

namespace {

constexpr std::int32_t kImage = 900;
constexpr std::int32_t kVideo = 901;

SequenceState state() { return SequenceState({.image_token_id = kImage, .video_token_id = kVideo}); }

std::vector<std::int32_t> ids(std::initializer_list<std::pair<std::int32_t, int>> runs) {
  std::vector<std::int32_t> out;
  for (const auto& [id, count] : runs) out.insert(out.end(), static_cast<std::size_t>(count), id);
  return out;
}

using Positions = std::vector<std::int64_t>;

std::int64_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::int64_t all = 0, resident = 0;  // pages
  statm >> all >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

}  // namespace

TEST_CASE("the cache returns what was appended, over several commits") {
  KvCache cache(2, 3, 4, 10);
  const Tensor k = random({1, 3, 7, 4}, 1);
  const Tensor v = random({1, 3, 7, 4}, 2);
  std::int64_t past = 0;
  for (const std::int64_t count : {4, 1, 2}) {
    for (std::int64_t layer = 0; layer < 2; ++layer) {
      const KvCache::View view =
          cache.append(layer, k.slice(2, past, past + count), v.slice(2, past, past + count), "");
      CHECK(list<float>(view.k) == list<float>(k.slice(2, 0, past + count)));
      CHECK(list<float>(view.v) == list<float>(v.slice(2, 0, past + count)));
      CHECK(cache.length() == past);  // until the commit
    }
    cache.commit(count);
    past += count;
    CHECK(cache.length() == past);
  }
  CHECK((cache.capacity() == 10 && cache.num_layers() == 2 && cache.size_bytes() == 2 * 2 * 3 * 10 * 4 * 4));
}

TEST_CASE("the cache takes memory as it fills") {
  const octavo::MemoryPool pool;  // whose large blocks are in huge pages
  const octavo::MemoryPoolScope scope(pool);
  const std::int64_t before = resident_bytes();
  KvCache cache(16, 4, 128, 32768);  // 2 GiB
  const Tensor row = random({1, 4, 1, 128}, 1);
  for (std::int64_t layer = 0; layer < 16; ++layer) cache.append(layer, row, row, "");
  cache.commit(1);
  CHECK(before > 0);
  CHECK(cache.size_bytes() == std::size_t{2} << 30);
  CHECK(resident_bytes() - before < 16 << 20);  // heads' first rows are in 128 places: pages of 2 MiB would be 256 MiB
}

TEST_CASE("the cache takes permuted rows as projections leave them") {
  KvCache cache(1, 3, 4, 10);
  const Tensor rows = random({1, 5, 3, 4}, 1).permute({0, 2, 1, 3});
  CHECK(list<float>(cache.append(0, rows, rows, "").k) == list<float>(rows));
}

TEST_CASE("truncating forgets the end only, and what was not committed") {
  KvCache cache(1, 1, 2, 8);
  const Tensor k = random({1, 1, 5, 2}, 1);
  cache.append(0, k, k, "");
  cache.commit(5);
  cache.truncate(3);
  const Tensor more = random({1, 1, 1, 2}, 2);
  const std::vector<float> now = list<float>(cache.append(0, more, more, "").k);
  const std::vector<float> before = list<float>(k);
  CHECK(std::vector<float>(now.begin(), now.begin() + 6) == std::vector<float>(before.begin(), before.begin() + 6));
  CHECK(std::vector<float>(now.begin() + 6, now.end()) == list<float>(more));
  cache.truncate(3);
  CHECK_THROWS_AS(cache.commit(1), octavo::Error);
}

TEST_CASE("the cache refuses what does not fit and stays as it was") {
  KvCache cache(2, 3, 4, 10);
  const Tensor k = random({1, 3, 8, 4}, 1);
  cache.append(0, k, k, "");
  cache.append(1, k, k, "");
  cache.commit(8);
  const Tensor three = random({1, 3, 3, 4}, 2);
  CHECK(message_of([&] { cache.append(0, three, three, "layers.0"); }) ==
        "kv_append (layers.0): the cache is full: it holds 8 positions, 3 more exceed its capacity of 10. Make it "
        "larger, or reset it");
  CHECK(message_of([&] { cache.append(2, three, three, ""); }) ==
        "kv_append: layer is 2, the cache has 2 layers: it was made for another model");
  const Tensor other = random({1, 2, 1, 4}, 3);
  CHECK_THROWS_AS(cache.append(0, other, other, ""), octavo::Error);
  const Tensor one = random({1, 3, 1, 4}, 4);
  CHECK_THROWS_AS(cache.append(0, one, three, ""), octavo::Error);
  CHECK_THROWS_AS(cache.append(0, one.to(DType::bf16), one, ""), octavo::Error);
  cache.append(0, one, one, "");
  CHECK(message_of([&] { cache.commit(1); }) ==
        "KvCache::commit: layer 1 has 0 new positions, 1 are to be committed: every layer must append before a commit");
  CHECK(message_of([&] { cache.truncate(9); }) == "KvCache::truncate: to 9 positions, the cache holds 8");
  CHECK(cache.length() == 8);
  const std::vector<float> held = list<float>(cache.append(0, one, one, "").k.slice(2, 0, 8));
  CHECK(held == list<float>(k));
  CHECK(message_of([] { KvCache(1, 0, 4, 4); }) == "KvCache: num_kv_heads is 0, it must be positive");
}

TEST_CASE("positions of two images among text: the worked example of the specification") {
  const std::vector<std::int32_t> prompt = ids({{1, 3}, {kImage, 6}, {2, 3}, {kImage, 2}, {3, 2}});
  const std::vector<Grid> grids{{1, 4, 6}, {1, 2, 4}};
  const octavo::CallPlan plan = state().plan(prompt, grids);
  CHECK(list<std::int64_t>(plan.positions) == Positions{0, 1, 2, 3, 3, 3, 3, 3, 3, 6, 7, 8, 9, 9,  11, 12,    // time
                                                        0, 1, 2, 3, 3, 3, 4, 4, 4, 6, 7, 8, 9, 9,  11, 12,    // rows
                                                        0, 1, 2, 3, 4, 5, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});  // columns
  CHECK((plan.past == 0 && plan.q_len == 16 && plan.kv_len == 16));
  CHECK((plan.mask.kind() == octavo::Mask::Kind::causal && plan.mask.past() == 0));
}

TEST_CASE("feeding a prompt in pieces gives the positions of the whole") {
  const std::vector<std::int32_t> prompt = ids({{1, 3}, {kImage, 6}, {2, 3}, {kImage, 2}, {3, 2}});
  const std::vector<Grid> grids{{1, 4, 6}, {1, 2, 4}};
  const Positions whole = list<std::int64_t>(state().plan(prompt, grids).positions);
  for (const std::size_t cut : {1U, 3U, 9U, 10U, 11U, 12U, 14U, 15U}) {
    SequenceState s = state();
    const std::span<const std::int32_t> all(prompt);
    const std::size_t images = cut >= 14 ? 2U : cut >= 9 ? 1U : 0U;
    const octavo::CallPlan first = s.plan(all.first(cut), std::span<const Grid>(grids).first(images));
    s.commit(first);
    const octavo::CallPlan rest = s.plan(all.subspan(cut), std::span<const Grid>(grids).subspan(images));
    CHECK((rest.past == static_cast<std::int64_t>(cut) && rest.kv_len == 16 && rest.mask.past() == rest.past));
    const Positions a = list<std::int64_t>(first.positions);
    const Positions b = list<std::int64_t>(rest.positions);
    Positions joined;
    for (std::ptrdiff_t row = 0; row < 3; ++row) {
      const auto n = static_cast<std::ptrdiff_t>(cut);
      joined.insert(joined.end(), a.begin() + row * n, a.begin() + (row + 1) * n);
      joined.insert(joined.end(), b.begin() + row * (16 - n), b.begin() + (row + 1) * (16 - n));
    }
    INFO("cut at " << cut);
    CHECK(joined == whole);
    s.commit(rest);
    CHECK((s.past() == 16 && s.next_position() == 13));  // 13 - 16: the specification's delta of -3
  }
}

TEST_CASE("planning changes nothing, a stale plan is refused, a reset starts anew") {
  SequenceState s = state();
  const std::vector<std::int32_t> prompt{1, 2, 3};
  const octavo::CallPlan plan = s.plan(prompt, {});
  CHECK((s.past() == 0 && s.next_position() == 0));
  s.commit(plan);
  CHECK(message_of([&] { s.commit(plan); }) ==
        "sequence: the plan was made at 0 positions, 3 are committed: plan each call anew");
  CHECK((s.past() == 3 && s.next_position() == 3));
  s.reset();
  CHECK((s.past() == 0 && s.next_position() == 0));
  CHECK_THROWS_AS(s.commit({}), octavo::Error);
}

TEST_CASE("pads and images that do not fit are refused") {
  const auto message = [](const std::vector<std::int32_t>& tokens, const std::vector<Grid>& grids) {
    return message_of([&] { state().plan(tokens, grids); });
  };
  CHECK(message({}, {}) == "sequence: no new tokens were given");
  CHECK(message(ids({{1, 2}, {kImage, 5}, {2, 1}}), {{1, 4, 6}}) ==
        "sequence: image 0 has 5 pad tokens from token 2 on, but its grid 1 x 4 x 6 makes 6: expand each pad to "
        "t*h*w/merge^2 copies, and keep an image whole within one call");
  CHECK(message(ids({{1, 2}, {kImage, 7}}), {{1, 4, 6}}) ==
        "sequence: token 8 is an image pad, but all 1 images given are already placed: images and pads must match");
  CHECK(message({1, 2}, {{1, 4, 6}}) == "sequence: 1 images were given, but the tokens have pads for 0");
  CHECK(message({1, kVideo}, {}) == "sequence: token 1 is a video pad; videos are not supported");
  const std::string odd = message({kImage}, {{1, 3, 2}});
  CHECK(odd == "sequence: image 0 has the grid 1 x 3 x 2 patches; an image is one frame of whole 2 x 2 groups");
  CHECK(message({kImage}, {{1, std::int64_t{1} << 40, std::int64_t{1} << 40}}) != "nothing was thrown");
  CHECK_THROWS_AS(SequenceState({.spatial_merge_size = 0}), octavo::Error);
}

TEST_CASE("caches, positions, rotation and attention without data have the shapes of those with data") {
  SequenceState sequence = state();
  sequence.skip(5);
  CHECK((sequence.past() == 5 && sequence.next_position() == 5));
  const octavo::CallPlan plan = sequence.plan(3);
  CHECK((plan.past == 5 && plan.q_len == 3 && plan.kv_len == 8 && plan.mask.past() == 5));
  CHECK((plan.positions.is_meta() && plan.positions.shape() == octavo::Shape{3, 3}));
  CHECK_THROWS_AS(sequence.plan(0), octavo::Error);

  KvCache cache = KvCache::meta(2, 2, 4, 8);
  CHECK(cache.size_bytes() == KvCache(2, 2, 4, 8).size_bytes());
  cache.skip(5);
  CHECK(cache.length() == 5);
  CHECK_THROWS_AS(cache.skip(4), octavo::Error);
  CHECK_THROWS_AS(KvCache(2, 2, 4, 8).skip(1), octavo::Error);

  const octavo::RotaryTable table = octavo::mrope_table(plan.positions, 4, 1e4, {1, 1, 0});
  CHECK((table.cos.is_meta() && table.sin.shape() == octavo::Shape{3, 4}));
  Tensor rows = Tensor::meta(octavo::DType::f32, {3, 2, 4});
  octavo::apply_rotary(rows, table);
  const Tensor k = rows.reshape({1, 3, 2, 4}).permute({0, 2, 1, 3});
  CHECK(cache.append(0, k, k, "").k.shape() == octavo::Shape{1, 2, 8, 4});
  const KvCache::View seen = cache.append(1, k, k, "");
  octavo::AttentionOptions options;
  options.mask = plan.mask;
  const Tensor out = octavo::attention(Tensor::meta(octavo::DType::f32, {1, 4, 3, 4}), seen.k, seen.v, options);
  CHECK((out.is_meta() && out.shape() == octavo::Shape{1, 4, 3, 4}));
  CHECK(out.permute({0, 2, 1, 3}).is_contiguous());  // as with data
  cache.commit(3);
  sequence.commit(plan);
  CHECK((cache.length() == 8 && sequence.past() == 8 && cache.clone().length() == 8));
  CHECK_THROWS_AS(cache.append(0, k, k, ""), octavo::Error);  // full
  CHECK_THROWS_AS(octavo::attention(Tensor::meta(octavo::DType::f32, {1, 4, 3, 5}), seen.k, seen.v, options),
                  octavo::Error);
}

TEST_CASE("slices of a plan are the positions of the whole wherever they are cut") {
  const std::vector<std::int32_t> prompt = ids({{1, 3}, {kImage, 6}, {2, 3}, {kImage, 2}, {3, 2}});
  const std::vector<Grid> grids{{1, 4, 6}, {1, 2, 4}};
  const std::vector<std::int32_t> before = ids({{4, 5}});
  SequenceState whole = state();
  whole.commit(whole.plan(before, {}));
  const octavo::CallPlan plan = whole.plan(prompt, grids);
  whole.commit(plan);
  for (std::int64_t first = 1; first < 16; ++first) {
    for (std::int64_t second = first + 1; second < 16; ++second) {
      INFO("cut at " << first << " and " << second);
      SequenceState s = state();
      s.commit(s.plan(before, {}));
      std::vector<Positions> rows(3);
      for (const auto& [begin, end] :
           {std::pair<std::int64_t, std::int64_t>{0, first}, {first, second}, {second, 16}}) {
        const octavo::CallPlan part = plan.slice(begin, end);
        CHECK((part.past == 5 + begin && part.q_len == end - begin && part.kv_len == 5 + end));
        CHECK(part.mask.past() == part.past);
        for (std::size_t axis = 0; axis < 3; ++axis)
          for (const std::int64_t position : list<std::int64_t>(part.positions.select(0, static_cast<int>(axis))))
            rows[axis].push_back(position);
        s.commit(part);
      }
      for (std::size_t axis = 0; axis < 3; ++axis)
        CHECK(rows[axis] == list<std::int64_t>(plan.positions.select(0, static_cast<int>(axis))));
      CHECK((s.past() == whole.past() && s.next_position() == whole.next_position()));
      s.truncate(14);  // behind the first image
      CHECK((s.past() == 14 && s.next_position() == 11));
    }
  }
  CHECK(message_of([&] { plan.slice(3, 3); }) == "sequence: [3, 3) is no part of a call of 16 tokens");
  CHECK(message_of([&] { plan.slice(-1, 3); }) == "sequence: [-1, 3) is no part of a call of 16 tokens");
  CHECK(message_of([&] { plan.slice(3, 17); }) == "sequence: [3, 17) is no part of a call of 16 tokens");
}

TEST_CASE("a sequence is truncated to any place but the inside of an image") {
  const std::vector<std::int32_t> prompt = ids({{1, 3}, {kImage, 6}, {2, 3}, {kImage, 2}, {3, 2}});
  const std::vector<Grid> grids{{1, 4, 6}, {1, 2, 4}};
  const std::span<const std::int32_t> all(prompt);
  for (std::size_t place = 0; place <= 16; ++place) {
    INFO("truncated to " << place);
    SequenceState s = state();
    s.commit(s.plan(prompt, grids));
    const auto at = static_cast<std::int64_t>(place);
    const bool inside = (place > 3 && place < 9) || place == 13;
    CHECK(s.boundary(at) == (place == 13 ? 12 : inside ? 3 : at));
    if (inside) {
      CHECK_THROWS_AS(s.truncate(at), octavo::Error);
      CHECK(s.past() == 16);
      continue;
    }
    s.truncate(at);
    SequenceState fresh = state();
    const std::size_t images = place >= 14 ? 2U : place >= 9 ? 1U : 0U;
    if (place > 0) fresh.commit(fresh.plan(all.first(place), std::span<const Grid>(grids).first(images)));
    CHECK((s.past() == fresh.past() && s.next_position() == fresh.next_position()));
    if (place == 16) continue;
    const auto rest = std::span<const Grid>(grids).subspan(images);
    CHECK(list<std::int64_t>(s.plan(all.subspan(place), rest).positions) ==
          list<std::int64_t>(fresh.plan(all.subspan(place), rest).positions));
  }
  SequenceState s = state();
  const octavo::CallPlan plan = s.plan(prompt, grids);
  s.commit(plan.slice(0, 5));
  CHECK(message_of([&] { s.plan(all.subspan(9), std::span<const Grid>(grids).subspan(1)); }) ==
        "sequence: its 5 tokens end inside an image: feed the rest of the plan that began it, or truncate to 3");
  s.truncate(3);
  s.commit(s.plan(all.subspan(3), grids));
  CHECK(s.next_position() == 13);
}

TEST_CASE("positions are copied from cache to cache bit by bit") {
  for (const octavo::DType dtype : {octavo::DType::f32, octavo::DType::bf16, octavo::DType::s8}) {
    INFO(octavo::dtype_name(dtype));
    const Tensor k = random({1, 3, 7, 4}, 1);
    const Tensor v = random({1, 3, 7, 4}, 2);
    const auto filled = [&](std::int64_t capacity, std::int64_t positions) {
      KvCache cache(2, 3, 4, capacity, dtype);
      for (std::int64_t layer = 0; layer < 2; ++layer)
        cache.append(layer, k.slice(2, 0, positions), v.slice(2, 0, positions), "");
      cache.commit(positions);
      return cache;
    };
    const KvCache from = filled(9, 7);
    KvCache to = filled(20, 2);
    to.append_copy(from, 2, 4);
    to.append_copy(from, 4, 7);
    CHECK(to.length() == 7);
    const Tensor more = random({1, 3, 1, 4}, 3);
    KvCache same = filled(8, 7);
    for (std::int64_t layer = 0; layer < 2; ++layer) {
      const KvCache::View a = to.append(layer, more, more, "");
      const KvCache::View b = same.append(layer, more, more, "");
      const auto bytes = [](const Tensor& t) {
        const Tensor flat = t.contiguous();
        return std::string(static_cast<const char*>(flat.raw()), flat.size_bytes());
      };
      CHECK((bytes(a.k) == bytes(b.k) && bytes(a.v) == bytes(b.v)));
      if (dtype == octavo::DType::s8) CHECK((bytes(a.k_scale) == bytes(b.k_scale)));
    }
    KvCache small = filled(8, 2);
    CHECK(message_of([&] { small.append_copy(from, 0, 7); }) ==
          "KvCache::append_copy: positions [0, 7) of 7 into a cache that holds 2 and has a capacity of 8");
    CHECK_THROWS_AS(small.append_copy(from, 5, 8), octavo::Error);
    CHECK_THROWS_AS(small.append_copy(from, 3, 2), octavo::Error);
    CHECK(message_of([&] { small.append_copy(KvCache(1, 3, 4, 9, dtype), 0, 0); }) ==
          "KvCache::append_copy: the two caches were made for different models");
    CHECK(small.length() == 2);
  }
}
