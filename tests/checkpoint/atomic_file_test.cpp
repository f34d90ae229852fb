// Files that are written as they are made: whole at their place, or not there.
#include "octavo/atomic_file.hpp"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>

#include "catch.hpp"
#include "message_of.hpp"
#include "octavo/checkpoint.hpp"
#include "scratch.hpp"

using octavo::AtomicFile;

namespace {

namespace fs = std::filesystem;

struct Place : test::ScratchDirectory {
  std::string file() const { return path("out.txt"); }
  std::string content() const {
    std::ifstream stream(file(), std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(stream), {});
  }
  std::ptrdiff_t entries() const { return std::distance(fs::directory_iterator(path()), fs::directory_iterator()); }
};

}  // namespace

TEST_CASE("an atomic file is at its place from commit on") {
  const Place place;
  const std::string large(100000, 'x');
  {
    AtomicFile file(place.file(), "mark");
    file.write("mark one\n");
    file.write(large);
    CHECK_FALSE(fs::exists(place.file()));
    file.commit();
  }
  CHECK(place.content() == "mark one\n" + large);
  CHECK(place.entries() == 1);
  AtomicFile again(place.file(), "mark");
  again.write("mark two");
  CHECK(place.content().size() == 9 + large.size());
  AtomicFile(std::move(again)).commit();
  CHECK(place.content() == "mark two");
  CHECK(place.entries() == 1);
}

TEST_CASE("an atomic file without commit leaves its place as it was") {
  const Place place;
  { AtomicFile(place.file(), "mark").write("mark"); }
  CHECK(place.entries() == 0);
  place.write("out.txt", "mark, old");
  {
    AtomicFile file(place.file(), "mark");
    file.write(std::string(200000, 'x'));
    CHECK(place.entries() == 2);
  }
  CHECK(place.content() == "mark, old");
  CHECK(place.entries() == 1);
}

TEST_CASE("an atomic file replaces only its own kind") {
  const Place place;
  place.write("out.txt", "somebody's notes");
  CHECK(test::message_of([&] { AtomicFile(place.file(), "mark"); }).find("is not one that octavo wrote") !=
        std::string::npos);
  CHECK(place.content() == "somebody's notes");
  CHECK(test::message_of([&] { AtomicFile(place.path("nowhere/out.txt"), "mark"); }).find("create it first") !=
        std::string::npos);
  place.write("real.txt", "");
  fs::remove(place.file());
  fs::create_symlink("real.txt", place.file());
  AtomicFile link(place.file(), "mark");
  link.write("mark");
  link.commit();
  CHECK(fs::is_symlink(place.file()));
  CHECK(place.content() == "mark");
}

TEST_CASE("what ends a process at once removes an atomic file") {
  const Place place;
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    AtomicFile file(place.file(), "mark");
    file.write(std::string(200000, 'x'));
    octavo::remove_unfinished_outputs();
    ::_exit(place.entries() == 0 ? 0 : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 0));
  CHECK(place.entries() == 0);
}

TEST_CASE("an atomic file at a pipe writes into it") {
  const Place place;
  REQUIRE(::mkfifo(place.file().c_str(), 0600) == 0);
  std::string read;
  std::thread reader([&] { read = place.content(); });
  AtomicFile file(place.file(), "mark");
  file.write("through");
  file.commit();
  reader.join();
  CHECK(read == "through");
  CHECK(fs::is_fifo(place.file()));
}
