#include <algorithm>
#include <ostream>
#include <string_view>
#include <utility>

#include "octavo/trace.hpp"

namespace octavo {

namespace {

std::string header_line(bool values) {
  return JsonBuilder::object().set("octavo_trace", 1).set("values", values).dump();
}

std::unique_ptr<AtomicFile> create(const std::string& path) {
  try {
    return std::make_unique<AtomicFile>(path, "{\"octavo_trace\"");
  } catch (const Error& error) {
    if (error.code() != ErrorCode::not_found) throw;
    throw Error(ErrorCode::io, std::string("trace: ") + error.what());  // the code that 0.1 gave for any such file
  }
}

}  // namespace

void write_trace(std::ostream& to, std::span<const TraceRecord> records, bool values) {
  to << header_line(values) << '\n';
  for (const TraceRecord& record : records) to << record.to_json().dump() << '\n';
}

Trace::Trace(TraceOptions options) : options_(std::move(options)) {
  if (options_.path.empty()) return;
  file_ = create(options_.path);
  file_->write(header_line(options_.values) + '\n');
}

Trace::~Trace() = default;

void Trace::close() {
  const std::unique_ptr<AtomicFile> file = std::move(file_);
  if (not_written_) std::rethrow_exception(std::exchange(not_written_, nullptr));
  if (file) file->commit();
}

void Trace::write(const TraceRecord& record) noexcept {
  if (!file_ || not_written_) return;
  try {
    file_->write(record.to_json().dump() + '\n');
  } catch (...) {
    not_written_ = std::current_exception();
  }
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
  else
    write(record);
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
