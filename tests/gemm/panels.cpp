// How rows and weights are laid out for the kernels, against the definition in panels.hpp, with AVX-512 and without.
#include "kernels/panels.hpp"

#include <algorithm>
#include <cstring>

#include "catch.hpp"
#include "kernels/cpu.hpp"
#include "support.hpp"

using namespace gemm_test;
using namespace octavo::gemm;

namespace {

constexpr std::uint8_t kUntouched = 0x5a;
constexpr std::int64_t kApart = 300;  // bytes from row to row

std::vector<std::uint8_t> some_rows(std::int64_t rows) {
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(rows * kApart));
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(i * 37 + i / 256);
  return bytes;
}

struct Aligned {
  alignas(64) std::uint8_t bytes[5 * 64 * 32];
  explicit Aligned(std::int64_t used) { std::fill_n(bytes, used, kUntouched); }
};

// Byte `b` of word `i` of column `c`.
std::uint8_t byte_of(const std::vector<std::uint8_t>& rows, std::int64_t c, std::int64_t count, std::int64_t row_bytes,
                     std::int64_t at, std::uint8_t flip) {
  const bool there = c < count && at < row_bytes;
  return static_cast<std::uint8_t>((there ? rows[static_cast<std::size_t>(c * kApart + at)] : 0) ^ flip);
}

}  // namespace

TEST_CASE("panels and strips of words are what they are said to be, with AVX-512 and without") {
  for (const std::int64_t row_bytes : {1, 3, 4, 63, 64, 65, 130, 256})
    for (const std::uint8_t flip : {std::uint8_t{0}, std::uint8_t{0x80}})
      for (const std::int64_t count : {1, 5, 11, 12, 16}) {
        const std::vector<std::uint8_t> rows = some_rows(count);
        const std::int64_t words = steps_of(row_bytes) * 16;
        const auto check = [&](const std::uint8_t* found, std::int64_t together) {
          std::int64_t wrong = 0;
          for (std::int64_t i = 0; i < words; ++i)
            for (std::int64_t c = 0; c < together; ++c)
              for (std::int64_t b = 0; b < 4; ++b)
                wrong +=
                    found[(i * together + c) * 4 + b] != byte_of(rows, c, count, row_bytes, 4 * i + b, flip) ? 1 : 0;
          INFO("row_bytes " << row_bytes << " count " << count << " flip " << int{flip} << " together " << together);
          CHECK(wrong == 0);
          CHECK(found[words * together * 4] == kUntouched);
        };
        Aligned to(sizeof(Aligned));
        pack_panel(rows.data(), kApart, count, row_bytes, to.bytes, flip);
        check(to.bytes, kPanelColumns);
        to = Aligned(sizeof(Aligned));
        pack_panel_plain(rows.data(), kApart, count, row_bytes, to.bytes, flip);
        check(to.bytes, kPanelColumns);
        if (count > kInterleavedRows) continue;
        to = Aligned(sizeof(Aligned));
        interleave_rows(rows.data(), kApart, count, row_bytes, flip, to.bytes);
        check(to.bytes, count);
        to = Aligned(sizeof(Aligned));
        interleave_rows_plain(rows.data(), kApart, count, row_bytes, flip, to.bytes);
        check(to.bytes, count);
      }
}

TEST_CASE("wide rows are int16, the even values of a word before the odd ones") {
  for (const std::int64_t row_bytes : {1, 3, 4, 63, 64, 65, 130, 256})
    for (const std::int64_t count : {1, 5, 12}) {
      const std::vector<std::uint8_t> rows = some_rows(count);
      const std::int64_t words = steps_of(row_bytes) * 16;
      Aligned to(sizeof(Aligned));
      interleave_wide_rows(rows.data(), kApart, count, row_bytes, to.bytes);
      std::int64_t wrong = 0;
      for (std::int64_t i = 0; i < words; ++i)
        for (std::int64_t r = 0; r < count; ++r)
          for (std::int64_t value = 0; value < 4; ++value) {
            std::int16_t found = 0;
            std::memcpy(&found, to.bytes + ((i * count + r) * 4 + value % 2 * 2 + value / 2) * 2, 2);
            wrong += found != static_cast<std::int8_t>(byte_of(rows, r, count, row_bytes, 4 * i + value, 0)) ? 1 : 0;
          }
      INFO("row_bytes " << row_bytes << " count " << count);
      CHECK(wrong == 0);
      CHECK(to.bytes[words * count * 8] == kUntouched);
    }
}
