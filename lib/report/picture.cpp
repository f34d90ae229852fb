#include "picture.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "html.hpp"
#include "octavo/image.hpp"
#include "octavo/tensor.hpp"

namespace octavo::report {
namespace {

constexpr std::int64_t kMostSide = 480;

std::string base64(std::string_view bytes) {
  static constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t left = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k) group = group << 8 | (k < left ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    for (std::size_t k = 0; k < 4; ++k) out += k <= left ? kDigits[group >> (18 - 6 * k) & 63U] : '=';
  }
  return out;
}

/// The type that browsers show; "" of another format.
std::string type_of(const std::string& format) {
  if (format == "PNG") return "image/png";
  if (format == "JPEG") return "image/jpeg";
  if (format == "GIF") return "image/gif";
  if (format == "WebP") return "image/webp";
  return "";
}

/// The file as it is, where it is small enough, and browsers show it as the model sees it: they do not agree on
/// orientation, and show the page through what is transparent.
std::optional<Picture> as_it_is(std::span<const std::byte> bytes, const DecodedImage& decoded, std::size_t room) {
  const std::string type = type_of(decoded.format);
  if (type.empty() || decoded.orientation != 1 || decoded.transparent) return std::nullopt;
  if (bytes.size() > kMostFileBytes || bytes.size() > room) return std::nullopt;
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return Picture{"data:" + type + ";base64," + base64(text), ""};
}

std::string smaller_jpeg(Image image) {
  const std::int64_t longer = std::max(image.height, image.width);
  if (longer > kMostSide) {
    const auto scaled = [&](std::int64_t side) {
      return std::max<std::int64_t>(1, (side * kMostSide + longer / 2) / longer);
    };
    image = resize_bicubic(image, {scaled(image.height), scaled(image.width)});
  }
  const std::vector<std::byte> bytes = encode_jpeg(image);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

struct Rectangle {
  double x = 0, y = 0, width = 0, height = 0;
};

/// Corners in order; far outside is as good as just outside, and keeps the numbers short.
std::optional<Rectangle> rectangle(const Box& box, ImageSize size) {
  if (!std::all_of(box.begin(), box.end(), [](double corner) { return std::isfinite(corner); })) return std::nullopt;
  const auto within = [](double value, std::int64_t side) {
    const auto whole = static_cast<double>(side);
    return std::clamp(value, -2 * whole, 3 * whole);
  };
  const double left = within(std::min(box[0], box[2]), size.width),
               right = within(std::max(box[0], box[2]), size.width);
  const double up = within(std::min(box[1], box[3]), size.height), down = within(std::max(box[1], box[3]), size.height);
  return Rectangle{left, up, right - left, down - up};
}

/// `title` is what a reader sees on hovering; "" for none.
std::string drawn(const std::optional<Box>& box, ImageSize size, const char* look, const std::string& title) {
  const std::optional<Rectangle> at = box ? rectangle(*box, size) : std::nullopt;
  if (!at) return "";
  return std::string("<rect class=\"") + look + "\" x=\"" + html::fixed(at->x, 2) + "\" y=\"" + html::fixed(at->y, 2) +
         "\" width=\"" + html::fixed(at->width, 2) + "\" height=\"" + html::fixed(at->height, 2) + "\"" +
         (title.empty() ? "/>" : "><title>" + title + "</title></rect>");
}

}  // namespace

Picture embed(const std::string& path, const DecodeOptions& decode, std::size_t& room) {
  try {
    const std::shared_ptr<Storage> file = map_file(path);
    const std::span<const std::byte> bytes = bytes_of(*file);
    DecodedImage decoded = decode_image_file(bytes, path, decode);  // a file that browsers show as broken ends here
    if (std::optional<Picture> whole = as_it_is(bytes, decoded, room)) {
      room -= std::min(room, whole->data.size() / 4 * 3);
      return *std::move(whole);
    }
    const std::string jpeg = smaller_jpeg(std::move(decoded.image));
    if (jpeg.size() > room) return {"", "The page has no room for more pictures."};
    room -= jpeg.size();
    return {"data:image/jpeg;base64," + base64(jpeg), ""};
  } catch (const Error& error) {
    return {"", std::string("The picture cannot be shown: ") + error.what()};
  }
}

std::string overlay(const Picture& picture, ImageSize size, const std::string& alternative,
                    const std::optional<Box>& expected, const std::optional<Box>& original,
                    const std::optional<Box>& quantized) {
  if (size.width <= 0 || size.height <= 0) return "";
  const std::string width = std::to_string(size.width), height = std::to_string(size.height);
  std::string out = "<svg class=\"picture\" role=\"img\" aria-label=\"" + html::escaped(alternative) +
                    "\" viewBox=\"0 0 " + width + " " + height + "\">";
  if (picture.data.empty())
    out += "<rect class=\"nopicture\" x=\"0\" y=\"0\" width=\"" + width + "\" height=\"" + height + "\"/>";
  else
    out += "<image href=\"" + picture.data + "\" width=\"" + width + "\" height=\"" + height +
           "\" preserveAspectRatio=\"none\"/>";
  // A pale line below all keeps the coloured ones visible on any picture; where boxes coincide, the broad one shows
  // beside the narrow one, and that between the dots of the last.
  for (const std::optional<Box>* box : {&expected, &original, &quantized}) out += drawn(*box, size, "halo", "");
  return out + drawn(expected, size, "box expected", "expected") + drawn(original, size, "box original", "original") +
         drawn(quantized, size, "box quantized", "quantized") + "</svg>";
}

std::string box_remark(const Box& box, ImageSize size) {
  const std::optional<Rectangle> at = rectangle(box, size);
  if (!at) return "no numbers";
  std::string remark;
  if (box[0] > box[2] || box[1] > box[3]) remark = "corners swapped";
  const auto width = static_cast<double>(size.width), height = static_cast<double>(size.height);
  const bool outside = at->x >= width || at->y >= height || at->x + at->width <= 0 || at->y + at->height <= 0;
  const bool leaves = at->x < 0 || at->y < 0 || at->x + at->width > width || at->y + at->height > height;
  if (outside || leaves)
    remark += std::string(remark.empty() ? "" : ", ") + (outside ? "outside the picture" : "leaves the picture");
  return remark;
}

}  // namespace octavo::report
