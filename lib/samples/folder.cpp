#include "folder.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "forms.hpp"
#include "left_out.hpp"
#include "words.hpp"

namespace octavo::samples {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 12> kRead{".png", ".jpg", ".jpeg", ".jpe", ".webp", ".gif",
                                                 ".bmp", ".pnm", ".ppm",  ".pgm", ".pbm",  ".jfif"};
/// Pictures that Octavo cannot decode: to pass over them would be to ask about fewer than there are.
constexpr std::array<std::string_view, 11> kUnread{".tif", ".tiff", ".heic", ".heif", ".avif", ".jxl",
                                                   ".jp2", ".svg",  ".psd",  ".tga",  ".ico"};

template <std::size_t kCount>
bool ends(const fs::path& file, const std::array<std::string_view, kCount>& endings) {
  return std::find(endings.begin(), endings.end(), lower(file.extension().string())) != endings.end();
}

std::vector<std::string> pictures_under(const std::string& folder) {
  std::vector<std::string> found;
  try {
    fs::recursive_directory_iterator entry(folder);
    for (; entry != fs::recursive_directory_iterator(); ++entry) {
      if (entry->path().filename().string().starts_with('.')) {
        if (entry->is_directory()) entry.disable_recursion_pending();
        continue;
      }
      if (entry->is_regular_file() && (ends(entry->path(), kRead) || ends(entry->path(), kUnread)))
        found.push_back(entry->path().lexically_relative(folder).string());
    }
  } catch (const fs::filesystem_error& error) {
    throw Error(ErrorCode::io, "samples: the folder " + folder + " cannot be read: " + error.code().message());
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace

SampleSet read_folder(const SampleSource& source, std::int64_t limit) {
  std::error_code failed;
  if (!fs::is_directory(source.pictures, failed))
    throw Error(ErrorCode::not_found, "samples: " + source.pictures + " is not a folder of pictures");
  if (source.prompt.find_first_not_of(" \t\r\n") == std::string::npos)
    throw Error(ErrorCode::invalid_argument,
                "samples: the prompt for the pictures of " + source.pictures + " is empty: say what to ask about each");
  SampleSet set;
  for (const std::string& name : pictures_under(source.pictures)) {
    if (limit > 0 && static_cast<std::int64_t>(set.samples.size()) == limit) break;
    const std::string path = (fs::path(source.pictures) / name).string();
    if (ends(fs::path(name), kUnread)) {
      const std::string reason = path + ": pictures of this kind are not read; convert it to PNG, JPEG or WebP";
      if (!source.skip_bad) throw Error(ErrorCode::unsupported, reason);
      leave_out(set.skipped, {name, path, reason});
      continue;
    }
    Sample sample;
    sample.id = name;
    sample.where = path;
    sample.images.emplace_back(path);
    ask_about_pictures(sample, source.prompt, "the prompt for the pictures");
    set.samples.push_back(std::move(sample));
  }
  return set;
}

}  // namespace octavo::samples
