#include "octavo/detail/sha256.hpp"

#include "octavo/detail/cpu.hpp"

#ifdef OCTAVO_X86
#include <cpuid.h>
#include <immintrin.h>
#endif

#include <algorithm>
#include <bit>
#include <fstream>
#include <vector>

#include "octavo/error.hpp"

namespace octavo::detail {
namespace {

// The first 32 bits of the fractional parts of the cube roots of the first 64 primes.
constexpr std::array<std::uint32_t, 64> kRounds{
    0x428a2f98U, 0x71374491U, 0xb5c0fbcfU, 0xe9b5dba5U, 0x3956c25bU, 0x59f111f1U, 0x923f82a4U, 0xab1c5ed5U,
    0xd807aa98U, 0x12835b01U, 0x243185beU, 0x550c7dc3U, 0x72be5d74U, 0x80deb1feU, 0x9bdc06a7U, 0xc19bf174U,
    0xe49b69c1U, 0xefbe4786U, 0x0fc19dc6U, 0x240ca1ccU, 0x2de92c6fU, 0x4a7484aaU, 0x5cb0a9dcU, 0x76f988daU,
    0x983e5152U, 0xa831c66dU, 0xb00327c8U, 0xbf597fc7U, 0xc6e00bf3U, 0xd5a79147U, 0x06ca6351U, 0x14292967U,
    0x27b70a85U, 0x2e1b2138U, 0x4d2c6dfcU, 0x53380d13U, 0x650a7354U, 0x766a0abbU, 0x81c2c92eU, 0x92722c85U,
    0xa2bfe8a1U, 0xa81a664bU, 0xc24b8b70U, 0xc76c51a3U, 0xd192e819U, 0xd6990624U, 0xf40e3585U, 0x106aa070U,
    0x19a4c116U, 0x1e376c08U, 0x2748774cU, 0x34b0bcb5U, 0x391c0cb3U, 0x4ed8aa4aU, 0x5b9cca4fU, 0x682e6ff3U,
    0x748f82eeU, 0x78a5636fU, 0x84c87814U, 0x8cc70208U, 0x90befffaU, 0xa4506cebU, 0xbef9a3f7U, 0xc67178f2U};

constexpr std::size_t kBlockBytes = 64;

void absorb_block(std::array<std::uint32_t, 8>& state, const unsigned char* block) {
  std::array<std::uint32_t, 64> w{};
  for (std::size_t t = 0; t < 16; ++t) {
    w[t] = std::uint32_t{block[4 * t]} << 24 | std::uint32_t{block[4 * t + 1]} << 16 |
           std::uint32_t{block[4 * t + 2]} << 8 | std::uint32_t{block[4 * t + 3]};
  }
  for (std::size_t t = 16; t < 64; ++t) {
    const std::uint32_t s0 = std::rotr(w[t - 15], 7) ^ std::rotr(w[t - 15], 18) ^ (w[t - 15] >> 3);
    const std::uint32_t s1 = std::rotr(w[t - 2], 17) ^ std::rotr(w[t - 2], 19) ^ (w[t - 2] >> 10);
    w[t] = w[t - 16] + s0 + w[t - 7] + s1;
  }
  auto [a, b, c, d, e, f, g, h] = state;
  for (std::size_t t = 0; t < 64; ++t) {
    const std::uint32_t s1 = std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25);
    const std::uint32_t t1 = h + s1 + ((e & f) ^ (~e & g)) + kRounds[t] + w[t];
    const std::uint32_t s0 = std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22);
    const std::uint32_t t2 = s0 + ((a & b) ^ (a & c) ^ (b & c));
    h = g;
    g = f;
    f = e;
    e = d + t1;
    d = c;
    c = b;
    b = a;
    a = t1 + t2;
  }
  const std::array<std::uint32_t, 8> rounds{a, b, c, d, e, f, g, h};
  for (std::size_t i = 0; i < 8; ++i) state[i] += rounds[i];
}

#ifdef OCTAVO_X86

struct Words {
  __m128i four;
};

/// The registers are SSE's, which every 64-bit system saves.
bool has_sha_instructions() noexcept {
  constexpr unsigned kSha = 1U << 29U;  // leaf 7, register EBX
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __builtin_cpu_supports("sse4.1") != 0 && __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (b & kSha) != 0;
}

#else

bool has_sha_instructions() noexcept { return false; }

#endif

}  // namespace

Sha256::Sha256(bool portable) noexcept
    : absorb_(!portable && has_sha_instructions() ? absorb_by_instructions : absorb_portable) {}

void Sha256::absorb_portable(State& state, const unsigned char* blocks, std::size_t count) {
  for (; count > 0; --count, blocks += kBlockBytes) absorb_block(state, blocks);
}

