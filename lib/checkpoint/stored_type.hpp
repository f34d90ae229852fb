/// The element types of the safetensors format, by name; some have no DType and can be listed but not read.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "octavo/tensor.hpp"

namespace octavo::checkpoint_detail {

struct StoredType {
  std::string_view name;
  std::uint64_t size_bytes;
  std::optional<DType> dtype;
};

/// Null for a name that the format does not have.
const StoredType* find_stored_type(std::string_view name) noexcept;
/// "F32, BF16, ...": what a message lists.
std::string known_stored_types();
std::string_view stored_name_of(DType dtype) noexcept;
/// Place in the order that Hugging Face's writer gives element types; it sorts tensors by it, highest first.
int writing_rank(DType dtype) noexcept;

}  // namespace octavo::checkpoint_detail
