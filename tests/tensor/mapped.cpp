// Mapped files: read as they are, and given back to the system on request.
#include <cstring>
#include <vector>

#include "catch.hpp"
#include "mapped_bytes.hpp"
#include "octavo/tensor.hpp"
#include "scratch.hpp"

using octavo::DType;
using octavo::Tensor;

namespace {

constexpr std::int64_t kBytes = std::int64_t{1} << 20;

std::string pattern() {
  std::string bytes(static_cast<std::size_t>(kBytes), '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * i >> 3U);
  return bytes;
}

}  // namespace

TEST_CASE("pages of a mapped tensor are dropped and read again with the same bytes") {
  const test::ScratchDirectory scratch;
  const std::string expected = pattern();
  const std::string path = scratch.write("bytes", expected);
  const Tensor mapped = Tensor::over(octavo::map_file(path), 0, DType::s8, {kBytes});
  CHECK(mapped.is_mapped());
  REQUIRE(std::memcmp(mapped.raw(), expected.data(), expected.size()) == 0);
  REQUIRE(test::resident_bytes(path) == kBytes);

  const Tensor middle = mapped.slice(0, 1000, kBytes / 2 + 1000);  // pages that it shares with others stay
  middle.drop_pages();
  const std::int64_t left = test::resident_bytes(path);
  CHECK(left >= kBytes / 2);
  CHECK(left <= kBytes / 2 + 2 * 65536);
  CHECK(std::memcmp(mapped.raw(), expected.data(), expected.size()) == 0);
  mapped.drop_pages();
  CHECK(test::resident_bytes(path) == 0);
  CHECK(std::memcmp(middle.raw(), expected.data() + 1000, static_cast<std::size_t>(middle.numel())) == 0);
}

TEST_CASE("dropping pages leaves memory that is no mapped file as it is") {
  std::vector<std::int8_t> memory(65536, 7);
  const Tensor borrowed = Tensor::borrow(memory.data(), DType::s8, {65536});
  const Tensor owned = borrowed.clone();
  for (const Tensor& tensor : {borrowed, owned, Tensor(), Tensor::meta(DType::s8, {4})}) {
    CHECK_FALSE(tensor.is_mapped());
    tensor.drop_pages();
  }
  CHECK(std::vector<std::int8_t>(memory.size(), 7) == memory);
  CHECK(owned.data<std::int8_t>()[65535] == 7);
}

TEST_CASE("a mapped tensor that is copied or not contiguous is no longer one to drop pages of") {
  const test::ScratchDirectory scratch;
  const std::string path = scratch.write("bytes", pattern());
  const Tensor mapped = Tensor::over(octavo::map_file(path), 0, DType::s8, {1024, 1024});
  CHECK_FALSE(mapped.clone().is_mapped());
  const Tensor turned = mapped.permute({1, 0});
  REQUIRE(turned.is_mapped());
  const volatile std::int8_t first = *mapped.data<std::int8_t>();
  (void)first;
  const std::int64_t before = test::resident_bytes(path);
  REQUIRE(before > 0);
  turned.drop_pages();
  CHECK(test::resident_bytes(path) == before);
}
