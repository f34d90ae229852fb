#include <sys/wait.h>
#include <unistd.h>

#include <numeric>
#include <vector>

#include "catch.hpp"
#include "helpers.hpp"
#include "octavo/checkpoint.hpp"

namespace octavo {
namespace {

namespace fs = std::filesystem;
using test::error_of;
using test::TempDir;

std::vector<std::string> listing(const std::string& directory) {
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory)) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

using Names = std::vector<std::string>;

/// As make.py counts: -3, -2, ... (u8: 0, 1, ...).
template <class T, class Convert>
Tensor counted(const Shape& shape, Convert convert, int first = -3) {
  std::vector<T> values;
  for (std::int64_t i = 0; i < shape.numel(); ++i) values.push_back(convert(static_cast<float>(first + i)));
  return Tensor::from<T>(values, shape);
}

template <class T>
T cast(float value) {
  return static_cast<T>(value);
}

TEST_CASE("The same tensors give the bytes of the reference library, in whatever order they come") {
  const TempDir parent;
  AtomicDirectory directory(parent / "out");
  ShardWriter writer(directory);
  writer.add("d.i8", counted<std::int8_t>({7}, cast<std::int8_t>));
  writer.add("z.f32", counted<float>({2, 3}, cast<float>));
  writer.add("b.bf16", counted<BFloat16>({3}, to_bfloat16));
  writer.add("a.bf16", counted<BFloat16>({1, 5}, to_bfloat16));
  writer.add("i.empty", Tensor::zeros(DType::f32, {0, 4}));
  writer.add("c.f16", counted<Float16>({2, 2}, to_float16));
  writer.add("e.u8", counted<std::uint8_t>({5}, cast<std::uint8_t>, 0));
  writer.add("g.i64", counted<std::int64_t>({3}, cast<std::int64_t>));
  writer.add("f.i32", counted<std::int32_t>({2, 1, 2}, cast<std::int32_t>));
  const std::vector<float> scalar{2.5F};
  writer.add("h.scalar", Tensor::from<float>(scalar, Shape{}));
  writer.finish();
  directory.commit();
  CHECK(listing(parent / "out") == Names{"model.safetensors"});
  const std::string golden = std::string(OCTAVO_SOURCE_DIR) + "/tests/golden/checkpoint/hf_types.safetensors";
  CHECK(test::read_bytes(parent / "out/model.safetensors") == test::read_bytes(golden));
}

TEST_CASE("Shards end at their size, and the index names every tensor") {
  const TempDir parent;
  AtomicDirectory directory(parent / "out");
  ShardWriter writer(directory, 32);
  writer.add("b", counted<float>({4}, cast<float>));  // 16 bytes
  writer.add("a", counted<float>({4}, cast<float>));  // 16: full
  writer.add("c", counted<float>({1}, cast<float>));
  writer.add("huge", counted<float>({20}, cast<float>));  // 80: a shard of its own
  writer.add("d", counted<float>({1}, cast<float>));
  writer.flush();
  writer.flush();  // nothing to end
  writer.add("e", counted<float>({1}, cast<float>));
  writer.finish();
  directory.write_file("config.json", "{}");
  directory.commit();

  CHECK(listing(parent / "out") == Names{"config.json", "model-00001-of-00005.safetensors",
                                         "model-00002-of-00005.safetensors", "model-00003-of-00005.safetensors",
                                         "model-00004-of-00005.safetensors", "model-00005-of-00005.safetensors",
                                         "model.safetensors.index.json"});
  CHECK(test::read_bytes(parent / "out/model.safetensors.index.json") == R"({
  "metadata": {
    "total_size": 124
  },
  "weight_map": {
    "a": "model-00001-of-00005.safetensors",
    "b": "model-00001-of-00005.safetensors",
    "c": "model-00002-of-00005.safetensors",
    "d": "model-00004-of-00005.safetensors",
    "e": "model-00005-of-00005.safetensors",
    "huge": "model-00003-of-00005.safetensors"
  }
}
)");
  const Checkpoint back = Checkpoint::open(parent / "out");
  CHECK(back.total_bytes() == 124);
  CHECK(back.tensor("huge").values<float>()[19] == 16.0F);
}

