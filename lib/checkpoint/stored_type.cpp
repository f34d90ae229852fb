#include "stored_type.hpp"

#include <array>

namespace octavo::checkpoint_detail {
namespace {

constexpr std::array<StoredType, 15> kStoredTypes{{
    {"BOOL", 1, std::nullopt},
    {"U8", 1, DType::u8},
    {"I8", 1, DType::s8},
    {"F8_E4M3", 1, std::nullopt},
    {"F8_E5M2", 1, std::nullopt},
    {"I16", 2, std::nullopt},
    {"U16", 2, std::nullopt},
    {"F16", 2, DType::f16},
    {"BF16", 2, DType::bf16},
    {"I32", 4, DType::s32},
    {"U32", 4, std::nullopt},
    {"F32", 4, DType::f32},
    {"F64", 8, std::nullopt},
    {"I64", 8, DType::i64},
    {"U64", 8, std::nullopt},
}};

}  // namespace

const StoredType* find_stored_type(std::string_view name) noexcept {
  for (const StoredType& type : kStoredTypes) {
    if (type.name == name) return &type;
  }
  return nullptr;
}

std::string known_stored_types() {
  std::string list;
  for (const StoredType& type : kStoredTypes) {
    if (!list.empty()) list += ", ";
    list += type.name;
  }
  return list;
}

std::string_view stored_name_of(DType dtype) noexcept {
  for (const StoredType& type : kStoredTypes) {
    if (type.dtype == dtype) return type.name;
  }
  return "";
}

int writing_rank(DType dtype) noexcept {
  for (std::size_t i = 0; i < kStoredTypes.size(); ++i) {
    if (kStoredTypes[i].dtype == dtype) return static_cast<int>(i);
  }
  return -1;
}

}  // namespace octavo::checkpoint_detail
