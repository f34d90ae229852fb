#include <algorithm>
#include <cstring>
#include <map>

#include "catch.hpp"
#include "helpers.hpp"
#include "octavo/checkpoint.hpp"

namespace octavo {
namespace {

using test::error_of;
using test::safetensors_bytes;
using test::TempDir;

const std::string kGolden = std::string(OCTAVO_SOURCE_DIR) + "/tests/golden/checkpoint/";

/// The complaint about a file with these bytes, its path shortened to "FILE".
std::string complaint(const std::string& bytes) {
  const TempDir directory;
  const std::string path = directory / "x.safetensors";
  test::write_bytes(path, bytes);
  std::string text = error_of([&] { SafetensorsFile::open(path); });
  for (std::size_t at = text.find(path); at != std::string::npos; at = text.find(path)) {
    text.replace(at, path.size(), "FILE");
  }
  return text;
}

std::string header_complaint(const std::string& header, std::size_t data_bytes) {
  return complaint(safetensors_bytes(header, data_bytes));
}

TEST_CASE("A file of the reference library is read, type by type") {
  const SafetensorsFile file = SafetensorsFile::open(kGolden + "hf_types.safetensors");
  REQUIRE(file.tensors().size() == 10);
  REQUIRE(file.metadata() == std::vector<std::pair<std::string, std::string>>{{"format", "pt"}});
  CHECK(file.find("nothing") == nullptr);

  const TensorInfo* f32 = file.find("z.f32");
  REQUIRE(f32 != nullptr);
  CHECK(f32->stored_dtype == "F32");
  CHECK(f32->dtype == DType::f32);
  CHECK(f32->shape == Shape{2, 3});
  CHECK(f32->end - f32->begin == 24);

  // make.py counts from -3 in every tensor.
  const Tensor floats = file.tensor("z.f32");
  const std::vector<float> expected{-3, -2, -1, 0, 1, 2};
  CHECK(std::equal(expected.begin(), expected.end(), floats.values<float>().begin()));
  CHECK(floats.is_read_only());
  CHECK(to_float(file.tensor("a.bf16").values<BFloat16>()[4]) == 1.0F);
  CHECK(to_float(file.tensor("b.bf16").values<BFloat16>()[0]) == -3.0F);
  CHECK(to_float(file.tensor("c.f16").values<Float16>()[1]) == -2.0F);
  CHECK(file.tensor("d.i8").values<std::int8_t>()[6] == 3);
  CHECK(file.tensor("e.u8").values<std::uint8_t>()[4] == 4);
  CHECK(file.tensor("f.i32").values<std::int32_t>()[0] == -3);
  CHECK(file.tensor("g.i64").values<std::int64_t>()[2] == -1);
  CHECK(file.tensor("h.scalar").values<float>()[0] == 2.5F);
  CHECK(file.tensor("h.scalar").rank() == 0);
  CHECK(file.tensor("i.empty").shape() == Shape{0, 4});
}

TEST_CASE("Every element type of the format is listed, those without a DType are refused by name when read") {
  const std::string path = kGolden + "all_types.safetensors";
  const SafetensorsFile file = SafetensorsFile::open(path);
  std::map<std::string, std::uint64_t> bytes;
  for (const TensorInfo& info : file.tensors()) bytes[info.stored_dtype] = info.end - info.begin;
  const std::map<std::string, std::uint64_t> expected{
      {"BOOL", 6},  {"U8", 6},   {"I8", 6},   {"F8_E4M3", 6}, {"F8_E5M2", 6}, {"I16", 12}, {"U16", 12}, {"F16", 12},
      {"BF16", 12}, {"I32", 24}, {"U32", 24}, {"F32", 24},    {"I64", 48},    {"U64", 48}, {"F64", 48}};
  CHECK(bytes == expected);
  CHECK(error_of([&] { file.tensor("float64"); }) ==
        "unsupported: " + path + ": tensor \"float64\" is stored as F64, which Octavo has no element type for");
  CHECK(error_of([&] { file.tensor("nothing"); }) == "not_found: " + path + ": has no tensor \"nothing\"");
}

TEST_CASE("A file without tensors is a file") {
  const TempDir directory;
  test::write_bytes(directory / "x.safetensors", safetensors_bytes("{}      ", 0));
  CHECK(SafetensorsFile::open(directory / "x.safetensors").tensors().empty());
}

TEST_CASE("Tensors outlive the file object, and unaligned ones are readable") {
  const TempDir directory;
  std::string bytes = safetensors_bytes(
      R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"F32","shape":[2],"data_offsets":[1,9]}})",
      9);
  const float values[] = {1.5F, -2.25F};
  std::memcpy(bytes.data() + bytes.size() - 8, values, 8);
  test::write_bytes(directory / "x.safetensors", bytes);
  Tensor tensor;
  { tensor = SafetensorsFile::open(directory / "x.safetensors").tensor("b"); }
  CHECK(tensor.values<float>()[0] == 1.5F);
  CHECK(tensor.values<float>()[1] == -2.25F);
  CHECK(reinterpret_cast<std::uintptr_t>(tensor.raw()) % alignof(float) == 0);
}

