// The page of a comparison, and its tables.
#include "compare_page.hpp"

#include "html.hpp"
#include "octavo/report.hpp"
#include "octavo/version.hpp"

namespace octavo {
namespace report {
namespace {

using html::code;
using html::escaped;
using html::plural;
using html::size_text;

std::string tag(Verdict verdict) { return html::tag(verdict_name(verdict), verdict_name(verdict)); }

std::string sides(const Difference& difference) {
  if (difference.original.empty() && difference.quantized.empty()) return "";
  const auto side = [](const std::string& value) {
    return value.empty() ? std::string("<span class=\"count\">nothing</span>") : code(value);
  };
  return "<div class=\"arrow\">" + side(difference.original) + "<span>&rarr;</span>" + side(difference.quantized) +
         "</div>";
}

std::string ratio_text(const CompareResult& result) {
  if (result.original_bytes == 0) return "";
  return ", " +
         html::percent(static_cast<double>(result.quantized_bytes) / static_cast<double>(result.original_bytes)) +
         " of the size";
}

std::string heading(const CompareResult& result) {
  const std::int64_t bad = result.count(Verdict::wrong);
  std::string out =
      "<h1>Quantized model against its original</h1><div class=\"card verdict" + std::string(bad > 0 ? " bad" : "") +
      "\"><strong>" + (bad > 0 ? plural(bad, "difference") + " that should not be there" : "Nothing is wrong") +
      "</strong><span>" + verdict_tags_html([&](Verdict verdict) { return result.count(verdict); }) + "</span>";
  if (!result.values_read) out += "<span>No values were read: swaps of equal shapes go unseen.</span>";
  out += "</div><div class=\"sides\"><div class=\"card\"><b>Original</b>" + code(result.original_dir) + "<br>" +
         size_text(result.original_bytes) + " of tensors</div><div class=\"card\"><b>Quantized</b>" +
         code(result.quantized_dir) + "<br>" + size_text(result.quantized_bytes) + " of tensors, " +
         plural(result.quantized_linears, "int8 linear") + ratio_text(result) + "</div></div>\n";
  return out;
}

std::string list(const CompareResult& result, const char* title, Verdict verdict, bool open) {
  if (result.count(verdict) == 0) return "";
  return "<h2>" + std::string(title) + "</h2><div class=\"card\"><details" + (open ? " open" : "") + "><summary>" +
         plural(result.count(verdict), "difference") + "</summary>" + differences_html(result, verdict) +
         "</details></div>\n";
}

}  // namespace

std::string verdict_tags_html(const std::function<std::int64_t(Verdict)>& count_of) {
  std::string out;
  for (const Verdict verdict : {Verdict::wrong, Verdict::harmless, Verdict::expected}) {
    const std::int64_t count = count_of(verdict);
    if (count == 0) continue;
    const std::string name = verdict_name(verdict);
    out += html::tag(name, std::to_string(count) + " " + name) + " ";
  }
  return out;
}

std::string wrong_html(const CompareResult& result) {
  std::string out;
  for (const Difference& difference : result.differences) {
    if (difference.verdict != Verdict::wrong) continue;
    out += "<div class=\"card find\"><code><b>" + escaped(difference.where) + "</b></code><p>" +
           escaped(difference.what) + "</p>" + sides(difference);
    if (!difference.remedy.empty()) out += "<p class=\"remedy\">" + escaped(difference.remedy) + "</p>";
    out += "</div>\n";
  }
  return out;
}

std::string differences_html(const CompareResult& result, Verdict verdict) {
  std::string out =
      "<div class=\"scroll\"><table class=\"stack\"><thead><tr><th>where</th><th>what</th><th>original "
      "&rarr; quantized</th></tr></thead><tbody>\n";
  for (const Difference& difference : result.differences) {
    if (difference.verdict != verdict) continue;
    out += "<tr><td>" + code(difference.where) + "</td><td>" + escaped(difference.what) + "</td><td>" +
           sides(difference) + "</td></tr>\n";
  }
  return out + "</tbody></table></div>";
}

std::string config_html(const CompareResult& result) {
  std::int64_t different = 0;
  for (const ConfigComparison& field : result.config) different += field.verdict != Verdict::same ? 1 : 0;
  const auto table = [&](bool same) {
    std::string out =
        "<div class=\"scroll\"><table "
        "class=\"stack\"><thead><tr><th>field</th><th>original</th><th>quantized</th><th></th></tr></thead><tbody>\n";
    for (const ConfigComparison& field : result.config) {
      if ((field.verdict == Verdict::same) != same) continue;
      out += "<tr><td>" + code(field.key) + "</td><td data-l=\"original\">" + code(field.original) +
             "</td><td data-l=\"quantized\">" + code(field.quantized) + "</td><td>" + tag(field.verdict) +
             "</td></tr>\n";
    }
    return out + "</tbody></table></div>";
  };
  const std::int64_t same = static_cast<std::int64_t>(result.config.size()) - different;
  return "<div class=\"card\">" + (different > 0 ? table(false) : "") + "<details><summary>" + plural(same, "field") +
         " the same</summary>" + table(true) + "</details></div>\n";
}

std::string files_html(const CompareResult& result) {
  std::string out =
      "<div class=\"card scroll\"><table class=\"stack\"><thead><tr><th>file</th><th>original</th>"
      "<th>quantized</th><th></th></tr></thead><tbody>\n";
  const auto side = [](bool there, std::uint64_t bytes, const std::string& sha256) {
    if (!there) return std::string();
    return size_text(bytes) + " <code title=\"SHA-256 " + escaped(sha256) + "\">" + escaped(sha256.substr(0, 12)) +
           "</code>";
  };
  for (const FileComparison& file : result.files) {
    out += "<tr><td>" + code(file.name) + "</td><td data-l=\"original\">" +
           side(file.in_original, file.original_bytes, file.original_sha256) + "</td><td data-l=\"quantized\">" +
           side(file.in_quantized, file.quantized_bytes, file.quantized_sha256) + "</td><td>" + tag(file.verdict) +
           "</td></tr>\n";
  }
  return out + "</tbody></table></div>\n";
}

}  // namespace report

std::string compare_page(const CompareResult& result) {
  using namespace report;  // NOLINT(google-build-using-namespace): the page's parts
  std::string body = heading(result);
  if (!result.ok()) body += "<h2>Wrong</h2>\n" + wrong_html(result);
  body += "<h2>Architecture</h2>" + module_tree_html(result, true);
  body += "<h2>Configuration</h2>" + config_html(result) + "<h2>Files</h2>" + files_html(result);
  body += list(result, "Harmless", Verdict::harmless, true) + list(result, "Expected", Verdict::expected, false);
  body += "<footer>Octavo " + std::string(kVersion) + ", compared in " + html::seconds_text(result.seconds) +
          ". Error of an int8 linear: ||W - q&middot;s|| / ||W||. Hover over a hash to see all of it.</footer>\n";
  return html::document("Octavo: " + result.quantized_dir + " against its original", "", body);
}

}  // namespace octavo
