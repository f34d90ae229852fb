#include "octavo/files.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <system_error>
#include <utility>

#include "octavo/message.hpp"

namespace octavo {

namespace fs = std::filesystem;

struct FileSource::Impl {
  std::string label;
  bool is_directory = true;
  std::map<std::string, std::shared_ptr<Storage>, std::less<>> files{};  // of what is no directory

  void add(const std::string& name, std::shared_ptr<Storage> content) {
    const auto refuse = [&](const char* what) {
      throw Error(ErrorCode::invalid_argument, label + ": the name " + in_quotes(name) + " " + what);
    };
    if (name.empty() || name == "." || name == ".." || name.find_first_of(std::string_view("/\0", 2)) != name.npos)
      refuse("is no file name");
    if (!files.emplace(name, std::move(content)).second) refuse("is given twice");
  }

  const std::shared_ptr<Storage>& at(std::string_view name) const {
    const auto found = files.find(name);
    if (found == files.end())
      throw Error(ErrorCode::not_found, label + "/" + std::string(name) + ": there is no such file");
    return found->second;
  }
};

FileSource::FileSource(std::string directory)
    : impl_(std::make_shared<const Impl>(Impl{std::move(directory), true, {}})) {}
FileSource::FileSource(const char* directory) : FileSource(std::string(directory)) {}

FileSource FileSource::in_memory(std::string label, std::span<const MemoryFile> files) {
  Impl impl{std::move(label), false, {}};
  for (const MemoryFile& file : files) impl.add(file.name, borrow_bytes(file.bytes));
  return FileSource(std::make_shared<const Impl>(std::move(impl)));
}

FileSource FileSource::descriptors(std::string label, std::span<const OpenFile> files) {
  Impl impl{std::move(label), false, {}};
  for (const OpenFile& file : files) impl.add(file.name, map_descriptor(file.descriptor, impl.label + "/" + file.name));
  return FileSource(std::make_shared<const Impl>(std::move(impl)));
}

const std::string& FileSource::label() const noexcept { return impl_->label; }
bool FileSource::is_directory() const noexcept { return impl_->is_directory; }

bool FileSource::has(std::string_view name) const {
  if (!impl_->is_directory) return impl_->files.contains(name);
  std::error_code failed;
  return fs::exists(path_of(name), failed);
}

std::vector<std::string> FileSource::names() const {
  std::vector<std::string> names;
  if (!impl_->is_directory) {
    for (const auto& [name, content] : impl_->files) names.push_back(name);
    return names;
  }
  std::error_code failed;
  for (fs::directory_iterator it(impl_->label, failed), end; !failed && it != end; it.increment(failed))
    names.push_back(it->path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

std::string FileSource::path_of(std::string_view name) const { return (fs::path(impl_->label) / name).string(); }

std::shared_ptr<Storage> FileSource::map(std::string_view name) const {
  return impl_->is_directory ? map_file(path_of(name)) : impl_->at(name);
}

std::string FileSource::text(std::string_view name) const {
  if (impl_->is_directory) {
    std::ifstream file(path_of(name), std::ios::binary);
    if (!file) throw Error(ErrorCode::not_found, path_of(name) + ": cannot be opened");
    return std::string(std::istreambuf_iterator<char>(file), {});
  }
  const std::span<const std::byte> bytes = bytes_of(*impl_->at(name));
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

Json FileSource::json(std::string_view name, std::size_t max_bytes) const {
  const std::string path = path_of(name);
  if (impl_->is_directory) return Json::read_file(path, max_bytes);
  const std::span<const std::byte> bytes = bytes_of(*impl_->at(name));
  if (bytes.size() > max_bytes)
    throw Error(ErrorCode::format, path + ": " + std::to_string(bytes.size()) + " bytes, more than the " +
                                       std::to_string(max_bytes) + " that a JSON file may have here");
  return Json::parse({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, path);
}

}  // namespace octavo
