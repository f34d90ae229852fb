// One checkpoint for many threads.
#include "threads.hpp"

#include <atomic>
#include <cstring>

#include "catch.hpp"
#include "octavo/checkpoint.hpp"
#include "octavo/config.hpp"

namespace octavo {

TEST_CASE("a checkpoint shared by threads gives each the same tensors, names and config") {
  const std::string directory = std::string(OCTAVO_SOURCE_DIR) + "/examples/models/octavo-tiny-vl";
  const Checkpoint checkpoint = Checkpoint::open(directory);
  const std::vector<std::string> names = checkpoint.names();
  REQUIRE(names.size() > 20);
  std::vector<std::string> bytes;
  for (const std::string& name : names) {
    const Tensor tensor = Checkpoint::open(directory).tensor(name);
    bytes.emplace_back(static_cast<const char*>(tensor.raw()), tensor.size_bytes());
  }
  std::atomic<int> wrong{0};
  test::at_once(4, [&](int thread) {
    const Checkpoint mine = checkpoint;  // copies share the mapped files
    for (int round = 0; round < 3; ++round)
      for (std::size_t n = 0; n < names.size(); ++n) {
        const std::size_t i = (n + static_cast<std::size_t>(thread) * 11) % names.size();
        const Tensor tensor = mine.tensor(names[i]);
        if (tensor.size_bytes() != bytes[i].size() || std::memcmp(tensor.raw(), bytes[i].data(), bytes[i].size()) != 0)
          ++wrong;
        const std::string module = names[i].substr(0, names[i].rfind('.'));
        if (mine.scheme_of(module) != StoredScheme::none || mine.stored_name(names[i]).empty()) ++wrong;
      }
    if (mine.names() != names || mine.config().dump() != checkpoint.config().dump()) ++wrong;
  });
  CHECK(wrong == 0);
}

}  // namespace octavo
