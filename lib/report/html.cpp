#include "html.hpp"

#include <array>
#include <cmath>
#include <cstdio>

namespace octavo::html {
namespace {

// Colours are pairs, light and dark; every verdict has a word beside its colour.
constexpr const char* kStyle = R"(
:root{color-scheme:light dark;--bg:#fbfbfa;--card:#fff;--ink:#1d2125;--soft:#5d666f;--line:#e2e4e6;--code:#f2f3f4;
--wrong:#b3261e;--wrong-bg:#fdecea;--harmless:#7a5b00;--harmless-bg:#fdf4d9;--expected:#175cb0;--expected-bg:#e8f1fc;
--same:#5d666f;--same-bg:#eff1f2;--good:#1b6e3c;--good-bg:#e6f5ec;--bar:#4a8ad4}
@media (prefers-color-scheme:dark){:root{--bg:#15181b;--card:#1d2125;--ink:#e4e7ea;--soft:#9aa4ad;--line:#333a40;
--code:#262b30;--wrong:#ff9a90;--wrong-bg:#46201d;--harmless:#f0cf70;--harmless-bg:#3d3314;--expected:#8fc1ff;
--expected-bg:#1a3250;--same:#9aa4ad;--same-bg:#2a3035;--good:#7fd7a1;--good-bg:#173826;--bar:#4a84c4}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.5 system-ui,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
main{max-width:1180px;margin:0 auto;padding:24px 20px 60px}
h1{font-size:1.5rem;margin:0 0 14px;overflow-wrap:anywhere}h2{font-size:1.12rem;margin:34px 0 10px}
code,.mono{font-family:ui-monospace,"DejaVu Sans Mono",Menlo,Consolas,monospace;font-size:.87em;overflow-wrap:anywhere}
.card{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:14px 16px}
.verdict{border-left:6px solid var(--good);display:flex;gap:8px 24px;flex-wrap:wrap;align-items:baseline}
.verdict.bad{border-left-color:var(--wrong)}.verdict strong{font-size:1.15rem}
.sides{display:grid;grid-template-columns:1fr 1fr;gap:12px;margin-top:12px}
.sides b{display:block;font-size:.8rem;color:var(--soft);font-weight:600}
.tag{display:inline-block;border-radius:999px;padding:1px 9px;font-size:.78rem;font-weight:600;white-space:nowrap}
.wrong{color:var(--wrong);background:var(--wrong-bg)}.harmless{color:var(--harmless);background:var(--harmless-bg)}
.expected{color:var(--expected);background:var(--expected-bg)}.same{color:var(--same);background:var(--same-bg)}
.good{color:var(--good);background:var(--good-bg)}
.find{margin:10px 0;border-left:4px solid var(--wrong)}.find p{margin:4px 0}.find .remedy{color:var(--soft)}
.arrow{display:flex;flex-wrap:wrap;gap:2px 10px;align-items:baseline}
.arrow code{background:var(--code);border-radius:5px;padding:1px 6px}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%}th{font-size:.8rem;color:var(--soft);text-align:left;font-weight:600}
td,th{padding:5px 12px 5px 0;border-bottom:1px solid var(--line);vertical-align:top}tr:last-child td{border-bottom:0}
details{margin:0}summary{cursor:pointer;padding:4px 0}summary:hover{color:var(--expected)}
.tree details{margin-left:18px;border-left:1px solid var(--line);padding-left:10px}.tree>details{margin-left:0;border:0;padding:0}
.row{display:grid;grid-template-columns:minmax(90px,1fr) 200px 200px 182px 88px;
gap:2px 12px;padding:4px 0 4px 10px;border-bottom:1px solid var(--line);margin-left:18px;align-items:center}
.head{color:var(--soft);font-size:.8rem;font-weight:600;margin-left:0;padding-left:0}
.err{display:flex;gap:8px;align-items:center;color:var(--soft);font-size:.84rem}
.bar{height:7px;border-radius:4px;background:var(--bar);min-width:2px}.bar.bad{background:var(--wrong)}
.count{color:var(--soft);font-size:.84rem;margin:0 6px;white-space:nowrap}
footer{margin-top:36px;color:var(--soft);font-size:.84rem}
@media (max-width:720px){main{padding:16px 12px 40px}h1{font-size:1.25rem}.sides{grid-template-columns:1fr}.head{display:none}
.row{grid-template-columns:1fr auto;margin-left:0}.row>:nth-child(1){grid-column:1}.row>:nth-child(5){grid-column:2;grid-row:1}
.row>:nth-child(2),.row>:nth-child(3),.row>:nth-child(4){grid-column:1/3}
.row>:nth-child(2):not(:empty)::before{content:"original ";color:var(--soft)}
.row>:nth-child(3):not(:empty)::before{content:"quantized ";color:var(--soft)}
.tree details{margin-left:4px;padding-left:8px}
table.stack thead{display:none}table.stack td{display:block;border:0;padding:1px 0}
table.stack tr{display:block;padding:7px 0;border-bottom:1px solid var(--line)}
table.stack td[data-l]:not(:empty)::before{content:attr(data-l) " ";color:var(--soft);font-size:.8rem}}
)";

/// Bytes of the UTF-8 character that `text` begins with; 0 when it begins with none.
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = byte(0);
  const std::size_t length = first < 0x80   ? 1
                             : first < 0xC2 ? 0
                             : first < 0xE0 ? 2
                             : first < 0xF0 ? 3
                             : first < 0xF5 ? 4
                                            : 0;
  if (length == 0 || length > text.size()) return 0;
  for (std::size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xC0U) != 0x80U) return 0;
  // Longer than need be, a surrogate, or beyond the last code point.
  if ((first == 0xE0 && byte(1) < 0xA0) || (first == 0xED && byte(1) > 0x9F)) return 0;
  if ((first == 0xF0 && byte(1) < 0x90) || (first == 0xF4 && byte(1) > 0x8F)) return 0;
  return length;
}

std::string printed(const char* format, double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "infinite" : "-infinite";
  std::array<char, 400> text{};  // %.2f of the largest double
  std::snprintf(text.data(), text.size(), format, value);
  return text.data();
}

}  // namespace

