// A saved session of the bundled model with bytes changed and its length and digest mended, so that every change is
// read. What is restored must go on: give logits, take another token, and be saved again.
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "octavo/detail/sha256.hpp"
#include "octavo/model.hpp"
#include "octavo/session.hpp"

namespace {

const octavo::Model& model() {
  static const octavo::Model opened =
      octavo::Model::open(std::string(OCTAVO_SOURCE_DIR) + "/examples/models/octavo-tiny-vl");
  return opened;
}

std::vector<std::byte> saved() {
  octavo::Image image;
  image.height = image.width = 56;
  image.rgb.assign(static_cast<std::size_t>(3 * 56 * 56), 100);
  const octavo::ChatMessage question{"user",
                                     {{octavo::ChatPart::Kind::image, ""}, {octavo::ChatPart::Kind::text, "Where?"}}};
  octavo::Session session(model(), 64);
  session.feed(model().prepare({&question, 1}, {&image, 1}));
  return session.to_bytes();
}

void mend(std::vector<std::byte>& bytes) {
  constexpr std::size_t kLength = 24, kDigits = 64;  // as lib/model/session_file.cpp lays them out
  if (bytes.size() < kLength + 8 + kDigits) return;
  const std::uint64_t size = bytes.size();
  std::memcpy(bytes.data() + kLength, &size, sizeof(size));
  octavo::detail::Sha256 hash;
  hash.update({reinterpret_cast<const char*>(bytes.data()), bytes.size() - kDigits});
  std::memcpy(bytes.data() + bytes.size() - kDigits, hash.finish().data(), kDigits);
}

}  // namespace

/// Three bytes a change: where (16 bits; half of them in the numbers that the file begins with), and what. A last one
/// or two cut bytes off.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kBeginning = 1024;
  static const std::vector<std::byte> whole = saved();
  std::vector<std::byte> bytes = whole;
  for (; size >= 3; data += 3, size -= 3) {
    const auto where = static_cast<std::size_t>(data[0] | data[1] << 8);
    bytes[where % 2 == 0 ? where / 2 % kBeginning : where % bytes.size()] = static_cast<std::byte>(data[2]);
  }
  if (size > 0) bytes.resize(bytes.size() - data[0]);
  mend(bytes);
  try {
    octavo::Session session = octavo::Session::from_bytes(model(), bytes);
    if (session.past() == 0) return 0;
    session.logits();
    octavo::ModelInput next;
    next.ids = {1};
    if (session.past() < session.capacity()) session.feed(next);
    octavo::Session::from_bytes(model(), session.to_bytes());
  } catch (const octavo::Error&) {
    return 0;  // refused
  }
  return 0;
}
