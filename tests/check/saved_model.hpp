/// The bundled model in the forms that savers give it: its weights changed here, config files from fixtures.
#pragma once

#include <algorithm>
#include <cstring>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "jobs.hpp"
#include "octavo/checkpoint.hpp"

namespace test {

using Tensors = std::vector<std::pair<std::string, octavo::Tensor>>;

inline Tensors bundled_tensors() {
  const octavo::Checkpoint checkpoint = octavo::Checkpoint::open(kModel);
  Tensors tensors;
  for (const std::string& name : checkpoint.names()) tensors.emplace_back(name, checkpoint.tensor(name));
  return tensors;
}

inline octavo::Tensor& tensor_of(Tensors& tensors, const std::string& name) {
  return std::find_if(tensors.begin(), tensors.end(), [&](const auto& entry) { return entry.first == name; })->second;
}

/// [rows, columns] with `more` rows of zeros behind.
inline octavo::Tensor with_rows(const octavo::Tensor& matrix, std::int64_t more) {
  octavo::Tensor longer = octavo::Tensor::zeros(matrix.dtype(), {matrix.dim(0) + more, matrix.dim(1)});
  std::memcpy(longer.mutable_raw(), matrix.raw(), matrix.size_bytes());
  return longer;
}

/// Rows in the reverse order: another head, of the same values.
inline octavo::Tensor reversed_rows(const octavo::Tensor& matrix) {
  octavo::Tensor other = octavo::Tensor::zeros(matrix.dtype(), matrix.shape());
  const std::size_t row = matrix.size_bytes() / static_cast<std::size_t>(matrix.dim(0));
  const auto* from = static_cast<const char*>(matrix.raw());
  auto* to = static_cast<char*>(other.mutable_raw());
  for (std::size_t i = 0, rows = static_cast<std::size_t>(matrix.dim(0)); i < rows; ++i)
    std::memcpy(to + i * row, from + (rows - 1 - i) * row, row);
  return other;
}

/// The bundled model's other files, with these weights.
inline std::string write_model(const Scratch& scratch, const std::string& name, const Tensors& tensors,
                               std::uint64_t max_shard_bytes = std::uint64_t{1} << 30) {
  octavo::AtomicDirectory directory(scratch.path(name));
  for (const auto& entry : fs::directory_iterator(kModel)) {
    const std::string file = entry.path().filename().string();
    if (entry.is_regular_file() && file != "model.safetensors" && file != "README.md")
      directory.copy_file(entry.path().string(), file);
  }
  octavo::ShardWriter writer(directory, max_shard_bytes);
  for (const auto& [tensor_name, tensor] : tensors) writer.add(tensor_name, tensor);
  writer.finish();
  directory.commit();
  return scratch.path(name);
}

inline void write_text(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

/// Replaces the first `from` in a file; false when it is not there.
inline bool edit_file(const std::string& path, const std::string& from, const std::string& to) {
  std::string text = read_file(path);
  const std::size_t at = text.find(from);
  if (at == std::string::npos) return false;
  write_text(path, text.replace(at, from.size(), to));
  return true;
}

}  // namespace test
