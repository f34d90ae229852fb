/// SHA-256: of files, so that a reader can check a line of a comparison with `sha256sum`, and of pictures, to know them
/// again. Not for secrets. Not for direct use.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace octavo::detail {

/// Source: FIPS 180-4, sections 4.1.2, 5 and 6.2; with the processor's SHA instructions where it has them, several
/// times faster.
class Sha256 {
 public:
  /// `portable`: without those instructions, for tests.
  explicit Sha256(bool portable = false) noexcept;
  void update(std::string_view bytes);
  std::string finish();  ///< 64 hexadecimal digits; once

 private:
  using State = std::array<std::uint32_t, 8>;
  static void absorb_portable(State& state, const unsigned char* blocks, std::size_t count);
  static void absorb_by_instructions(State& state, const unsigned char* blocks, std::size_t count);

  void (*absorb_)(State& state, const unsigned char* blocks, std::size_t count);  // of 64 bytes each
  State state_{0x6a09e667U, 0xbb67ae85U, 0x3c6ef372U, 0xa54ff53aU, 0x510e527fU, 0x9b05688cU, 0x1f83d9abU, 0x5be0cd19U};
  std::array<unsigned char, 64> pending_{};
  std::size_t held_ = 0;      // bytes in pending_
  std::uint64_t length_ = 0;  // bytes so far
};

/// @throws Error  io naming the file.
std::string sha256_of_file(const std::string& path);

}  // namespace octavo::detail
