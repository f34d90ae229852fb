// The page: its sections in order; a missing one says why it is missing.
#include <vector>

#include "compare_page.hpp"
#include "html.hpp"
#include "octavo/version.hpp"
#include "sections.hpp"

namespace octavo {
namespace report {
namespace {

struct Section {
  std::string id, title, body;
  std::string absent;  ///< why there is no body; "" where nobody would miss it
};

std::string architecture_html(const CompareResult& compare) {
  std::string out = "<p>Both models, module by module; " +
                    verdict_tags_html([&](Verdict verdict) { return compare.count(verdict); }) +
                    (compare.ok() ? "differences and nothing wrong.</p>\n" : "differences.</p>\n");
  out += wrong_html(compare) + module_tree_html(compare, false);
  out += "<details class=\"more\"><summary>Configuration</summary>" + config_html(compare) + "</details>\n";
  out += "<details class=\"more\"><summary>Files</summary>" + files_html(compare) + "</details>\n";
  for (const Verdict verdict : {Verdict::harmless, Verdict::expected}) {
    if (compare.count(verdict) == 0) continue;
    out += "<details class=\"more\"><summary>" +
           html::plural(compare.count(verdict), std::string(verdict_name(verdict)) + " difference") +
           "</summary><div class=\"card\">" + differences_html(compare, verdict) + "</div></details>\n";
  }
  return out;
}

/// An unreadable octavo_report.json must not keep the rest of the page from being written.
std::string quantization_section(const Report& report) {
  try {
    const std::optional<Json> quantization = quantization_of(report);
    return quantization ? quantization_html(*quantization) : "";
  } catch (const Error& error) {
    return "<p class=\"absent\">It cannot be shown: " + html::escaped(error.what()) + "</p>\n";
  }
}

std::vector<Section> sections_of(const Report& report) {
  const VerifyResult& verify = report.verify;
  const std::string no_evaluation = why_no_evaluation(verify);
  const bool attributed = report.attribution.has_value();
  const std::string no_attribution = verify.samples == 0 ? no_evaluation : "It was not measured.";
  std::vector<Section> sections;
  sections.push_back({"steps", "Verification", steps_html(verify), "Nothing was run."});
  sections.push_back({"error", "Error by layer", layers_html(verify), no_evaluation});
  sections.push_back(
      {"groups", "Error by module group", attributed ? groups_html(*report.attribution) : "", no_attribution});
  sections.push_back({"towers", "Vision and language", attributed ? towers_html(*report.attribution) : "", ""});
  sections.push_back(
      {"suggestion", "Suggestion", attributed ? suggestion_html(report.attribution->suggestion) : "", ""});
  sections.push_back({"samples", "Samples", samples_html(verify), no_evaluation});
  sections.push_back({"activations", "Activations", attributed ? activations_html(*report.attribution) : "", ""});
  sections.push_back({"architecture", "Architecture", report.compare ? architecture_html(*report.compare) : "",
                      "The two were not compared."});
  sections.push_back({"resources", "Size, memory, speed", resources_html(report), ""});
  sections.push_back({"quantization", "Quantization", quantization_section(report),
                      "The quantized directory holds no octavo_report.json."});
  sections.push_back({"provenance", "When, how and on what", provenance_html(report), ""});
  return sections;
}

std::string last_name(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path.substr(path.find_last_of('/') + 1);  // npos + 1 is 0
}

/// "2031-02-03 04:05 +07:00", of ISO 8601; another text as it is.
std::string readable_date(const std::string& iso) {
  constexpr std::size_t kDay = 10, kMinute = 16, kZone = 19;
  if (iso.size() <= kZone || iso[kDay] != 'T') return iso;
  return iso.substr(0, kDay) + " " + iso.substr(kDay + 1, kMinute - kDay - 1) + " " +
         (iso.substr(kZone) == "+00:00" ? "UTC" : iso.substr(kZone));
}

}  // namespace
}  // namespace report

std::string Report::to_html() const {
  namespace html = html;
  const std::string title = report::last_name(quantized_dir);
  std::string nav, body;
  for (const report::Section& section : report::sections_of(*this)) {
    if (section.body.empty() && section.absent.empty()) continue;
    nav += "<a href=\"#" + section.id + "\">" + html::escaped(section.title) + "</a> ";
    body += "<section id=\"" + section.id + "\"><h2>" + html::escaped(section.title) + "</h2>\n" +
            (section.body.empty() ? "<p class=\"absent\">" + html::escaped(section.absent) + "</p>\n" : section.body) +
            "</section>\n";
  }
  std::string top = "<h1>" + html::escaped(title.empty() ? "Report" : title) + "</h1>\n";
  if (!date.empty())
    top += "<p class=\"made\">Verified against " + html::escaped(report::last_name(original_dir)) + ", " +
           html::escaped(report::readable_date(date)) + ", on " +
           html::escaped(machine.processor.empty() ? "a processor of unknown name" : machine.processor) +
           "; <a href=\"#provenance\">command, versions and machine</a></p>\n";
  top += report::verdict_html(*this);
  for (const std::string& note : notes) top += "<p class=\"absent\">" + html::escaped(note) + "</p>\n";
  top += report::figures_html(*this) + "<nav>" + nav + "</nav>\n";
  body += "<footer>Octavo " + html::escaped(octavo_version.empty() ? kVersion : octavo_version) +
          ". The same data as JSON is in the file beside this one.</footer>\n";
  return html::document("Octavo: " + title, report::style(), top + body);
}

}  // namespace octavo
