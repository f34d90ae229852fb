#include "picture.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <vector>

#include "html.hpp"
#include "octavo/image.hpp"

namespace octavo::report {
namespace {

namespace fs = std::filesystem;
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

/// The type that browsers show, by the first bytes; "" of another.
std::string type_of(std::string_view bytes) {
  if (bytes.starts_with("\x89PNG\r\n\x1a\n")) return "image/png";
  if (bytes.starts_with("\xFF\xD8\xFF")) return "image/jpeg";
  if (bytes.starts_with("GIF8")) return "image/gif";
  return "";
}

/// A picture file's bytes; "" of one that has more than `most`, or cannot be read.
std::string content_of(const SampleImage& image, std::size_t most) {
  if (image.bytes != nullptr) {
    if (image.bytes->size() > most) return "";
    return {reinterpret_cast<const char*>(image.bytes->data()), image.bytes->size()};
  }
  std::error_code failed;
  const std::uintmax_t size = fs::file_size(image.name, failed);
  if (failed || size > most) return "";
  std::ifstream file(image.name, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  return bytes.size() > most ? "" : bytes;
}

/// The file as it is, where it is small enough and of a type that browsers show.
std::optional<Picture> as_it_is(const SampleImage& image, std::size_t room) {
  const std::string bytes = content_of(image, std::min(kMostFileBytes, room));
  const std::string type = type_of(bytes);
  if (type.empty()) return std::nullopt;
  return Picture{"data:" + type + ";base64," + base64(bytes), ""};
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

Picture embed(const SampleImage& source, std::size_t& room) {
  try {
    Image image = load_image(source);  // a file that a browser would show as broken ends here
    if (std::optional<Picture> whole = as_it_is(source, room)) {
      room -= std::min(room, whole->data.size() / 4 * 3);
      return *std::move(whole);
    }
    const std::string bytes = smaller_jpeg(std::move(image));
    if (bytes.size() > room) return {"", "The page has no room for more pictures."};
    room -= bytes.size();
    return {"data:image/jpeg;base64," + base64(bytes), ""};
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