TEST_CASE("A view is written as what it shows, and a finished or broken writer refuses") {
  const TempDir parent;
  AtomicDirectory directory(parent / "out");
  ShardWriter writer(directory);
  writer.add("t", counted<float>({2, 3}, cast<float>).permute({1, 0}));
  CHECK(error_of([&] { writer.add("t", Tensor::zeros(DType::f32, {1})); }) ==
        "invalid_argument: tensor \"t\" was written before");
  CHECK(error_of([&] { writer.add("u", Tensor()); }) == "invalid_argument: tensor \"u\" to be written is undefined");
  CHECK(error_of([&] { writer.add("__metadata__", Tensor::zeros(DType::f32, {1})); }) ==
        "invalid_argument: a tensor cannot be named \"__metadata__\"");
  CHECK(error_of([&] { writer.add("", Tensor::zeros(DType::f32, {1})); }) ==
        "invalid_argument: a tensor cannot be named \"\"");
  CHECK(error_of([&] { writer.add("\xff", Tensor::zeros(DType::f32, {1})); }) ==
        "invalid_argument: a tensor's name must be UTF-8, but \"\xff\" is not");
  writer.finish();
  CHECK_THROWS_AS(writer.finish(), Error);
  CHECK_THROWS_AS(writer.add("v", Tensor::zeros(DType::f32, {1})), Error);
  const SafetensorsFile file = SafetensorsFile::open(directory.path() + "/model.safetensors");
  const std::vector<float> expected{-3, 0, -2, 1, -1, 2};
  const Tensor written = file.tensor("t");
  CHECK(written.shape() == Shape{3, 2});
  CHECK(std::equal(expected.begin(), expected.end(), written.values<float>().begin()));

  ShardWriter empty(directory);
  CHECK(error_of([&] { empty.finish(); }) ==
        "invalid_argument: no tensor was added to the shards in " + directory.path());
  CHECK(error_of([&] { ShardWriter(directory, 0); }) ==
        "invalid_argument: max_shard_bytes must be at least 1, but is 0");
}

TEST_CASE("An unfinished writer leaves no shard, and a failing one says why") {
  const TempDir parent;
  AtomicDirectory directory(parent / "out");
  {
    ShardWriter writer(directory, 4);
    writer.add("a", Tensor::zeros(DType::f32, {8}));
    CHECK(listing(directory.path()) == Names{"shard-00001.part"});
  }
  CHECK(listing(directory.path()).empty());

  ShardWriter writer(directory);
  writer.add("a", Tensor::zeros(DType::f32, {8}));
  fs::create_symlink("/dev/full", directory.path() + "/shard-00001.part");  // a disk without space
  CHECK(error_of([&] { writer.finish(); }) ==
        "io: cannot write " + directory.path() + "/shard-00001.part: No space left on device");
  writer.finish();  // the failed part is gone, the tensors were kept
  CHECK(listing(directory.path()) == Names{"model.safetensors"});
}

TEST_CASE("A directory appears with commit, complete, and not without it") {
  const TempDir parent;
  const std::string target = parent / "out";
  {
    AtomicDirectory directory(target);
    CHECK(directory.path() == parent / (".out.octavo-tmp-" + std::to_string(::getpid())));
    directory.write_file("a.txt", "one");
    CHECK_FALSE(fs::exists(target));
  }
  CHECK(listing(parent.str()).empty());

  test::write_bytes(parent / "source", std::string("bytes\0as they are", 17));
  AtomicDirectory directory(target + "/");  // the slash is part of no name
  directory.write_file("a.txt", "one");
  directory.write_file("a.txt", "two");
  directory.copy_file(parent / "source", "copy");
  directory.commit();
  CHECK(directory.path() == target);
  CHECK(listing(parent.str()) == Names{"out", "source"});
  CHECK(test::read_bytes(target + "/a.txt") == "two");
  CHECK(test::read_bytes(target + "/copy") == test::read_bytes(parent / "source"));
  CHECK(error_of([&] { directory.commit(); }) == "invalid_argument: " + target + ": committed already");
}

/// What quantize() writes, as far as overwriting asks: a report that names every file.
void write_output(AtomicDirectory& directory, const std::string& content) {
  directory.write_file("config.json", content);
  directory.write_file("octavo_report.json",
                       R"({"octavo_version": "0.1.0", "files": ["config.json", "octavo_report.json"]})");
}

