#include "own_output.hpp"

#include <sys/stat.h>

#include <optional>
#include <set>
#include <system_error>
#include <utility>

#include "file_writer.hpp"
#include "octavo/checkpoint.hpp"

namespace octavo {

namespace fs = std::filesystem;

namespace checkpoint_detail {

namespace {

constexpr const char* kReport = "octavo_report.json";

/// What the report says was written beside it; none where it does not say.
std::optional<std::set<std::string>> files_of_report(const fs::path& directory) {
  try {
    const Json report = Json::read_file((directory / kReport).string());
    const std::optional<Json> listed = report.find("files");
    if (!report.find("octavo_version") || !listed) return std::nullopt;
    std::set<std::string> files;
    for (std::size_t i = 0; i < listed->size(); ++i) files.insert(listed->at(i).as_string());
    return files.empty() ? std::nullopt : std::optional(std::move(files));
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace

std::string reason_to_keep(const fs::path& directory) {
  std::error_code failed;
  if (fs::is_empty(directory, failed) && !failed) return {};
  const std::optional<std::set<std::string>> files = files_of_report(directory);
  if (!files) return "is neither empty nor an output of octavo quantize (no octavo_report.json that lists its files)";
  fs::directory_iterator entry(directory, failed);
  for (const fs::directory_iterator end; !failed && entry != end; entry.increment(failed)) {
    const std::string name = entry->path().filename().string();
    std::error_code unknown;
    const bool plain = entry->symlink_status(unknown).type() == fs::file_type::regular;
    if (!plain || files->count(name) == 0) return "holds " + name + ", which octavo quantize did not write";
  }
  return failed ? "cannot be read (" + failed.message() + ")" : "";
}

void remove_own_output(const fs::path& directory) noexcept try {
  std::error_code failed;
  const std::optional<std::set<std::string>> files = files_of_report(directory);
  if (!files) return fs::remove(directory, failed), void();
  for (const std::string& name : *files) {
    if (name.empty() || name.find('/') != std::string::npos || name == ".." || name == "." || name == kReport) continue;
    const fs::path path = directory / name;
    if (fs::symlink_status(path, failed).type() == fs::file_type::regular) fs::remove(path, failed);
  }
  fs::remove(directory / kReport, failed);  // last: it is what says that the rest is ours
  fs::remove(directory, failed);
} catch (...) {
  return;  // the new output stands; the next run tries again
}

}  // namespace checkpoint_detail

namespace {

/// A file or directory by what the file system knows it as, so that links and bind mounts do not hide it.
struct Identity {
  dev_t device;
  ino_t inode;
  bool operator==(const Identity& other) const noexcept { return device == other.device && inode == other.inode; }
};

std::optional<Identity> identity_of(const fs::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return std::nullopt;
  return Identity{status.st_dev, status.st_ino};
}

/// `path` or one of the directories that it lies in, as it is spelled and as its links resolve.
bool lies_in(const fs::path& path, const Identity& directory) {
  std::error_code failed;
  for (const fs::path& spelled : {fs::absolute(path, failed), fs::weakly_canonical(path, failed)}) {
    if (failed) continue;
    for (fs::path at = spelled; !at.empty(); at = at.parent_path()) {
      const std::optional<Identity> found = identity_of(at);
      if (found && *found == directory) return true;
      if (at == at.root_path()) break;
    }
  }
  return false;
}

}  // namespace

void check_output_directory(const std::string& target, std::span<const std::string> read) {
  const std::optional<Identity> directory = identity_of(target);
  if (!directory) return;
  for (const std::string& input : read) {
    if (!identity_of(input)) continue;  // a preset's name, for one
    bool inside = lies_in(input, *directory);
    std::error_code failed;
    if (fs::is_directory(input, failed))  // a snapshot's files may be links to elsewhere
      for (fs::directory_iterator entry(input, failed), end; !inside && !failed && entry != end;
           entry.increment(failed))
        inside = lies_in(entry->path(), *directory);
    if (inside)
      throw Error(ErrorCode::invalid_argument, "the output directory " + target +
                                                   (fs::equivalent(target, input, failed) ? " is " : " holds ") +
                                                   input + ", which is read; choose another");
  }
}

}  // namespace octavo
