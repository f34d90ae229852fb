// The files of a model: of a directory, in memory, behind descriptors; told apart by nothing but their label.
#include "octavo/files.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "catch.hpp"
#include "scratch.hpp"

using namespace octavo;

namespace {

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

std::string message_of(const FileSource& files, const char* name) {
  try {
    static_cast<void>(files.json(name));
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("files in memory and behind descriptors read as those of a directory do") {
  const test::ScratchDirectory directory;
  const std::string path = directory.write("config.json", R"({"a": 1})");
  static_cast<void>(directory.write("b.json", "{"));
  const std::vector<FileSource::MemoryFile> memory{{"config.json", bytes(R"({"a": 1})")}, {"b.json", bytes("{")}};
  const std::vector<FileSource::OpenFile> open{
      {"config.json", ::open(path.c_str(), O_RDONLY | O_CLOEXEC)},
      {"b.json", ::open(directory.path("b.json").c_str(), O_RDONLY | O_CLOEXEC)}};
  const std::vector<FileSource> sources{FileSource(directory.path()), FileSource::in_memory(directory.path(), memory),
                                        FileSource::descriptors(directory.path(), open)};
  for (const FileSource::OpenFile& file : open) ::close(file.descriptor);  // they are mapped
  for (const FileSource& files : sources) {
    CHECK(files.names() == std::vector<std::string>{"b.json", "config.json"});
    CHECK(files.has("config.json"));
    CHECK_FALSE(files.has("tokenizer.json"));
    CHECK(files.json("config.json").at("a").as_int() == 1);
    CHECK(files.text("b.json") == "{");
    CHECK(bytes_of(*files.map("config.json")).size() == 8);
    CHECK(files.path_of("config.json") == path);
    CHECK(message_of(files, "b.json") == message_of(sources.front(), "b.json"));
    CHECK_THROWS_AS(files.map("none"), Error);
    CHECK_THROWS_AS(files.json("config.json", 7), Error);
  }
  CHECK(sources[0].is_directory());
  CHECK_FALSE(sources[1].is_directory());
}

TEST_CASE("names that are no file names and descriptors that cannot be mapped are refused") {
  for (const char* name : {"", ".", "..", "a/b"}) {
    const std::vector<FileSource::MemoryFile> files{{name, bytes("x")}};
    CHECK_THROWS_AS(FileSource::in_memory("model", files), Error);
  }
  const std::vector<FileSource::MemoryFile> twice{{"a", bytes("x")}, {"a", bytes("y")}};
  CHECK_THROWS_WITH(FileSource::in_memory("model", twice), "model: the name \"a\" is given twice");
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const std::vector<FileSource::OpenFile> pipe{{"a", ends[0]}}, none{{"a", -1}};
  CHECK_THROWS_WITH(FileSource::descriptors("model", pipe), "model/a: is not a regular file");
  CHECK_THROWS_AS(FileSource::descriptors("model", none), Error);
  ::close(ends[0]);
  ::close(ends[1]);
}