#ifdef OCTAVO_X86

// Intel, "Intel SHA Extensions" (2013): the state as two vectors, ABEF and CDGH; sha256rnds2 does two rounds, msg1 and
// msg2 the next four words of the schedule.
__attribute__((target("sha,sse4.1,ssse3"))) void Sha256::absorb_by_instructions(State& state,
                                                                                const unsigned char* blocks,
                                                                                std::size_t count) {
  const auto load = [](const void* from) { return _mm_loadu_si128(static_cast<const __m128i*>(from)); };
  const __m128i big_endian = _mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3);
  const __m128i cdab = _mm_shuffle_epi32(load(state.data()), 0xB1);
  const __m128i efgh = _mm_shuffle_epi32(load(state.data() + 4), 0x1B);
  __m128i abef = _mm_alignr_epi8(cdab, efgh, 8);
  __m128i cdgh = _mm_blend_epi16(efgh, cdab, 0xF0);
  for (; count > 0; --count, blocks += kBlockBytes) {
    const __m128i abef_before = abef, cdgh_before = cdgh;
    std::array<Words, 4> w;  // the last 16 words of the schedule, four to a vector
    for (std::size_t i = 0; i < 4; ++i) w[i].four = _mm_shuffle_epi8(load(blocks + 16 * i), big_endian);
    for (std::size_t group = 0; group < 16; ++group) {
      __m128i& oldest = w[group % 4].four;
      if (group >= 4) {
        const __m128i last = w[(group + 3) % 4].four;
        const __m128i seven_before = _mm_alignr_epi8(last, w[(group + 2) % 4].four, 4);
        oldest = _mm_sha256msg2_epu32(
            _mm_add_epi32(_mm_sha256msg1_epu32(oldest, w[(group + 1) % 4].four), seven_before), last);
      }
      const __m128i terms = _mm_add_epi32(oldest, load(kRounds.data() + 4 * group));
      cdgh = _mm_sha256rnds2_epu32(cdgh, abef, terms);
      abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(terms, 0x0E));
    }
    abef = _mm_add_epi32(abef, abef_before);
    cdgh = _mm_add_epi32(cdgh, cdgh_before);
  }
  const __m128i feba = _mm_shuffle_epi32(abef, 0x1B);
  const __m128i dchg = _mm_shuffle_epi32(cdgh, 0xB1);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(state.data()), _mm_blend_epi16(feba, dchg, 0xF0));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(state.data() + 4), _mm_alignr_epi8(dchg, feba, 8));
}

#else

void Sha256::absorb_by_instructions(State& state, const unsigned char* blocks, std::size_t count) {
  absorb_portable(state, blocks, count);
}

#endif

void Sha256::update(std::string_view bytes) {
  length_ += bytes.size();
  const auto* from = reinterpret_cast<const unsigned char*>(bytes.data());
  std::size_t left = bytes.size();
  while (left > 0) {
    if (held_ == 0 && left >= kBlockBytes) {
      const std::size_t blocks = left / kBlockBytes;
      absorb_(state_, from, blocks);
      from += blocks * kBlockBytes;
      left -= blocks * kBlockBytes;
      continue;
    }
    const std::size_t taken = std::min(left, pending_.size() - held_);
    std::copy_n(from, taken, pending_.begin() + static_cast<std::ptrdiff_t>(held_));
    held_ += taken;
    from += taken;
    left -= taken;
    if (held_ == pending_.size()) {
      absorb_(state_, pending_.data(), 1);
      held_ = 0;
    }
  }
}

std::string Sha256::finish() {
  const std::uint64_t bits = length_ * 8;
  update(std::string_view("\x80", 1));
  while (held_ != 56) update(std::string_view("\0", 1));
  std::array<char, 8> tail{};
  for (std::size_t i = 0; i < 8; ++i) tail[i] = static_cast<char>(bits >> (56 - 8 * i));
  update({tail.data(), tail.size()});
  std::string digits;
  for (const std::uint32_t word : state_) {
    for (int shift = 28; shift >= 0; shift -= 4) digits += "0123456789abcdef"[(word >> shift) & 15U];
  }
  return digits;
}

std::string sha256_of_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error(ErrorCode::io, path + ": cannot be opened");
  Sha256 hash;
  std::vector<char> buffer(std::size_t{1} << 16);
  while (file) {
    file.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
    hash.update({buffer.data(), static_cast<std::size_t>(file.gcount())});
  }
  if (file.bad()) throw Error(ErrorCode::io, path + ": cannot be read");
  return hash.finish();
}

}  // namespace octavo::detail
