#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <utility>
#include <vector>

#include "file_writer.hpp"
#include "octavo/checkpoint.hpp"

namespace octavo {
namespace {

namespace fs = std::filesystem;
using checkpoint_detail::FileWriter;
using checkpoint_detail::os_error;
using checkpoint_detail::sync_path;

/// Whether the file there is of the kind that we write: anybody's pictures and configurations are not.
bool has_mark(const fs::path& file, std::string_view mark) {
  std::ifstream stream(file, std::ios::binary);
  std::string start(4096, '\0');
  stream.read(start.data(), static_cast<std::streamsize>(start.size()));
  start.resize(static_cast<std::size_t>(stream.gcount()));
  return start.empty() ? stream.eof() : start.find(mark) != std::string::npos;
}

fs::path checked(const std::string& path, std::string_view mark) {
  fs::path target = checkpoint_detail::resolved(path, "the file to write");
  std::error_code failed;
  if (path.back() == '/' || target.filename().empty())
    throw Error(ErrorCode::invalid_argument, path + ": names a directory; a file is needed");
  checkpoint_detail::require_parent(path, target);
  const fs::file_status status = fs::status(target, failed);
  if (fs::exists(status) && !fs::is_regular_file(status))
    throw Error(ErrorCode::invalid_argument, path + ": exists and is not a file; choose another name");
  if (fs::exists(status) && !has_mark(target, mark))
    throw Error(ErrorCode::exists, path + ": exists and is not one that octavo wrote (it does not say " +
                                       std::string(mark) + "), so it is not replaced; choose another name");
  if (::access(target.parent_path().c_str(), W_OK | X_OK) != 0)
    throw os_error("write into", target.parent_path().string(), errno);
  return target;
}

/// A file beside its place; removed unless it got there.
class Beside {
 public:
  Beside(const NewFile& file, std::size_t index) : target_(checked(file.path, file.mark)) {
    path_ = (target_.parent_path() / ("." + target_.filename().string() + ".octavo-tmp-" + std::to_string(::getpid()) +
                                      "." + std::to_string(index)))
                .string();
    try {
      FileWriter writer(path_);
      writer.write(file.content);
      writer.close();
    } catch (...) {
      remove();
      throw;
    }
  }
  Beside(Beside&& other) noexcept : target_(std::move(other.target_)), path_(std::exchange(other.path_, {})) {}
  Beside& operator=(Beside&&) = delete;
  ~Beside() { remove(); }

  void move_in() {
    if (std::rename(path_.c_str(), target_.c_str()) != 0)
      throw os_error("rename " + path_ + " to", target_.string(), errno);
    path_.clear();
    sync_path(target_.parent_path().string(), true);
  }

 private:
  void remove() noexcept {
    if (!path_.empty()) static_cast<void>(std::remove(path_.c_str()));
  }
  fs::path target_;
  std::string path_;
};

}  // namespace

void check_new_file(const std::string& path, std::string_view mark) { static_cast<void>(checked(path, mark)); }

void write_files(std::span<const NewFile> files) {
  std::vector<Beside> written;
  written.reserve(files.size());
  for (const NewFile& file : files) written.emplace_back(file, written.size());
  for (Beside& file : written) file.move_in();
}

}  // namespace octavo
