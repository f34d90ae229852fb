// A session as bytes. All numbers little-endian, as they lie in memory:
//
//   char[16] "octavo session\n", 0     u32 version     u32 DType of the cache     u64 bytes of the whole
//   char[64] fingerprint of the model
//   i64 num_layers, num_kv_heads, head_dim, capacity, prefill_chunk, tokens, cached, pictures, logits
//   i32[tokens]
//   per picture: i64 begin, end, grid t, h, w, height and width as given, height and width as seen; char[64] digest
//   f32[logits], which are 0 or vocab_size
//   per layer: k, v [num_kv_heads, cached, head_dim], and of s8 the scales of k and of v, f32 [num_kv_heads, cached]
//   char[64] SHA-256 of all that stands before it
#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "chunks.hpp"
#include "octavo/checkpoint.hpp"
#include "octavo/detail/sha256.hpp"
#include "session_impl.hpp"

namespace octavo {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr std::string_view kMagic("octavo session\n\0", 16);
constexpr std::uint32_t kVersion = 2;  // 1 knew models by samples of their weights
constexpr std::size_t kDigits = 64;
constexpr std::string_view kMark = kMagic.substr(0, 14);
constexpr std::size_t kAround = kMagic.size() + 2 * sizeof(std::uint32_t) + sizeof(std::uint64_t) + 2 * kDigits;

struct Extents {
  std::int64_t num_layers = 0, num_kv_heads = 0, head_dim = 0;
  std::int64_t capacity = 0, prefill_chunk = 0, tokens = 0, cached = 0, pictures = 0, logits = 0;
};
static_assert(sizeof(Extents) == 9 * 8);
using PictureNumbers = std::array<std::int64_t, 9>;

class Writer {
 public:
  explicit Writer(std::size_t bytes) { out_.reserve(bytes); }
  void add(const void* data, std::size_t bytes) {
    const auto* first = static_cast<const std::byte*>(data);
    out_.insert(out_.end(), first, first + bytes);
  }
  template <class T>
  void number(const T& value) {
    add(&value, sizeof(value));
  }
  void text(std::string_view value) { add(value.data(), value.size()); }
  void tensor(const Tensor& view) {
    if (!view.defined()) return;
    const Tensor rows = view.contiguous();
    add(rows.raw(), rows.size_bytes());
  }
  std::span<const std::byte> written() const { return out_; }
  std::vector<std::byte> take() { return std::move(out_); }

 private:
  std::vector<std::byte> out_;
};

[[noreturn]] void refuse(const std::string& what) { throw Error(ErrorCode::format, "saved session: " + what); }

/// Reads what the digest vouches for; still, no number is trusted.
class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) : left_(bytes) {}
  const std::byte* take(std::size_t bytes) {
    if (bytes > left_.size()) refuse("it says that it holds more than there is");
    const std::byte* data = left_.data();
    left_ = left_.subspan(bytes);
    return data;
  }
  template <class T>
  T number() {
    T value;
    std::memcpy(&value, take(sizeof(value)), sizeof(value));
    return value;
  }
  std::string_view text(std::size_t bytes) { return {reinterpret_cast<const char*>(take(bytes)), bytes}; }
  template <class T>
  void values(std::vector<T>& out, std::int64_t count) {
    const auto most = static_cast<std::int64_t>(left_.size() / sizeof(T));
    if (count < 0 || count > most) refuse("it says that it holds more than there is");
    const std::byte* data = take(static_cast<std::size_t>(count) * sizeof(T));
    out.resize(static_cast<std::size_t>(count));
    if (count > 0) std::memcpy(out.data(), data, out.size() * sizeof(T));
  }
  /// Copied, since the bytes need not be aligned.
  Tensor tensor(DType dtype, const Shape& shape) {
    const std::size_t bytes = size_of(dtype) * static_cast<std::size_t>(shape.numel());
    const std::byte* data = take(bytes);
    Tensor out = Tensor::empty(dtype, shape);
    std::memcpy(out.mutable_raw(), data, bytes);
    return out;
  }
  std::size_t left() const { return left_.size(); }

 private:
  std::span<const std::byte> left_;
};

