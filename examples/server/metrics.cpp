#include "metrics.hpp"

#include <octavo/json.hpp>

namespace server {
namespace {

std::string number(double value) { return octavo::JsonBuilder(value).dump(); }

void head(std::string& out, const std::string& name, const char* type, const std::string& help) {
  out += "# HELP " + name + " " + help + "\n# TYPE " + name + " " + type + "\n";
}

template <class Value>
void single(std::string& out, const std::string& name, const char* type, const std::string& help, Value value) {
  head(out, name, type, help);
  out += name + " " + std::to_string(value) + "\n";
}

}  // namespace

void Histogram::record(double seconds) {
  std::size_t bucket = 0;
  while (bucket < kBounds.size() && seconds > kBounds[bucket]) ++bucket;
  const std::lock_guard lock(mutex_);
  ++counts_[bucket];
  sum_ += seconds;
}

void Histogram::write(std::string& out, const std::string& name, const std::string& help) const {
  head(out, name, "histogram", help);
  const std::lock_guard lock(mutex_);
  std::uint64_t below = 0;
  for (std::size_t bucket = 0; bucket < counts_.size(); ++bucket) {
    below += counts_[bucket];
    const std::string bound = bucket < kBounds.size() ? number(kBounds[bucket]) : "+Inf";
    out += name + "_bucket{le=\"" + bound + "\"} " + std::to_string(below) + "\n";
  }
  out += name + "_sum " + number(sum_) + "\n" + name + "_count " + std::to_string(below) + "\n";
}

void Metrics::count_response(int status) {
  const std::lock_guard lock(mutex_);
  ++responses_[status];
}

std::string Metrics::text() const {
  std::string out;
  head(out, "octavo_responses_total", "counter", "Responses to chat completions, by HTTP status.");
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [status, count] : responses_)
      out += "octavo_responses_total{status=\"" + std::to_string(status) + "\"} " + std::to_string(count) + "\n";
  }
  single(out, "octavo_requests_running", "gauge", "Answers that the model works on.", running.load());
  single(out, "octavo_requests_waiting", "gauge", "Requests that wait for a place in the batch.", waiting.load());
  single(out, "octavo_requests_abandoned_total", "counter", "Answers given up: the client left, or time was up.",
         abandoned.load());
  single(out, "octavo_steps_total", "counter", "Steps of the batch.", steps.load());
  single(out, "octavo_prompt_tokens_total", "counter", "Tokens of prompts, pictures included.", prompt_tokens.load());
  single(out, "octavo_reused_prompt_tokens_total", "counter", "Of them, taken from the prefix cache.",
         reused_tokens.load());
  single(out, "octavo_generated_tokens_total", "counter", "Tokens of answers.", generated_tokens.load());
  first_token_seconds.write(out, "octavo_first_token_seconds", "From a request's arrival to its first text.");
  request_seconds.write(out, "octavo_request_seconds", "From a request's arrival to the end of its answer.");
  return out;
}

}  // namespace server
