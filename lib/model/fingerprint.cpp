// What a model is known by in a file. Hashing every weight would take longer than opening the model; samples of each
// tensor tell apart what was trained or quantized in another way.
#include <algorithm>
#include <random>
#include <string>

#include "model_impl.hpp"
#include "octavo/detail/sha256.hpp"

namespace octavo {
namespace {

constexpr std::size_t kSamples = 8;        // of a tensor
constexpr std::size_t kSampleBytes = 256;  // each
const std::uint32_t kProcess = std::random_device()();

void add(detail::Sha256& hash, const std::string& text) {
  hash.update(std::to_string(text.size()) + ":");
  hash.update(text);
}

void add_samples(detail::Sha256& hash, const Tensor& stored) {
  const Tensor tensor = stored.contiguous();
  const std::string_view bytes(static_cast<const char*>(tensor.raw()), tensor.size_bytes());
  for (std::size_t i = 0; i < kSamples; ++i) {
    const std::size_t room = bytes.size() - std::min(bytes.size(), kSampleBytes);
    hash.update(bytes.substr(room / (kSamples - 1) * i, kSampleBytes));
  }
}

}  // namespace

const std::string& Model::Impl::fingerprint() const {
  const std::scoped_lock lock(lazy_mutex);
  if (!fingerprint_digits.empty()) return fingerprint_digits;
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
    if (info.dtype) add_samples(hash, checkpoint.tensor(name));
  }
  fingerprint_digits = hash.finish();
  return fingerprint_digits;
}

}  // namespace octavo
