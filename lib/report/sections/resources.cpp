#include <algorithm>

#include "html.hpp"
#include "octavo/quant.hpp"
#include "sections.hpp"

namespace octavo::report {
namespace {

using html::escaped;

std::string row(const std::string& what, const std::string& before, const std::string& after,
                const std::string& ratio) {
  return "<tr><td>" + escaped(what) + "</td><td>" + before + "</td><td>" + after + "</td><td>" + ratio + "</td></tr>\n";
}

std::string share(double after, double before) { return before > 0 ? html::percent(after / before) : ""; }

std::string size_row(const std::string& what, std::uint64_t before, std::uint64_t after) {
  if (before == 0 && after == 0) return "";
  return row(what, html::size_text(before), html::size_text(after),
             share(static_cast<double>(after), static_cast<double>(before)));
}

std::string fact(const char* name, const std::string& value) {
  return value.empty() ? "" : "<dt>" + std::string(name) + "</dt><dd>" + value + "</dd>";
}

}  // namespace

std::string resources_html(const Report& report) {
  const VerifyResult& verify = report.verify;
  std::uint64_t before = verify.original_bytes, after = verify.quantized_bytes;
  if (before == 0 && report.compare) {
    before = report.compare->original_bytes;
    after = report.compare->quantized_bytes;
  }
  std::string rows = size_row("tensors on disk", before, after);
  std::string plan;
  if (report.memory) {
    const ReportMemory& memory = *report.memory;
    rows += size_row("weights in memory", memory.original_weights, memory.quantized_weights) +
            size_row("memory of the prefill", memory.original_prefill, memory.quantized_prefill) +
            size_row("memory of the last token", memory.original_decode, memory.quantized_decode) +
            size_row("cache per position", memory.kv_cache_per_position, memory.kv_cache_per_position);
    plan = "<p class=\"soft\">Memory by the symbolic plan of " + html::plural(memory.prompt_tokens, "prompt token") +
           " and up to " + html::plural(memory.max_new_tokens, "new token") +
           ": weights, cache and activations; attention&#39;s scores excluded.</p>";
  }
  const DecodingSpeed& speed = verify.speed;
  if (speed.original_read > 0)
    rows += size_row("weights that a token reads", speed.original_read, speed.quantized_read);
  if (speed.compared) {
    rows += row("decoding, tokens/s", html::number(speed.original_tokens_per_second),
                html::number(speed.quantized_tokens_per_second),
                share(speed.quantized_tokens_per_second, speed.original_tokens_per_second));
    plan += "<p class=\"soft\">Decoding: " + escaped(speed.why) + ".</p>";
  } else if (!speed.why.empty()) {
    plan += "<p class=\"soft\">Decoding speed is not compared, because " + escaped(speed.why) + ".</p>";
  }
  if (rows.empty()) return "";
  return "<div class=\"card scroll\"><table class=\"figures\"><thead><tr><th></th><th>original</th><th>quantized</th>"
         "<th>of the original</th></tr></thead><tbody>\n" +
         rows + "</tbody></table>" + plan + "</div>\n";
}

std::string provenance_html(const Report& report) {
  const ReportMachine& machine = report.machine;
  std::string sets;
  for (const std::string& set : machine.instruction_sets) sets += (sets.empty() ? "" : " ") + escaped(set);
  std::string onednn = escaped(machine.onednn);
  if (!machine.onednn_isa.empty()) onednn += ", using " + escaped(machine.onednn_isa);
  std::string out = "<div class=\"card\"><dl class=\"facts\">";
  out += fact("made", escaped(report.date)) + fact("by", html::code(report.command));
  if (report.seconds > 0) out += fact("in", html::seconds_text(report.seconds));
  out += fact("Octavo", escaped(report.octavo_version)) + fact("oneDNN", onednn);
  out += fact("int8 products", escaped(machine.int8_backend));
  out += fact("processor", escaped(machine.processor)) + fact("instruction sets", sets);
  if (machine.processors > 0)
    out +=
        fact("processors", std::to_string(machine.processors) +
                               (machine.threads > 0 ? ", " + html::plural(machine.threads, "thread") + " used" : ""));
  if (machine.memory_bytes > 0) out += fact("memory", html::size_text(machine.memory_bytes));
  out += fact("model type", html::code(report.model_type));
  if (const std::string run = report.verify.run_text(); !run.empty())
    out += fact("quantized model run with", html::code(run));
  out += fact("profile", escaped(report.verify.profile.name)) + "</dl>";
  out += "<details><summary>The profile, as applied</summary><pre>" + escaped(report.verify.profile.to_json().dump(2)) +
         "</pre></details></div>\n";
  return out;
}

}  // namespace octavo::report
