// JPEG by libjpeg-turbo with its defaults (slow integer transform, fancy upsampling), which are Pillow's. libjpeg
// leaves a failed call by longjmp: a function that sets the mark below has no local object with a destructor.
#include <csetjmp>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string_view>

#include "decoders.hpp"
#include "libjpeg.hpp"
#include "orientation.hpp"

namespace octavo::detail {
namespace {

/// Scans beyond those of any encoder, each of which goes over the whole picture: a small file could keep us for hours.
constexpr int kMostScans = 256;

struct Decompressor {
  jpeg_decompress_struct info{};
  jpeg_error_mgr errors{};
  jpeg_source_mgr source{};
  jpeg_progress_mgr progress{};
  std::jmp_buf mark{};
  char message[JMSG_LENGTH_MAX] = {};

  Decompressor() = default;
  Decompressor(const Decompressor&) = delete;
  Decompressor& operator=(const Decompressor&) = delete;
  ~Decompressor() { jpeg_destroy_decompress(&info); }  // harmless before it is created
};

[[noreturn]] void leave(j_common_ptr info) {
  auto* self = static_cast<Decompressor*>(info->client_data);
  info->err->format_message(info, self->message);
  std::longjmp(self->mark, 1);
}

[[noreturn]] void leave_with(j_common_ptr info, const char* message) {
  auto* self = static_cast<Decompressor*>(info->client_data);
  std::snprintf(self->message, sizeof self->message, "%s", message);
  std::longjmp(self->mark, 1);
}

/// A warning means that pixels are made up, except for these: what they say of is left out or does no harm, and cameras
/// write it. Pillow ignores all.
void warn(j_common_ptr info, int level) {
  if (level >= 0) return;  // a trace message
  switch (info->err->msg_code) {
    case JWRN_EXTRANEOUS_DATA:
    case JWRN_ADOBE_XFORM:
    case JWRN_JFIF_MAJOR:
    case JWRN_BOGUS_ICC:
      return;
    default:
      leave(info);
  }
}

boolean read_past_the_end(j_decompress_ptr info) {
  leave_with(reinterpret_cast<j_common_ptr>(info), "the file ends too early");
}

void skip(j_decompress_ptr info, long count) {
  if (count <= 0) return;
  if (static_cast<std::size_t>(count) > info->src->bytes_in_buffer) read_past_the_end(info);
  info->src->next_input_byte += count;
  info->src->bytes_in_buffer -= static_cast<std::size_t>(count);
}

void count_scans(j_common_ptr info) {
  if (reinterpret_cast<j_decompress_ptr>(info)->input_scan_number > kMostScans)
    leave_with(info, "it has more scans than any encoder writes");
}

bool read_header(Decompressor& self, const std::uint8_t* data, std::size_t size) {
  self.info.err = jpeg_std_error(&self.errors);
  self.info.client_data = &self;
  self.errors.error_exit = leave;
  self.errors.emit_message = warn;
  if (setjmp(self.mark) != 0) return false;  // NOLINT(cert-err52-cpp): libjpeg's way out
  jpeg_create_decompress(&self.info);
  self.source.init_source = [](j_decompress_ptr) {};
  self.source.term_source = [](j_decompress_ptr) {};
  self.source.fill_input_buffer = read_past_the_end;
  self.source.skip_input_data = skip;
  self.source.resync_to_restart = jpeg_resync_to_restart;
  self.source.next_input_byte = data;
  self.source.bytes_in_buffer = size;
  self.info.src = &self.source;
  self.progress.progress_monitor = count_scans;
  self.info.progress = &self.progress;
  jpeg_save_markers(&self.info, JPEG_APP0 + 1, 0xFFFF);
  jpeg_read_header(&self.info, TRUE);
  return true;
}

bool read_pixels(Decompressor& self, std::uint8_t* out) {
  if (setjmp(self.mark) != 0) return false;  // NOLINT(cert-err52-cpp)
  jpeg_start_decompress(&self.info);
  const std::size_t stride = std::size_t{self.info.output_width} * static_cast<unsigned>(self.info.output_components);
  while (self.info.output_scanline < self.info.output_height) {
    JSAMPROW row = out + self.info.output_scanline * stride;
    jpeg_read_scanlines(&self.info, &row, 1);
  }
  jpeg_finish_decompress(&self.info);  // reads on to the end marker
  return true;
}

/// What APP1 segments say: EXIF, which may go over several, or XMP.
int orientation(const jpeg_decompress_struct& info) {
  constexpr std::string_view kExif("Exif\0\0", 6);
  constexpr std::string_view kXmp("http://ns.adobe.com/xap/1.0/\0", 29);
  std::vector<std::uint8_t> exif;
  std::string_view xmp;
  for (jpeg_saved_marker_ptr marker = info.marker_list; marker != nullptr; marker = marker->next) {
    const std::string_view data(reinterpret_cast<const char*>(marker->data), marker->data_length);
    if (data.starts_with(kExif))
      exif.insert(exif.end(), marker->data + kExif.size(), marker->data + data.size());
    else if (data.starts_with(kXmp))
      xmp = data.substr(kXmp.size());
  }
  return orientation_of(exif_orientation(exif), xmp_orientation(xmp));
}

/// libjpeg's memory besides the rows: a file of several scans is held whole, 16 bits per coefficient.
std::int64_t coefficient_bytes(jpeg_decompress_struct& info) {
  if (jpeg_has_multiple_scans(&info) == 0) return 0;
  std::int64_t blocks = 0;
  for (int i = 0; i < info.num_components; ++i)
    blocks += std::int64_t{info.comp_info[i].width_in_blocks} * info.comp_info[i].height_in_blocks;
  return blocks * DCTSIZE2 * static_cast<std::int64_t>(sizeof(JCOEF));
}

/// Four components are CMYK with all values inverted, as Adobe writes and Pillow assumes them.
/// Source: cmyk2rgb in Pillow's Convert.c.
void rgb_from_inverted_cmyk(std::vector<std::uint8_t>& values) {
  const std::size_t pixels = values.size() / 4;
  for (std::size_t i = 0; i < pixels; ++i) {
    const unsigned light = values[4 * i + 3];  // 255 - K
    for (std::size_t c = 0; c < 3; ++c) {
      const unsigned ink = 255U - values[4 * i + c];
      const unsigned product = ink * light + 128;
      values[3 * i + c] = static_cast<std::uint8_t>(light - ((product + (product >> 8)) >> 8));
    }
  }
  values.resize(3 * pixels);
}

}  // namespace

Samples decode_jpeg(const PictureFile& file) {
  Decompressor self;
  if (!read_header(self, file.data(), file.size())) file.damaged(self.message);
  const int components = self.info.num_components;
  if (components != 1 && components != 3 && components != 4)
    file.unsupported("has " + std::to_string(components) + " components, 1, 3 or 4 are read");
  self.info.out_color_space = components == 1 ? JCS_GRAYSCALE : components == 3 ? JCS_RGB : JCS_CMYK;
  Samples samples;
  samples.height = self.info.image_height;
  samples.width = self.info.image_width;
  file.require_room(samples.height, samples.width, components + 3, coefficient_bytes(self.info));
  samples.channels = components;
  samples.orientation = orientation(self.info);  // the end of decompression frees the markers
  samples.values.resize(static_cast<std::size_t>(samples.height * samples.width * components));
  if (!read_pixels(self, samples.values.data())) file.damaged(self.message);
  if (components == 4) {
    rgb_from_inverted_cmyk(samples.values);
    samples.channels = 3;
  }
  return samples;
}

}  // namespace octavo::detail
