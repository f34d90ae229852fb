// GIF by giflib: the first frame, on a canvas as Pillow's GifImagePlugin makes it.
#include <gif_lib.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>

#include "decoders.hpp"

namespace octavo::detail {
namespace {

struct Input {
  const std::uint8_t* next;
  std::size_t left;
};

int read(GifFileType* gif, GifByteType* out, int count) {
  auto* input = static_cast<Input*>(gif->UserData);
  const std::size_t given = std::min(input->left, static_cast<std::size_t>(count));
  std::memcpy(out, input->next, given);
  input->next += given;
  input->left -= given;
  return static_cast<int>(given);  // fewer than asked for is an error to giflib
}

void close(GifFileType* gif) { DGifCloseFile(gif, nullptr); }
using Gif = std::unique_ptr<GifFileType, decltype(&close)>;

[[noreturn]] void fail(const PictureFile& file, int error) {
  const char* text = GifErrorString(error);
  if (error == D_GIF_ERR_READ_FAILED || error == D_GIF_ERR_EOF_TOO_SOON) file.cut_short();
  file.damaged(text == nullptr ? "giflib gives no reason" : text);
}

/// Goes over the extensions before the next frame. @returns false at the end of the file's frames.
bool next_frame(const PictureFile& file, GifFileType* gif, GraphicsControlBlock& control) {
  for (;;) {
    GifRecordType type = UNDEFINED_RECORD_TYPE;
    if (DGifGetRecordType(gif, &type) == GIF_ERROR) fail(file, gif->Error);
    if (type == TERMINATE_RECORD_TYPE) return false;
    if (type == IMAGE_DESC_RECORD_TYPE) {
      if (DGifGetImageDesc(gif) == GIF_ERROR) fail(file, gif->Error);
      return true;
    }
    if (type != EXTENSION_RECORD_TYPE) continue;
    int code = 0;
    GifByteType* block = nullptr;  // its length, then its bytes
    if (DGifGetExtension(gif, &code, &block) == GIF_ERROR) fail(file, gif->Error);
    if (code == GRAPHICS_EXT_FUNC_CODE && block != nullptr) DGifExtensionToGCB(block[0], block + 1, &control);
    while (block != nullptr)
      if (DGifGetExtensionNext(gif, &block) == GIF_ERROR) fail(file, gif->Error);
  }
}

using Row = std::array<std::uint8_t, 4>;

/// RGBA of each index: without any palette a ramp of greys; beyond a palette black.
std::array<Row, 256> colours(const ColorMapObject* map, int transparent) {
  std::array<Row, 256> table{};
  for (std::size_t i = 0; i < 256; ++i) {
    const auto grey = static_cast<std::uint8_t>(i);
    table[i] = {grey, grey, grey, 255};
    if (map != nullptr) {
      const bool known = i < static_cast<std::size_t>(map->ColorCount);
      const GifColorType colour = known ? map->Colors[i] : GifColorType{0, 0, 0};
      table[i] = {colour.Red, colour.Green, colour.Blue, 255};
    }
  }
  if (transparent >= 0) table[static_cast<std::size_t>(transparent)][3] = 0;
  return table;
}

/// The frame's row that comes as number `n`: interlaced ones come in four passes.
int row_of(int n, int height, bool interlaced) {
  if (!interlaced) return n;
  constexpr int kFirst[] = {0, 4, 2, 1};
  constexpr int kStep[] = {8, 8, 4, 2};
  for (int pass = 0; pass < 4; ++pass) {
    const int rows = (height - kFirst[pass] + kStep[pass] - 1) / kStep[pass];
    if (n < std::max(rows, 0)) return kFirst[pass] + n * kStep[pass];
    n -= std::max(rows, 0);
  }
  return height - 1;
}

}  // namespace

Samples decode_gif(const PictureFile& file) {
  Input input{file.data(), file.size()};
  int error = 0;
  const Gif gif(DGifOpen(&input, read, &error), &close);
  if (!gif) fail(file, error);
  GraphicsControlBlock control{};
  control.TransparentColor = NO_TRANSPARENT_COLOR;
  if (!next_frame(file, gif.get(), control)) file.damaged("it holds no frame");
  const GifImageDesc& frame = gif->Image;
  Samples samples;
  samples.height = std::max<std::int64_t>(gif->SHeight, std::int64_t{frame.Top} + frame.Height);
  samples.width = std::max<std::int64_t>(gif->SWidth, std::int64_t{frame.Left} + frame.Width);
  samples.channels = 4;
  file.require_room(samples.height, samples.width, 4 + 3);
  const auto table = colours(frame.ColorMap != nullptr ? frame.ColorMap : gif->SColorMap, control.TransparentColor);
  // What the frame leaves out has the transparent index, or else index 0.
  const Row& ground = table[control.TransparentColor >= 0 ? static_cast<std::size_t>(control.TransparentColor) : 0];
  const auto pixels = static_cast<std::size_t>(samples.height * samples.width);
  samples.values.resize(pixels * 4);
  for (std::size_t i = 0; i < pixels; ++i)
    std::copy(ground.begin(), ground.end(), samples.values.begin() + 4 * static_cast<std::ptrdiff_t>(i));
  std::vector<GifPixelType> line(static_cast<std::size_t>(std::max(frame.Width, 1)));
  for (int n = 0; n < frame.Height && frame.Width > 0; ++n) {
    if (DGifGetLine(gif.get(), line.data(), frame.Width) == GIF_ERROR) fail(file, gif->Error);
    const std::int64_t y = frame.Top + row_of(n, frame.Height, frame.Interlace);
    std::uint8_t* out = samples.values.data() + (y * samples.width + frame.Left) * 4;
    for (int x = 0; x < frame.Width; ++x, out += 4)
      std::memcpy(out, table[line[static_cast<std::size_t>(x)]].data(), 4);
  }
  while (next_frame(file, gif.get(), control)) {  // a file that is cut in a later frame is cut
    int size = 0;
    GifByteType* block = nullptr;
    if (DGifGetCode(gif.get(), &size, &block) == GIF_ERROR) fail(file, gif->Error);
    while (block != nullptr)
      if (DGifGetCodeNext(gif.get(), &block) == GIF_ERROR) fail(file, gif->Error);
  }
  return samples;
}

}  // namespace octavo::detail