TEST_CASE("What is not a safetensors file is named in one line") {
  const std::string starts = " bytes, but a safetensors file starts with an 8-byte header length";
  CHECK(complaint("") == "format: FILE: the file has 0" + starts);
  CHECK(complaint("seven b") == "format: FILE: the file has 7" + starts);
  CHECK(complaint("this is a text file\n") ==
        "format: FILE: header length at byte 0 is 2338328219631577204, the format allows up to 100000000; not a "
        "safetensors file? It starts with \"this is a text f\"");
  CHECK(complaint("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n") ==
        "format: FILE: this is a Git LFS pointer, not the tensor data it stands for; fetch it with `git lfs pull`");
  CHECK(complaint(test::length_bytes(100'000'001) + "{}") ==
        "format: FILE: header length at byte 0 is 100000001, the format allows up to 100000000; not a safetensors "
        "file? It starts with \"........{}\"");
  CHECK(complaint(test::length_bytes(3) + "{}") ==
        "format: FILE: header length at byte 0 is 3, so the header ends at byte 11, but the file has 10 bytes; it is "
        "cut short");
  CHECK(complaint(test::length_bytes(0)) ==
        "format: FILE: the header at byte 8 must be a JSON object of at least 2 bytes; header length at byte 0 is 0");
  CHECK(header_complaint("[]", 0) ==
        "format: FILE: the header at byte 8 must be a JSON object of at least 2 bytes; header length at byte 0 is 2");
  CHECK_THAT(header_complaint("{\"a\":", 0),
             Catch::Matchers::StartsWith("format: FILE: header (from byte 8): not valid JSON"));
  CHECK_THAT(header_complaint("{}{}", 0),
             Catch::Matchers::StartsWith("format: FILE: header (from byte 8): not valid JSON"));
  CHECK_THAT(header_complaint("{\"\xff\":1}", 0),
             Catch::Matchers::StartsWith("format: FILE: header (from byte 8): not valid JSON"));
}

TEST_CASE("Paths that are no file are named") {
  const TempDir directory;
  CHECK(error_of([&] { SafetensorsFile::open(directory / "none"); }) ==
        "not_found: " + (directory / "none") + ": no such file");
  CHECK(error_of([&] { SafetensorsFile::open(directory.str()); }) ==
        "invalid_argument: " + directory.str() + ": is a directory, expected a .safetensors file");
  CHECK(error_of([&] { SafetensorsFile::open("/dev/null"); }) ==
        "invalid_argument: /dev/null: is not a regular file and cannot be mapped");
}

struct Corruption {
  const char* header;
  std::size_t data_bytes;
  const char* message;  // after `FILE: tensor "a": `
};

TEST_CASE("Each field of a header entry is checked") {
  const Corruption corruption = GENERATE(values<Corruption>({
      {R"({"a":7})", 0, "the header entry must be an object with dtype, shape and data_offsets"},
      {R"({"a":{"shape":[1],"data_offsets":[0,4]}})", 4, "the header entry has no dtype"},
      {R"({"a":{"dtype":"F32","data_offsets":[0,4]}})", 4, "the header entry has no shape"},
      {R"({"a":{"dtype":"F32","shape":[1]}})", 4, "the header entry has no data_offsets"},
      {R"({"a":{"dtype":3,"shape":[1],"data_offsets":[0,4]}})", 4, "dtype must be a string, but is 3"},
      {R"({"a":{"dtype":"f32","shape":[1],"data_offsets":[0,4]}})", 4,
       "unknown dtype \"f32\"; known are BOOL, U8, I8, F8_E4M3, F8_E5M2, I16, U16, F16, BF16, I32, U32, F32, F64, I64, "
       "U64"},
      {R"({"a":{"dtype":"F32","shape":1,"data_offsets":[0,4]}})", 4, "shape must be an array of non-negative integers"},
      {R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", 4,
       "shape[0] must be a non-negative integer below 2^63, but is -1"},
      {R"({"a":{"dtype":"F32","shape":[1,1.5],"data_offsets":[0,4]}})", 4,
       "shape[1] must be a non-negative integer below 2^63, but is 1.5"},
      {R"({"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}})", 4,
       "shape[0] must be a non-negative integer below 2^63, but is 1.0"},
      {R"({"a":{"dtype":"F32","shape":["1"],"data_offsets":[0,4]}})", 4,
       "shape[0] must be a non-negative integer below 2^63, but is \"1\""},
      {R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]}})", 4,
       "shape [4294967296,4294967296] of F32 overflows 63 bits"},
      {R"({"a":{"dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,4]}})", 4,
       "shape [4611686018427387904] of F32 overflows 63 bits"},
      {R"({"a":{"dtype":"F32","shape":[0,9223372036854775807,9223372036854775807],"data_offsets":[0,0]}})", 0,
       "shape [0,9223372036854775807,9223372036854775807] of F32 overflows 63 bits"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":4}})", 4, "data_offsets must be [begin, end]"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}})", 4, "data_offsets must be [begin, end]"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}})", 4, "data_offsets must be [begin, end]"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[-4,4]}})", 4,
       "data_offsets[0] must be a non-negative integer below 2^63, but is -4"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,null]}})", 4,
       "data_offsets[1] must be a non-negative integer below 2^63, but is null"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})", 4, "data_offsets [4, 0] end before they begin"},
      {R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", 8,
       "F32 [3] takes 12 bytes, but data_offsets [0, 8] span 8"},
      {R"({"a":{"dtype":"BF16","shape":[2],"data_offsets":[0,8]}})", 8,
       "BF16 [2] takes 4 bytes, but data_offsets [0, 8] span 8"},
  }));
  CAPTURE(corruption.header);
  CHECK(header_complaint(corruption.header, corruption.data_bytes) ==
        std::string("format: FILE: tensor \"a\": ") + corruption.message);
}