std::string escaped(std::string_view text) {
  std::string safe;
  safe.reserve(text.size() + text.size() / 8);
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    const char c = text.front();
    const bool control = length == 1 && ((c >= 0 && c < ' ' && c != '\n' && c != '\t') || c == 0x7F);
    if (length == 0 || control) {
      safe += "\xEF\xBF\xBD";
    } else if (c == '&') {
      safe += "&amp;";
    } else if (c == '<') {
      safe += "&lt;";
    } else if (c == '>') {
      safe += "&gt;";
    } else if (c == '"') {
      safe += "&quot;";
    } else if (c == '\'') {
      safe += "&#39;";
    } else {
      safe += text.substr(0, length);
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return safe;
}

std::string code(std::string_view text) { return text.empty() ? "" : "<code>" + escaped(text) + "</code>"; }

std::string tag(std::string_view kind, std::string_view word) {
  return "<span class=\"tag " + escaped(kind) + "\">" + escaped(word) + "</span>";
}

std::string plural(std::int64_t count, const std::string& one) {
  return std::to_string(count) + " " + one + (count == 1 ? "" : "s");
}

std::string number(double value) { return printed("%.4g", value); }

std::string percent(double share) {
  const double size = std::abs(share);
  const bool plain = share == 0 || share == 1;
  // The space does not break.
  return printed(plain           ? "%.0f"
                 : size >= 0.1   ? "%.1f"
                 : size >= 0.001 ? "%.2f"
                                 : "%.2g",
                 share * 100) +
         (std::isfinite(share) ? "\xC2\xA0%" : "");
}

std::string size_text(std::uint64_t bytes) {
  const auto value = static_cast<double>(bytes);
  if (value >= 1e9) return printed("%.2f GB", value / 1e9);
  if (value >= 1e6) return printed("%.2f MB", value / 1e6);
  if (value >= 1e4) return printed("%.1f kB", value / 1e3);
  return printed("%.0f B", value);
}

std::string seconds_text(double seconds) {
  if (!(seconds >= 100 && seconds < 1e9)) return printed(seconds < 10 ? "%.2f s" : "%.0f s", seconds);
  const std::int64_t whole = std::llround(seconds);
  if (whole < 6000) return std::to_string(whole / 60) + " min " + std::to_string(whole % 60) + " s";
  return std::to_string(whole / 3600) + " h " + std::to_string(whole % 3600 / 60) + " min";
}

std::string fixed(double value, int decimals) {
  if (!std::isfinite(value)) return "0";
  std::array<char, 400> text{};
  std::snprintf(text.data(), text.size(), "%.*f", decimals, value);
  std::string digits = text.data();
  if (digits.find('.') != std::string::npos) {
    digits.erase(digits.find_last_not_of('0') + 1);
    if (digits.back() == '.') digits.pop_back();
  }
  return digits == "-0" ? "0" : digits;
}

std::string document(std::string_view title, std::string_view style, std::string_view body) {
  std::string page =
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>";
  page += escaped(title);
  page += "</title><style>";
  page += kStyle;
  page += style;
  page += "</style></head><body><main>\n";
  page += body;
  page += "</main></body></html>\n";
  return page;
}

}  // namespace octavo::html
