// SHA-256 by the standard's own examples, with the processor's instructions and without.
#include "octavo/detail/sha256.hpp"

#include <algorithm>
#include <string>
#include <string_view>

#include "catch.hpp"

using octavo::detail::Sha256;

namespace {

std::string digest(bool portable, std::string_view text, std::size_t at_once) {
  Sha256 hash(portable);
  for (std::size_t i = 0; i < text.size(); i += at_once) hash.update(text.substr(i, at_once));
  return hash.finish();
}

}  // namespace

TEST_CASE("digests are those of the standard") {
  const std::string million(1000000, 'a');
  struct Example {
    std::string_view text, digest;
  };
  // NIST, "Secure Hash Standard: examples with intermediate values".
  const Example examples[] = {{"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
                              {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
                              {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                               "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
                              {million, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"}};
  for (const Example& example : examples)
    for (const bool portable : {true, false})
      for (const std::size_t at_once : {std::size_t{1000000}, std::size_t{64}, std::size_t{7}, std::size_t{129}})
        CHECK(digest(portable, example.text, at_once) == example.digest);
}

TEST_CASE("the processor's instructions give the digests of the portable code") {
  std::string text(5000, '\0');
  for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>(i * i * 31 >> 3);
  for (std::size_t size = 0; size < 300; ++size)
    CHECK(digest(false, std::string_view(text).substr(size, size), 300) ==
          digest(true, std::string_view(text).substr(size, size), 300));
  CHECK(digest(false, text, 5000) == digest(true, text, 61));
}