TEST_CASE("An existing target is refused, or replaced by commit alone") {
  const TempDir parent;
  const std::string target = parent / "out";
  {
    AtomicDirectory directory(target);
    write_output(directory, "old");
    directory.commit();
  }
  CHECK(error_of([&] { AtomicDirectory directory(target); }) ==
        "exists: " + target + ": exists already; choose another output directory or overwrite");
  {
    AtomicDirectory directory(target, true);
    write_output(directory, "new");
  }
  CHECK(test::read_bytes(target + "/config.json") == "old");
  {
    AtomicDirectory directory(target, true);
    write_output(directory, "new");
    CHECK(test::read_bytes(target + "/config.json") == "old");
    CHECK(directory.files() == Names{"config.json", "octavo_report.json"});
    directory.commit();
  }
  CHECK(listing(parent.str()) == Names{"out"});
  CHECK(listing(target) == Names{"config.json", "octavo_report.json"});
  CHECK(test::read_bytes(target + "/config.json") == "new");
}

TEST_CASE("Only an output to which nothing was added is replaced") {
  const TempDir parent;
  const std::string target = parent / "out";
  const auto attempt = [&] { return error_of([&] { AtomicDirectory directory(target, true); }); };
  const auto kept = [&](const std::string& reason) {
    return "exists: " + target + ": " + reason +
           ", so it is not replaced; choose another output directory, or remove it";
  };
  const std::string stranger =
      "is neither empty nor an output of octavo quantize (no octavo_report.json that lists its files)";
  fs::create_directory(target);
  CHECK(attempt() == "no error");  // empty
  test::write_bytes(target + "/config.json", "{}");
  CHECK(attempt() == kept(stranger));  // a checkpoint, but whose?
  const std::string report = target + "/octavo_report.json";
  for (const char* broken :
       {"", "{", "[]", R"({"files": ["config.json", "octavo_report.json"]})", R"({"octavo_version": "0.1.0"})",
        R"({"octavo_version": "0.1.0", "files": 3})", R"({"octavo_version": "0.1.0", "files": [3]})"}) {
    INFO(broken);
    test::write_bytes(report, broken);
    CHECK(attempt() == kept(stranger));
  }
  test::write_bytes(report, R"({"octavo_version": "0.1.0", "files": ["config.json", "octavo_report.json", "gone"]})");
  CHECK(attempt() == "no error");
  test::write_bytes(target + "/thesis.tex", "mine");
  CHECK(attempt() == kept("holds thesis.tex, which octavo quantize did not write"));
  fs::remove(target + "/thesis.tex");
  fs::create_directory(target + "/gone");  // even under a name that was ours
  CHECK(attempt() == kept("holds gone, which octavo quantize did not write"));
  fs::remove(target + "/gone");
  fs::create_symlink("/etc", target + "/gone");
  CHECK(attempt() == kept("holds gone, which octavo quantize did not write"));
}

TEST_CASE("What is added while the new output is made is kept") {
  const TempDir parent;
  const std::string target = parent / "out";
  {
    AtomicDirectory directory(target);
    write_output(directory, "old");
    directory.commit();
  }
  AtomicDirectory directory(target, true);
  write_output(directory, "new");
  test::write_bytes(target + "/thesis.tex", "mine");
  CHECK(error_of([&] { directory.commit(); }) ==
        "exists: " + target +
            ": holds thesis.tex, which octavo quantize did not write, so it is not replaced; choose "
            "another output directory, or remove it");
  CHECK(test::read_bytes(target + "/config.json") == "old");
}

