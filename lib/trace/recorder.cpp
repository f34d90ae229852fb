#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <system_error>
#include <utility>

#include "octavo/trace.hpp"

namespace octavo {

namespace {

std::string header_line(bool values) {
  return JsonBuilder::object().set("octavo_trace", 1).set("values", values).dump();
}

/// A file that is there is replaced where it is a trace, or empty: not a picture, samples or weights.
void refuse_to_replace(const std::string& path) {
  std::error_code failed;
  if (!std::filesystem::is_regular_file(path, failed)) return;
  constexpr std::string_view kMark = "{\"octavo_trace\"";
  std::ifstream stream(path, std::ios::binary);
  std::string start(kMark.size(), '\0');
  stream.read(start.data(), static_cast<std::streamsize>(start.size()));
  if (start == kMark || (stream.gcount() == 0 && stream.eof())) return;
  throw Error(ErrorCode::exists,
              "trace: " + path + " exists and is no trace, so it is not replaced; choose another name");
}

}  // namespace

void write_trace(std::ostream& to, std::span<const TraceRecord> records, bool values) {
  to << header_line(values) << '\n';
  for (const TraceRecord& record : records) to << record.to_json().dump() << '\n';
}

Trace::Trace(TraceOptions options) : options_(std::move(options)) {
  if (options_.path.empty()) return;
  refuse_to_replace(options_.path);
  file_.open(options_.path, std::ios::binary | std::ios::trunc);
  file_ << header_line(options_.values) << '\n';
  if (!file_) throw Error(ErrorCode::io, "trace: cannot create " + options_.path);
}

Trace::~Trace() = default;

void Trace::close() {
  if (options_.path.empty() || !file_.is_open()) return;
  file_.close();
  if (!file_)
    throw Error(ErrorCode::io, "trace: " + options_.path + " could not be written to its end: is the disk full?");
}

void Trace::on_call(std::string_view phase) {
  ++call_;
  phase_ = phase;
}

void Trace::on_operation(const ObservedOperation& operation) {
  TraceRecord record;
  record.call = call_;
  record.phase = phase_;
  record.module_path = operation.module_path;
  record.operation = operation.operation;
  record.contract = operation.contract;
  for (const ObservedDim& dim : operation.dims) record.dims.push_back({std::string(dim.letter), dim.value});
  for (const ObservedValue& argument : operation.arguments)
    record.arguments.push_back(
        {std::string(argument.name), argument.dtype, argument.shape, {}, {}, argument.is_weight});
  for (const ObservedValue& output : operation.outputs) {
    TraceValue value{std::string(output.name), output.dtype, output.shape, {}, {}, false};
    if (options_.values && !output.tensor->is_meta()) {
      value.all = statistics_of(*output.tensor);
      const std::int64_t rows = output.row_dim < 0 ? 0 : output.shape[output.row_dim];
      if (rows > 0) value.last_row = statistics_of(output.tensor->slice(output.row_dim, rows - 1, rows));
    }
    record.outputs.push_back(std::move(value));
  }
  record.workspace_bytes = operation.workspace_bytes;
  if (options_.ledger != nullptr) record.live_bytes = options_.ledger->live_bytes() + operation.caller_bytes;
  record.note = std::exchange(note_, {});
  record.problem = std::exchange(problem_, {});
  ++count_;
  if (folded(record)) return;
  if (!options_.go_on) {  // which quotes no recent ones
    if (recent_.size() == kRecent) recent_.pop_front();
    recent_.push_back(record.to_line());
  }
  if (options_.on_record) options_.on_record(record);
  if (options_.path.empty() && !options_.on_record)
    records_.push_back(std::move(record));
  else if (file_.is_open() && file_)  // a full disk is reported by close(), and does not end the run
    file_ << record.to_json().dump() << '\n';
}

bool Trace::on_problem(const Error& broken) {
  if (!options_.go_on) return false;
  problem_ = broken.what();
  problems_.push_back(broken);
  return true;
}

void Trace::on_sequence(std::int64_t index) {
  if (index == 0) first_sequence_ = records_.size();
  folding_ = options_.fold_sequences && index > 0 ? first_sequence_ : kNotFolding;
}

// The same operation of an earlier sequence takes the record in; what is alive grows with the sequences.
bool Trace::folded(const TraceRecord& record) {
  if (folding_ >= records_.size()) return false;
  TraceRecord& same = records_[folding_];
  if (same.module_path != record.module_path || same.to_line() != record.to_line()) return false;
  same.live_bytes = std::max(same.live_bytes, record.live_bytes);
  ++same.times;
  ++folding_;
  return true;
}

std::string Trace::recent() const {
  std::string text;
  for (const std::string& line : recent_) text += (text.empty() ? "trace: " : "\ntrace: ") + line;
  return text;
}

}  // namespace octavo
