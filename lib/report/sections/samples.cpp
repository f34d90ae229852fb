#include <algorithm>
#include <cmath>
#include <set>

#include "html.hpp"
#include "picture.hpp"
#include "sections.hpp"
#include "words.hpp"

namespace octavo::report {
namespace {

using html::escaped;

constexpr std::size_t kWorst = 8, kFine = 4;  // samples shown
constexpr std::size_t kMostPictures = 4;      // of a sample
constexpr std::size_t kMostText = 1500;       // bytes of a prompt or an answer

/// Cut between two characters of UTF-8.
std::string cut(const std::string& text) {
  if (text.size() <= kMostText) return text;
  std::size_t end = kMostText;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  return text.substr(0, end) + "...";
}

bool lost(const SampleResult& sample) {
  return !sample.expected.empty() && sample.original_right && !sample.quantized_right;
}

/// The worst first: lost answers, then by KL, where a NaN is worst.
std::vector<const SampleResult*> ranked(const std::vector<SampleResult>& answers) {
  std::vector<const SampleResult*> order;
  for (const SampleResult& sample : answers) order.push_back(&sample);
  std::stable_sort(order.begin(), order.end(), [](const SampleResult* a, const SampleResult* b) {
    if (lost(*a) != lost(*b)) return lost(*a);
    const bool nan_a = std::isnan(a->kl), nan_b = std::isnan(b->kl);
    return nan_a != nan_b ? nan_a : a->kl > b->kl;
  });
  return order;
}

struct Choice {
  std::vector<const SampleResult*> worst, fine;
};

Choice choose(const std::vector<SampleResult>& answers) {
  Choice choice;
  const std::vector<const SampleResult*> order = ranked(answers);
  choice.worst.assign(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(std::min(kWorst, order.size())));
  // Of those that went well, one of each task, with a picture before without, the best first; then any.
  const auto fine = [](const SampleResult& sample) {
    return sample.expected.empty() ? sample.token_agreement >= 1 : sample.quantized_right;
  };
  const auto take = [&](auto&& wanted) {
    for (std::size_t i = order.size(); i > choice.worst.size() && choice.fine.size() < kFine; --i) {
      const SampleResult* sample = order[i - 1];
      const bool taken = std::find(choice.fine.begin(), choice.fine.end(), sample) != choice.fine.end();
      if (!taken && fine(*sample) && wanted(*sample)) choice.fine.push_back(sample);
    }
  };
  std::set<std::string> tasks;
  take([&](const SampleResult& sample) { return !sample.images.empty() && tasks.insert(sample.task).second; });
  take([](const SampleResult& sample) { return !sample.images.empty(); });
  take([](const SampleResult&) { return true; });
  return choice;
}

std::string right_tag(const char* who, bool right) {
  return html::tag(right ? "good" : "wrong",
                   std::string(right ? "\xE2\x9C\x93 " : "\xE2\x9C\x97 ") + who + (right ? " right" : " wrong"));
}

/// The line that the box is drawn with.
std::string swatch(const char* look) {
  return "<svg class=\"swatch\" width=\"26\" height=\"8\" aria-hidden=\"true\"><line class=\"box " + std::string(look) +
         "\" x1=\"1\" y1=\"4\" x2=\"25\" y2=\"4\"/></svg>";
}

class Card {
 public:
  Card(const SampleResult& sample, std::size_t& room) : sample_(sample), room_(room) {}

  std::string render() const {
    const bool known = !sample_.expected.empty();
    std::string out = "<article class=\"card sample\">" + pictures() + "<div class=\"said\"><p class=\"head\">" +
                      html::code(sample_.id);
    if (!sample_.task.empty()) out += html::tag("same", sample_.task);
    if (known) out += right_tags();
    out += "</p><p class=\"prompt\" dir=\"auto\">" + escaped(cut(sample_.prompt)) + "</p><dl>";
    if (known) out += answer("expected", sample_.expected, sample_.expected_box, std::nullopt);
    const bool scored = sample_.expected_box.has_value();
    out += answer("original", sample_.original, sample_.original_box,
                  scored ? std::optional(sample_.original_iou) : std::nullopt);
    out += answer("quantized", sample_.quantized, sample_.quantized_box,
                  scored ? std::optional(sample_.quantized_iou) : std::nullopt);
    return out + "</dl><p class=\"soft\">KL " + html::number(sample_.kl) + " nats, token agreement " +
           html::percent(sample_.token_agreement) + "</p></div></article>\n";
  }

 private:
  std::string right_tags() const {
    if (sample_.original_right == sample_.quantized_right) return right_tag("both", sample_.original_right);
    return right_tag("original", sample_.original_right) + right_tag("quantized", sample_.quantized_right);
  }

  std::string answer(const char* who, const std::string& text, const std::optional<Box>& box,
                     std::optional<double> iou) const {
    std::string out = std::string("<dt>") + who + (box ? swatch(who) : "") + "</dt><dd dir=\"auto\">" +
                      (text.empty() ? "<span class=\"soft\">(nothing)</span>" : escaped(cut(text)));
    if (iou && box) out += " <small>IoU " + html::number(*iou) + "</small>";
    if (box && !sample_.image_sizes.empty()) {
      const std::string remark = box_remark(*box, size_of(0));
      if (!remark.empty()) out += " <small class=\"failure\">" + remark + "</small>";
    }
    return out + "</dd>";
  }

