// From a file to RGB: the format's decoder, then transparency and orientation.
#include <array>
#include <limits>
#include <memory>
#include <utility>

#include "decoders.hpp"
#include "formats.hpp"
#include "octavo/image.hpp"

namespace octavo {
namespace detail {

void PictureFile::damaged(const std::string& what) const {
  throw Error(ErrorCode::format, origin_ + ": the " + format_ + " is damaged or cut short: " + what);
}

void PictureFile::unsupported(const std::string& what) const {
  throw Error(ErrorCode::unsupported,
              origin_ + ": the " + format_ + " " + what + ", which is not read; convert it to PNG or JPEG first");
}

void PictureFile::require_room(std::int64_t height, std::int64_t width, std::int64_t bytes_per_pixel,
                               std::int64_t more) const {
  const std::string shown =
      std::string("the ") + format_ + " is " + std::to_string(width) + " x " + std::to_string(height) + " pixels";
  if (height < 1 || width < 1) throw Error(ErrorCode::format, origin_ + ": " + shown);
  if (width > options_.max_pixels / height)
    throw Error(ErrorCode::format, origin_ + ": " + shown + ", more than the " + std::to_string(options_.max_pixels) +
                                       " that are accepted (max_pixels of DecodeOptions, --max-decoded-pixels)");
  // Both sides are below 2^32 and their product is at most max_pixels, so that only a large max_pixels could overflow.
  const std::int64_t room = options_.max_bytes - more;
  if (room < 0 || height * width > room / bytes_per_pixel)
    throw Error(ErrorCode::format, origin_ + ": " + shown + " and takes more than the " +
                                       std::to_string(options_.max_bytes) +
                                       " bytes that are accepted (max_bytes of DecodeOptions, --max-decoded-bytes)");
}

namespace {

constexpr std::size_t kMaxFileBytes = std::size_t{512} << 20;

/// Where the pixels of a file go. Source: the table of Pillow's ImageOps.exif_transpose.
struct Turn {
  bool swap_axes, from_right, from_bottom;  // of the upright picture, as seen from the stored one
};
constexpr std::array<Turn, 9> kTurns = {{{false, false, false},
                                         {false, false, false},
                                         {false, true, false},
                                         {false, true, true},
                                         {false, false, true},
                                         {true, false, false},
                                         {true, true, false},
                                         {true, true, true},
                                         {true, false, true}}};

DecodedImage finish(Samples samples, const char* format, const DecodeOptions& options) {
  DecodedImage result;
  result.format = format;
  result.orientation = samples.orientation;
  const Turn turn = kTurns[options.apply_orientation ? static_cast<std::size_t>(samples.orientation) : 1];
  const std::int64_t height = samples.height, width = samples.width, channels = samples.channels;
  Image& image = result.image;
  image.height = turn.swap_axes ? width : height;
  image.width = turn.swap_axes ? height : width;
  if (channels == 3 && !turn.swap_axes && !turn.from_right && !turn.from_bottom) {
    image.rgb = std::move(samples.values);
    return result;
  }
  image.rgb.resize(static_cast<std::size_t>(3 * height * width));
  const bool colour = channels >= 3, alpha = channels % 2 == 0;
  const bool blend = alpha && options.transparency == Transparency::white;
  const std::uint8_t* in = samples.values.data();
  for (std::int64_t y = 0; y < height; ++y)
    for (std::int64_t x = 0; x < width; ++x, in += channels) {
      std::int64_t column = turn.swap_axes ? y : x, row = turn.swap_axes ? x : y;
      if (turn.from_right) column = image.width - 1 - column;
      if (turn.from_bottom) row = image.height - 1 - row;
      std::uint8_t* out = image.rgb.data() + 3 * (row * image.width + column);
      const std::uint8_t opacity = alpha ? in[channels - 1] : 255;
      result.transparent = result.transparent || opacity != 255;
      for (int c = 0; c < 3; ++c) {
        const std::uint8_t value = in[colour ? c : 0];
        out[c] = blend ? on_white(value, opacity) : value;
      }
    }
  return result;
}

void check(const DecodeOptions& options) {
  constexpr std::int64_t kMost = std::int64_t{1} << 56;
  if (options.max_pixels < 1 || options.max_pixels > kMost || options.max_bytes < 1 || options.max_bytes > kMost)
    throw Error(ErrorCode::invalid_argument, "DecodeOptions: max_pixels is " + std::to_string(options.max_pixels) +
                                                 ", max_bytes " + std::to_string(options.max_bytes) +
                                                 "; both are 1 to 2^56");
}

}  // namespace
}  // namespace detail

DecodedImage decode_image_file(std::span<const std::byte> bytes, const std::string& origin,
                               const DecodeOptions& options) {
  detail::check(options);
  const auto fail = [&](ErrorCode code, const std::string& what) { return Error::of(code, origin + ": " + what); };
  if (bytes.empty()) throw fail(ErrorCode::format, "the file is empty, a picture is needed");
  if (bytes.size() > detail::kMaxFileBytes) throw fail(ErrorCode::format, "the file is larger than 512 MiB");
  const detail::Format* format = detail::format_of(bytes);
  if (format == nullptr)
    throw fail(ErrorCode::format, "not a picture that is known by its first bytes (JPEG, PNG, WebP, GIF, BMP, PNM)");
  if (format->decode == nullptr)
    throw fail(ErrorCode::unsupported, std::string("this is of the kind ") + format->name +
                                           ", which is not read (JPEG, PNG, WebP, GIF, BMP and PNM are); " +
                                           format->advice);
  const detail::PictureFile file(bytes, format->name, origin, options);
  return detail::finish(format->decode(file), format->name, options);
}

Image decode_image(std::span<const std::byte> bytes, const std::string& origin, const DecodeOptions& options) {
  return decode_image_file(bytes, origin, options).image;
}

Image load_image(const std::string& path, const DecodeOptions& options) {
  const std::shared_ptr<Storage> file = map_file(path);
  return decode_image(bytes_of(*file), path, options);
}

}  // namespace octavo