TEST_CASE("Offsets are checked against the file and against each other, in bytes of the file") {
  // 57 header bytes: the data starts at byte 65.
  const std::string one = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}   )";
  REQUIRE(one.size() == 57);
  CHECK(header_complaint(one, 8) == "no error");
  CHECK(header_complaint(one, 7) ==
        "format: FILE: tensor \"a\": data_offsets [0, 8] end at byte 73 of the file, which has 72 bytes; it is cut "
        "short or the header is wrong");
  CHECK(header_complaint(one, 9) ==
        "format: FILE: the tensors end at byte 73, but the file has 74 bytes: the rest belongs to no tensor");
  CHECK(header_complaint(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}} )", 3) ==
        "format: FILE: tensor \"a\": begins at byte 63, but the data starts at byte 62: the bytes between belong to no "
        "tensor");
  const auto two = [](const std::string& second) {
    return R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":)" +
           second + "}}";
  };
  const std::uint64_t data = 8 + two("[2,4]").size();
  CHECK(header_complaint(two("[2,4]"), 4) == "no error");
  CHECK(header_complaint(two("[1,3]"), 3) == "format: FILE: tensor \"b\": begins at byte " + std::to_string(data + 1) +
                                                 ", but the tensor before it, \"a\", ends at byte " +
                                                 std::to_string(data + 2) + ": they overlap");
  CHECK(header_complaint(two("[3,5]"), 5) == "format: FILE: tensor \"b\": begins at byte " + std::to_string(data + 3) +
                                                 ", but the tensor before it, \"a\", ends at byte " +
                                                 std::to_string(data + 2) + ": the bytes between belong to no tensor");
  CHECK_THAT(
      header_complaint(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,9223372036854775807]}})", 1),
      Catch::Matchers::StartsWith("format: FILE: tensor \"a\": data_offsets [0, 9223372036854775807] end at byte "));
}

TEST_CASE("Duplicate names, bad metadata and too many dimensions are refused") {
  const std::string twice =
      R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})";
  CHECK(header_complaint(twice, 2) ==
        "format: FILE: header (from byte 8): not valid JSON: the key \"a\" appears twice in one object");
  CHECK(header_complaint(R"({"__metadata__":3})", 0) == "format: FILE: __metadata__ must be an object of strings");
  CHECK(header_complaint(R"({"__metadata__":{"step":3}})", 0) ==
        "format: FILE: __metadata__ key \"step\" must be a string, but is 3");
  CHECK(header_complaint(R"({"a":{"dtype":"U8","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,1]}})", 1) ==
        "unsupported: FILE: tensor \"a\": shape has 9 dimensions, Octavo reads up to 8");
}

TEST_CASE("A good file cut at any byte is refused, and flipped header bits never crash") {
  const std::string good = test::read_bytes(kGolden + "hf_types.safetensors");
  const TempDir directory;
  const std::string path = directory / "x.safetensors";
  for (std::size_t size = 0; size < good.size(); ++size) {
    test::write_bytes(path, good.substr(0, size));
    REQUIRE_THROWS_AS(SafetensorsFile::open(path), Error);
  }
  const std::size_t header_end = good.size() - 104;  // bytes of data that make.py writes
  for (std::size_t at = 0; at < header_end; ++at) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ (1 << (at % 8)));
    test::write_bytes(path, bad);
    try {
      const SafetensorsFile file = SafetensorsFile::open(path);
      for (const TensorInfo& info : file.tensors()) {
        REQUIRE(info.end <= bad.size());
        if (info.dtype) static_cast<void>(file.tensor(info.name).clone());
      }
    } catch (const Error& error) {
      REQUIRE(std::string(error.what()).find('\n') == std::string::npos);
    }
  }
}

}  // namespace
}  // namespace octavo
