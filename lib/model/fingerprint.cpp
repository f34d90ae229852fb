// What a model is known by in a file: every value of its weights counts.
#include <algorithm>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "model_impl.hpp"
#include "octavo/cancel.hpp"
#include "octavo/detail/amounts.hpp"
#include "octavo/detail/sha256.hpp"
#include "octavo/log.hpp"
#include "octavo/parallel.hpp"
#include "stopwatch.hpp"

namespace octavo {
namespace {

// A tensor's digest is that of the digests of its parts, so that several threads can read it. The size of a part is
// part of the fingerprint's definition.
constexpr std::size_t kPartBytes = std::size_t{1} << 20;
constexpr std::size_t kPartsTogether = 256;  // between two looks at the caller's cancel flag
const std::uint32_t kProcess = std::random_device()();

void add(detail::Sha256& hash, const std::string& text) {
  hash.update(std::to_string(text.size()) + ":");
  hash.update(text);
}

void add_values(detail::Sha256& hash, const Tensor& stored) {
  const Tensor tensor = stored.contiguous();
  const std::string_view bytes(static_cast<const char*>(tensor.raw()), tensor.size_bytes());
  const std::size_t parts = (bytes.size() + kPartBytes - 1) / kPartBytes;
  for (std::size_t first = 0; first < parts; first += kPartsTogether) {
    check_cancelled();
    std::vector<std::string> digests(std::min(kPartsTogether, parts - first));
    parallel_for(static_cast<std::int64_t>(digests.size()), 1, [&](std::int64_t begin, std::int64_t end) {
      for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
        detail::Sha256 part;
        part.update(bytes.substr((first + i) * kPartBytes, kPartBytes));
        digests[i] = part.finish();
      }
    });
    for (const std::string& digest : digests) hash.update(digest);
  }
  if (tensor.dtype() == DType::s8) tensor.drop_pages();  // a run reads the packed copy
}

}  // namespace

const std::string& Model::Impl::fingerprint() const {
  const std::scoped_lock lock(fingerprint_mutex);
  if (!fingerprint_digits.empty()) return fingerprint_digits;
  const model::Stopwatch watch;
  detail::Sha256 hash;
  add(hash, checkpoint.config().dump());
  for (const int option : {static_cast<int>(options.vision_math), static_cast<int>(options.language_math),
                           static_cast<int>(options.lm_head)})
    add(hash, std::to_string(option));
  if (linears_replaced) add(hash, "replaced " + std::to_string(id) + " of " + std::to_string(kProcess));
  for (const std::string& name : checkpoint.names()) {
    const TensorInfo& info = checkpoint.info(name);
    add(hash, name);
    add(hash, info.stored_dtype);
    add(hash, info.shape.to_string());
    if (info.dtype) add_values(hash, checkpoint.tensor(name));
  }
  fingerprint_digits = hash.finish();
  log_line(LogLevel::info, "model", [&] {
    return "read " + detail::megabytes(checkpoint.total_bytes()) + " of weights for the model's fingerprint in " +
           detail::seconds(watch.seconds());
  });
  return fingerprint_digits;
}

}  // namespace octavo