  /// In whose pixels the boxes are.
  ImageSize size_of(std::size_t picture) const {
    if (picture >= sample_.image_sizes.size()) return {};
    const PictureSize& size = sample_.image_sizes[picture];
    return sample_.boxes == BoxSpace::original ? size.original : size.seen;
  }

  std::string size_line(std::size_t picture) const {
    if (picture >= sample_.image_sizes.size()) return "";
    const auto shown = [](ImageSize size) { return std::to_string(size.width) + " x " + std::to_string(size.height); };
    const PictureSize& size = sample_.image_sizes[picture];
    const bool resized = size.seen.width != size.original.width || size.seen.height != size.original.height;
    return "<p class=\"soft\">" + shown(size.original) + " pixels" +
           (resized ? ", seen by the model as " + shown(size.seen) : "") + "</p>";
  }

  std::string pictures() const {
    if (sample_.images.empty()) return "";
    std::string out = "<div class=\"pictures\">";
    for (std::size_t i = 0; i < std::min(kMostPictures, sample_.images.size()); ++i) {
      const Picture picture = embed(sample_.images[i], sample_.decode, room_);
      const ImageSize size = size_of(i);
      const std::string name = "picture " + std::to_string(i + 1) + " of sample " + sample_.id;
      const std::string drawn =
          i == 0 ? overlay(picture, size, name, sample_.expected_box, sample_.original_box, sample_.quantized_box)
                 : overlay(picture, size, name, {}, {}, {});
      out += drawn;
      if (drawn.empty() && !picture.data.empty())
        out += "<img class=\"picture\" alt=\"" + escaped(name) + "\" src=\"" + picture.data + "\">";
      if (!picture.note.empty()) out += "<p class=\"soft\">" + escaped(picture.note) + "</p>";
      out += size_line(i);
    }
    if (sample_.images.size() > kMostPictures)
      out += "<p class=\"soft\">and " +
             html::plural(static_cast<std::int64_t>(sample_.images.size() - kMostPictures), "picture") + " more</p>";
    return out + "</div>";
  }

  const SampleResult& sample_;
  std::size_t& room_;
};

std::string cards(const std::vector<const SampleResult*>& samples, std::size_t& room) {
  std::string out = "<div class=\"samples\">\n";
  for (const SampleResult* sample : samples) out += Card(*sample, room).render();
  return out + "</div>\n";
}

/// Those that were left out, in full: what is missing must not look like what was measured.
std::string skipped_html(const std::vector<SkippedSample>& skipped) {
  if (skipped.empty()) return "";
  std::string out = "<details open><summary>" + html::plural(static_cast<std::int64_t>(skipped.size()), "sample") +
                    " left out, since they cannot be used</summary><ul>\n";
  for (const SkippedSample& sample : skipped)
    out += "<li>" + html::code(sample.id) + " " + escaped(sample.reason) + "</li>\n";
  return out + "</ul></details>\n";
}

}  // namespace

std::string samples_html(const VerifyResult& verify) {
  if (verify.answers.empty()) return "";
  const Choice choice = choose(verify.answers);
  const auto losses = std::count_if(verify.answers.begin(), verify.answers.end(), lost);
  std::string out = "<p>" + html::plural(static_cast<std::int64_t>(verify.answers.size()), "sample") + "; " +
                    html::plural(losses, "answer") + " that the original has right and the quantized model wrong.";
  const bool boxes = std::any_of(verify.answers.begin(), verify.answers.end(), [](const SampleResult& sample) {
    return sample.original_box || sample.quantized_box;
  });
  if (boxes)
    out += " Boxes: " + swatch("expected") + " expected (dashed), " + swatch("original") + " original (solid), " +
           swatch("quantized") + " quantized (dotted), in pixels of the picture " +
           (verify.answers.front().boxes == BoxSpace::original ? "itself." : "as the model saw it.");
  out += "</p>\n" + skipped_html(verify.skipped);
  if (!verify.tasks.empty()) {
    out +=
        "<div class=\"card scroll\"><table class=\"figures\"><thead><tr><th>task</th><th>samples</th><th>original "
        "right</th>"
        "<th>quantized right</th></tr></thead><tbody>\n";
    const auto cell = [](std::int64_t right, std::int64_t total) {
      return "<td>" + std::to_string(right) + " <small class=\"soft\">" + interval_text(share_interval(right, total)) +
             "</small></td>";
    };
    for (const TaskScore& task : verify.tasks)
      out += "<tr><td>" + escaped(task.task) + "</td><td>" + std::to_string(task.total) + "</td>" +
             cell(task.original_right, task.total) + cell(task.quantized_right, task.total) + "</tr>\n";
    out +=
        "</tbody></table>" +
        explained("interval", "beside each count: what the share may be, with " + confidence_text() + " confidence") +
        "</div>\n";
  }
  std::size_t room = kPictureRoom;
  out += "<h3>Furthest from the original</h3>" + cards(choice.worst, room);
  if (!choice.fine.empty()) out += "<h3>Right, for comparison</h3>" + cards(choice.fine, room);
  return out;
}

}  // namespace octavo::report