TEST_CASE("An output directory that holds what is read is refused however it is spelled") {
  const TempDir parent;
  const std::string run = parent / "run";
  fs::create_directories(run + "/checkpoint-500");
  fs::create_directories(parent / "blobs");
  fs::create_directories(parent / "snapshot");
  test::write_bytes(run + "/recipe.json", "{}");
  test::write_bytes(parent / "blobs/abc", "x");
  fs::create_directory_symlink("run", parent / "link");
  fs::create_symlink("../blobs/abc", parent / "snapshot/model.safetensors");
  const auto refused = [&](const std::string& target, const std::string& read) {
    return error_of([&] { check_output_directory(target, std::vector<std::string>{"", read}); }) != "no error";
  };
  CHECK(refused(run, run));
  CHECK(refused(run, run + "/checkpoint-500"));
  CHECK(refused(run + "/", run + "/checkpoint-500/../recipe.json"));
  CHECK(refused(parent / "link", run + "/checkpoint-500"));
  CHECK(refused(run, parent / "link/recipe.json"));
  CHECK(refused(parent.str(), run + "/recipe.json"));
  CHECK(refused("/", run + "/recipe.json"));
  CHECK(refused(parent / "blobs", parent / "snapshot"));  // as the Hugging Face cache keeps files
  CHECK_FALSE(refused(run + "/checkpoint-500", run + "/recipe.json"));
  CHECK_FALSE(refused(run + "/w8a8", run));
  CHECK_FALSE(refused(run, "default"));  // no file
}

TEST_CASE("A target that appears meanwhile is not replaced") {
  const TempDir parent;
  const std::string target = parent / "out";
  {
    AtomicDirectory directory(target);
    fs::create_directory(target);
    CHECK(error_of([&] { directory.commit(); }) ==
          "exists: " + target + ": exists already; choose another output directory or overwrite");
  }
  CHECK(listing(parent.str()) == Names{"out"});
}

TEST_CASE("A link to a directory is followed, so that what it points to is replaced") {
  const TempDir parent;
  fs::create_directory(parent / "real");
  fs::create_directory_symlink(parent / "real", parent / "link");
  AtomicDirectory directory(parent / "link", true);
  directory.write_file("config.json", "{}");
  directory.commit();
  CHECK(fs::is_symlink(parent / "link"));
  CHECK(listing(parent / "real") == Names{"config.json"});
}

TEST_CASE("Targets and names that cannot be are refused") {
  const TempDir parent;
  test::write_bytes(parent / "file", "");
  CHECK(error_of([&] { AtomicDirectory directory(""); }) == "invalid_argument: the output directory has no name");
  CHECK(error_of([&] { AtomicDirectory directory("/", true); }) ==
        "invalid_argument: /: the root directory cannot be an output directory");
  CHECK(error_of([&] { AtomicDirectory directory(parent / "a/b"); }) ==
        "not_found: " + (parent / "a/b") + ": the directory to put it in, " + (parent / "a") +
            ", does not exist; create it first");
  CHECK(error_of([&] { AtomicDirectory directory(parent / "file", true); }) ==
        "exists: " + (parent / "file") + ": exists and is not a directory; choose another output directory");
  AtomicDirectory directory(parent / "out");
  for (const char* name : {"", ".", "..", "../x", "/x", "a/b"}) {
    CHECK(error_of([&] { directory.write_file(name, ""); }) ==
          "invalid_argument: \"" + std::string(name) + "\" is not a plain file name");
  }
  CHECK(error_of([&] { directory.copy_file(parent / "none", "x"); }) ==
        "not_found: " + (parent / "none") + ": no such file");
  fs::create_symlink("/dev/full", directory.path() + "/full");
  CHECK(error_of([&] { directory.write_file("full", "x"); }) ==
        "io: cannot write " + directory.path() + "/full: No space left on device");
}

TEST_CASE("What a killed run left is removed by the next one, a living one's is not") {
  const TempDir parent;
  const pid_t dead = ::fork();
  if (dead == 0) ::_exit(0);
  REQUIRE(::waitpid(dead, nullptr, 0) == dead);
  const std::string stale = ".out.octavo-tmp-" + std::to_string(dead);
  const std::string living = ".out.octavo-tmp-1";
  for (const std::string& name : {stale, living, std::string(".other.octavo-tmp-") + std::to_string(dead),
                                  std::string(".out.octavo-tmp-notes")}) {
    fs::create_directory(parent / name);
    test::write_bytes((parent / name) + "/shard-00001.part", "x");
  }
  AtomicDirectory directory(parent / "out");
  CHECK_FALSE(fs::exists(parent / stale));
  CHECK(fs::exists(parent / living));
  CHECK(fs::exists(parent / (".other.octavo-tmp-" + std::to_string(dead))));
  CHECK(fs::exists(parent / ".out.octavo-tmp-notes"));

  AtomicDirectory second(parent / "out");  // two jobs of one process do not share a directory
  CHECK(second.path() != directory.path());
}

}  // namespace
}  // namespace octavo
