// WebP by libwebp's decoder of animations, which still pictures go through, too, as in Pillow: the first frame on its
// canvas.
#include <webp/decode.h>
#include <webp/demux.h>

#include <memory>
#include <optional>
#include <string_view>

#include "decoders.hpp"
#include "orientation.hpp"

namespace octavo::detail {
namespace {

using Decoder = std::unique_ptr<WebPAnimDecoder, decltype(&WebPAnimDecoderDelete)>;
using Demuxer = std::unique_ptr<WebPDemuxer, decltype(&WebPDemuxDelete)>;

/// The metadata chunk of that name; empty when there is none. Borrowed from the file.
std::span<const std::uint8_t> chunk(const WebPDemuxer* demuxer, const char* name) {
  WebPChunkIterator found;
  if (WebPDemuxGetChunk(demuxer, name, 1, &found) == 0) return {};
  const std::span<const std::uint8_t> bytes(found.chunk.bytes, found.chunk.size);
  WebPDemuxReleaseChunkIterator(&found);
  return bytes;
}

}  // namespace

Samples decode_webp(const PictureFile& file) {
  const WebPData data{file.data(), file.size()};
  const Demuxer demuxer(WebPDemux(&data), &WebPDemuxDelete);
  if (!demuxer) file.damaged("its chunks do not fit together, or the file ends too early");
  Samples samples;
  samples.height = WebPDemuxGetI(demuxer.get(), WEBP_FF_CANVAS_HEIGHT);
  samples.width = WebPDemuxGetI(demuxer.get(), WEBP_FF_CANVAS_WIDTH);
  samples.channels = 4;
  // Two canvases, the frame as YUV and its alpha, our samples and the result.
  file.require_room(samples.height, samples.width, 4 + 4 + 3 + 4 + 3);
  WebPAnimDecoderOptions options;
  if (WebPAnimDecoderOptionsInit(&options) == 0)
    file.unsupported("cannot be read: this libwebp is another version than its headers");
  options.color_mode = MODE_RGBA;
  const Decoder decoder(WebPAnimDecoderNew(&data, &options), &WebPAnimDecoderDelete);
  std::uint8_t* canvas = nullptr;  // the decoder's
  int time = 0;
  if (!decoder || WebPAnimDecoderGetNext(decoder.get(), &canvas, &time) == 0)
    file.damaged("its pixels cannot be decoded");
  samples.values.assign(canvas, canvas + samples.height * samples.width * samples.channels);
  const auto exif = chunk(demuxer.get(), "EXIF"), xmp = chunk(demuxer.get(), "XMP ");
  samples.orientation =
      orientation_of(exif_orientation(exif), xmp_orientation({reinterpret_cast<const char*>(xmp.data()), xmp.size()}));
  return samples;
}

}  // namespace octavo::detail