std::string digest_of(std::span<const std::byte> bytes) {
  detail::Sha256 hash;
  hash.update({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  return hash.finish();
}

/// Everything around the content: what it is, that it is whole, and whose.
Reader open_envelope(std::span<const std::byte> bytes, const std::string& fingerprint, DType& dtype) {
  Reader reader(bytes);
  if (bytes.size() < kMagic.size() || reader.text(kMagic.size()) != kMagic)
    refuse("these bytes do not begin as one does");
  if (bytes.size() < kAround) refuse("it is cut short: it has " + std::to_string(bytes.size()) + " bytes");
  const auto version = reader.number<std::uint32_t>();
  const auto type = reader.number<std::uint32_t>();
  const auto size = reader.number<std::uint64_t>();
  if (version != kVersion)
    throw Error(ErrorCode::unsupported, "saved session: its form is version " + std::to_string(version) +
                                            ", this library reads version " + std::to_string(kVersion));
  if (size != bytes.size())
    refuse("it has " + std::to_string(bytes.size()) + " bytes and should have " + std::to_string(size) +
           (bytes.size() < size ? ": it is cut short" : ""));
  const std::span<const std::byte> content = bytes.first(bytes.size() - kDigits);
  if (Reader(bytes.last(kDigits)).text(kDigits) != digest_of(content))
    refuse("it is damaged: its SHA-256 is not the one that it ends with");
  const std::string_view made_by = reader.text(kDigits);
  if (made_by != fingerprint)
    throw Error(ErrorCode::invalid_argument, "saved session: it was saved with another model, " +
                                                 std::string(made_by.substr(0, 12)) + "..., this one is " +
                                                 fingerprint.substr(0, 12) +
                                                 "...: weights and options (math, lm_head) must be the same");
  for (const DType known : {DType::f32, DType::bf16, DType::s8})
    if (type == static_cast<std::uint32_t>(known)) dtype = known;
  if (type != static_cast<std::uint32_t>(dtype))
    refuse("its cache is of type " + std::to_string(type) + ", which is none of f32, bf16 and s8");
  Reader inside(content);
  inside.take(content.size() - reader.left() + kDigits);
  return inside;
}

/// Keys and values of `cached` positions of a layer, each part as `each` gives it.
template <class Each>
KvCache::View view_of(DType dtype, const Extents& extents, Each&& each) {
  KvCache::View view;
  const Shape rows{1, extents.num_kv_heads, extents.cached, extents.head_dim};
  const Shape scales{1, extents.num_kv_heads, extents.cached};
  view.k = each(dtype, rows);
  view.v = each(dtype, rows);
  if (dtype != DType::s8) return view;
  view.k_scale = each(DType::f32, scales);
  view.v_scale = each(DType::f32, scales);
  return view;
}

Extents extents_of(const KvCache& cache) {
  const Tensor k = cache.stored(0).k;
  Extents extents;
  extents.num_layers = cache.num_layers();
  extents.num_kv_heads = k.dim(1);
  extents.head_dim = k.dim(3);
  extents.capacity = cache.capacity();
  extents.cached = cache.length();
  return extents;
}

/// Positions of the first `cached` tokens, planned anew: what stands in no picture is text, whatever it spells.
void place_tokens(const model::RuntimeModel& runtime, SequenceState& state, std::span<const std::int32_t> tokens,
                  std::span<const model::HeldPicture> pictures, std::int64_t cached) {
  const auto place = [&](std::int64_t end, std::span<const Grid> grids) {
    model::SequenceCall call;
    call.state = &state;
    call.ids = model::ids_over(
        tokens.subspan(static_cast<std::size_t>(state.past()), static_cast<std::size_t>(end - state.past())));
    call.grids = grids;
    if (grids.empty()) call.generated_from = 0;
    const CallPlan plan = runtime.plan(call);
    state.commit(plan);
    return plan;
  };
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    const model::PromptKey::Image& image = pictures[i].place;
    const auto check = [&](bool right) {
      if (!right)
        refuse("its picture " + std::to_string(i) + " stands at [" + std::to_string(image.begin) + ", " +
               std::to_string(image.end) + ") of " + std::to_string(cached) + " tokens");
    };
    check(image.begin >= state.past() && image.end > image.begin && image.end <= cached);
    if (image.begin > state.past()) place(image.begin, {});
    const CallPlan plan = place(image.end, {&pictures[i].grid, 1});
    check(plan.images.front().begin == image.begin && plan.images.front().end == image.end);
  }
  if (cached > state.past()) place(cached, {});
}

}  // namespace

std::vector<std::byte> Session::to_bytes() const {
  const Impl& impl = *impl_;
  Extents extents = extents_of(impl.cache);
  extents.prefill_chunk = impl.prefill_chunk;
  extents.tokens = impl.past();
  extents.pictures = static_cast<std::int64_t>(impl.pictures.size());
  extents.logits = static_cast<std::int64_t>(impl.logits.size());
  std::size_t bytes = kAround + sizeof(extents) + impl.tokens.size() * sizeof(std::int32_t) +
                      impl.pictures.size() * (sizeof(PictureNumbers) + kDigits) + impl.logits.size() * sizeof(float);
  for (std::int64_t layer = 0; layer < extents.num_layers; ++layer) {
    const KvCache::View view = impl.cache.stored(layer);
    for (const Tensor* part : {&view.k, &view.v, &view.k_scale, &view.v_scale})
      if (part->defined()) bytes += part->size_bytes();
  }
  Writer writer(bytes);
  writer.text(kMagic);
  writer.number(kVersion);
  writer.number(static_cast<std::uint32_t>(impl.cache.dtype()));
  writer.number(static_cast<std::uint64_t>(bytes));
  writer.text(impl.model->fingerprint());
  writer.number(extents);
  writer.add(impl.tokens.data(), impl.tokens.size() * sizeof(std::int32_t));
  for (const model::HeldPicture& picture : impl.pictures) {
    const PictureSize& size = picture.size;
    writer.number(PictureNumbers{picture.place.begin, picture.place.end, picture.grid.t, picture.grid.h, picture.grid.w,
                                 size.original.height, size.original.width, size.seen.height, size.seen.width});
    writer.text(picture.place.digest);
  }
  writer.add(impl.logits.data(), impl.logits.size() * sizeof(float));
  for (std::int64_t layer = 0; layer < extents.num_layers; ++layer) {
    const KvCache::View view = impl.cache.stored(layer);
    for (const Tensor* part : {&view.k, &view.v, &view.k_scale, &view.v_scale}) writer.tensor(*part);
  }
  writer.text(digest_of(writer.written()));
  return writer.take();
}

void Session::save(const std::string& path) const {
  check_new_file(path, kMark);
  const std::vector<std::byte> bytes = to_bytes();
  const NewFile file{path, {reinterpret_cast<const char*>(bytes.data()), bytes.size()}, kMark};
  write_files({&file, 1});
}

Session Session::from_bytes(const Model& model, std::span<const std::byte> bytes, std::int64_t capacity) {
  const model::RuntimeModel& runtime = *model.impl_->runtime;
  DType dtype{};
  Reader reader = open_envelope(bytes, model.impl_->fingerprint(), dtype);
  const auto saved = reader.number<Extents>();
  if (saved.capacity < 1 || saved.capacity > runtime.max_position_embeddings() || saved.tokens < 0 ||
      saved.tokens > saved.capacity || saved.cached < 0 || saved.cached > saved.tokens || saved.prefill_chunk < 0 ||
      (saved.logits != 0 && saved.logits != runtime.vocab_size()))
    refuse("its numbers of tokens, positions and logits do not go together");
  if (capacity != 0 && capacity < saved.tokens)
    throw Error(ErrorCode::invalid_argument, "saved session: it holds " + std::to_string(saved.tokens) +
                                                 " tokens, more than the capacity of " + std::to_string(capacity) +
                                                 " that was asked for");
  auto impl =
      std::make_shared<Impl>(model.impl_, capacity == 0 ? saved.capacity : capacity, dtype, saved.prefill_chunk);
  const Extents own = extents_of(impl->cache);
  if (saved.num_layers != own.num_layers || saved.num_kv_heads != own.num_kv_heads || saved.head_dim != own.head_dim)
    refuse("its cache has other extents than the model's");
  reader.values(impl->tokens, saved.tokens);
  for (const std::int32_t id : impl->tokens)
    if (id < 0 || id >= runtime.vocab_size()) refuse("it holds the token " + std::to_string(id));
  for (std::int64_t i = 0; i < saved.pictures; ++i) {
    const auto n = reader.number<PictureNumbers>();
    const std::string digest(reader.text(kDigits));
    impl->pictures.push_back({{n[0], n[1], digest}, {n[2], n[3], n[4]}, {{n[5], n[6]}, {n[7], n[8]}}});
  }
  reader.values(impl->logits, saved.logits);
  try {
    place_tokens(runtime, impl->state, impl->tokens, impl->pictures, saved.cached);
  } catch (const Error& error) {
    if (error.code() == ErrorCode::format) throw;
    refuse(error.what());
  }
  for (std::int64_t layer = 0; layer < saved.num_layers && saved.cached > 0; ++layer)
    impl->cache.append_stored(
        layer, view_of(dtype, saved, [&](DType type, const Shape& shape) { return reader.tensor(type, shape); }));
  if (saved.cached > 0) impl->cache.commit(saved.cached);
  if (reader.left() != 0) refuse("it holds more than it says");
  return Session(std::move(impl));
}

Session Session::restore(const Model& model, const std::string& path, std::int64_t capacity) {
  if (!std::filesystem::exists(path)) throw Error(ErrorCode::not_found, path + ": no such file");
  if (!std::filesystem::is_regular_file(path))
    throw Error(ErrorCode::invalid_argument, path + ": is not a file that could hold a saved session");
  if (std::filesystem::file_size(path) == 0) throw Error(ErrorCode::format, path + ": saved session: it is empty");
  const std::shared_ptr<Storage> mapped = map_file(path);
  return in_context(path, [&] { return from_bytes(model, octavo::bytes_of(*mapped), capacity); });
}

}  // namespace octavo
