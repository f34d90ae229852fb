#include "line_editor.hpp"

#include <histedit.h>
#include <langinfo.h>
#include <termios.h>
#include <unistd.h>

#include <climits>
#include <clocale>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <cwchar>
#include <exception>
#include <string_view>

#include "chat_completion.hpp"
#include "signals.hpp"
#include "standard_input.hpp"

namespace cli {

namespace {

constexpr wchar_t kReplacement = 0xFFFD, kCtrlD = 4;
constexpr int kHistory = 1000;  // lines that can be brought back
// A terminal that knows "bracketed paste" then marks where a paste begins and ends; another one ignores it.
constexpr std::string_view kMarkPastes = "\x1b[?2004h", kPastesAsTyped = "\x1b[?2004l";
constexpr std::wstring_view kPasteEnd = L"\x1b[201~";

void say(std::string_view sequence) { (void)!write(STDERR_FILENO, sequence.data(), sequence.size()); }

// libedit converts by the locale; one of UTF-8 is needed whatever the environment says.
bool choose_utf8() {
  for (const char* name : {"", "C.UTF-8"})
    if (std::setlocale(LC_CTYPE, name) != nullptr && std::strcmp(nl_langinfo(CODESET), "UTF-8") == 0) return true;
  return false;
}

bool can_edit() {
  const char* terminal = std::getenv("TERM");
  return isatty(STDIN_FILENO) == 1 && isatty(STDERR_FILENO) == 1 && terminal != nullptr && *terminal != '\0' &&
         std::strcmp(terminal, "dumb") != 0;
}

std::string narrow(std::wstring_view text) {
  std::string out;
  for (const wchar_t letter : text) {
    char bytes[MB_LEN_MAX];
    std::mbstate_t state{};
    const std::size_t count = std::wcrtomb(bytes, letter, &state);
    out += count == static_cast<std::size_t>(-1) ? std::string("\xEF\xBF\xBD") : std::string(bytes, count);
  }
  return out;
}

std::wstring wide(std::string_view text) {
  std::wstring out;
  std::mbstate_t state{};
  while (!text.empty()) {
    wchar_t letter = 0;
    std::size_t count = std::mbrtowc(&letter, text.data(), text.size(), &state);
    if (count == 0 || count > text.size()) {
      letter = kReplacement;
      count = 1;
      state = {};
    }
    out += letter;
    text.remove_prefix(count);
  }
  return out;
}

// As libedit wants it: 1, 0 at the end of the input, -1 when a signal came. Bytes that are no UTF-8 are U+FFFD.
int read_letter(EditLine*, wchar_t* to) {
  std::mbstate_t state{};
  for (;;) {
    char byte = 0;
    try {
      if (read_waiting(&byte, 1) == 0) return 0;
    } catch (const std::exception&) {
      return -1;
    }
    const std::size_t count = std::mbrtowc(to, &byte, 1, &state);
    if (count == static_cast<std::size_t>(-2)) continue;
    if (count == static_cast<std::size_t>(-1)) *to = kReplacement;
    if (count == 0) *to = kCtrlD;  // what the system makes of one that is typed while an answer is written
    return 1;
  }
}

// Everything up to the mark of the end, line feeds too, as though it were one line.
unsigned char insert_paste(EditLine* edit, int) {
  std::wstring text;
  for (wchar_t letter = 0; !text.ends_with(kPasteEnd); text += letter)
    if (el_wgetc(edit, &letter) != 1) return CC_EOF;
  text.resize(text.size() - kPasteEnd.size());
  for (wchar_t& letter : text)
    if (letter == L'\r') letter = L'\n';
  std::erase_if(text,
                [](wchar_t letter) { return (letter < L' ' && letter != L'\n' && letter != L'\t') || letter == 0x7F; });
  while (text.ends_with(L'\n')) text.pop_back();
  return text.empty() || el_winsertstr(edit, text.c_str()) == 0 ? CC_REFRESH : CC_REFRESH_BEEP;
}

unsigned char insert_completion(EditLine* edit, int) {
  const LineInfoW* line = el_wline(edit);
  const Completion completion =
      complete_line(narrow({line->buffer, static_cast<std::size_t>(line->cursor - line->buffer)}));
  if (!completion.added.empty())
    return el_winsertstr(edit, wide(completion.added).c_str()) == 0 ? CC_REFRESH : CC_REFRESH_BEEP;
  if (completion.choices.empty()) return CC_REFRESH_BEEP;
  std::string list = "\n";
  for (const std::string& choice : completion.choices) list += choice + "\n";
  say(list);
  return CC_REDISPLAY;
}

termios terminal_before{};

void restore_terminal() {
  tcsetattr(STDIN_FILENO, TCSANOW, &terminal_before);
  say(kPastesAsTyped);
}

class LineEditor final : public LineSource {
 public:
  LineEditor() : edit_(el_init("octavo", stdin, stderr, stderr)), history_(history_winit()) {
    if (!is_open()) return;
    HistEventW event{};
    history_w(history_, &event, H_SETSIZE, kHistory);
    history_w(history_, &event, H_SETUNIQUE, 1);
    el_wset(edit_, EL_CLIENTDATA, this);
    el_wset(edit_, EL_HIST, history_w, history_);
    el_wset(edit_, EL_PROMPT, prompt_of);
    el_wset(edit_, EL_GETCFN, read_letter);
    el_wset(edit_, EL_SIGNAL, 1);  // a terminal that changes its size, or comes back from the background
    el_wset(edit_, EL_EDITOR, L"emacs");
    el_wset(edit_, EL_ADDFN, L"octavo-paste", L"Insert a paste", insert_paste);
    el_wset(edit_, EL_ADDFN, L"octavo-complete", L"Complete a command or a path", insert_completion);
    el_source(edit_, nullptr);  // ~/.editrc
    constexpr const wchar_t* kKeys[][2] = {{L"\\e[200~", L"octavo-paste"},
                                           {L"^I", L"octavo-complete"},
                                           {L"^R", L"em-inc-search-prev"},
                                           {L"\\e[1;5C", L"em-next-word"},
                                           {L"\\e[1;5D", L"ed-prev-word"}};
    for (const auto& [key, function] : kKeys) el_wset(edit_, EL_BIND, key, function, nullptr);
  }
  ~LineEditor() override {
    if (edit_ != nullptr) el_end(edit_);
    if (history_ != nullptr) history_wend(history_);
  }
  bool is_open() const { return edit_ != nullptr && history_ != nullptr; }

  std::optional<std::string> next(const char* prompt) override {
    prompt_ = wide(prompt);
    int count = 0;
    el_wset(edit_, EL_PREP_TERM, 1);  // before the prompt says that keys are welcome
    say(kMarkPastes);
    const wchar_t* typed = el_wgets(edit_, &count);
    say(kPastesAsTyped);
    if (typed == nullptr || count <= 0) return std::nullopt;
    std::wstring line(typed, static_cast<std::size_t>(count));
    if (line.ends_with(L'\n')) line.pop_back();
    if (line.find_first_not_of(L" \t\n") != std::wstring::npos) {
      HistEventW event{};
      history_w(history_, &event, H_ENTER, line.c_str());
    }
    return narrow(line);
  }

 private:
  static wchar_t* prompt_of(EditLine* edit) {
    void* self = nullptr;
    el_wget(edit, EL_CLIENTDATA, &self);
    return static_cast<LineEditor*>(self)->prompt_.data();
  }

  EditLine* edit_;
  HistoryW* history_;
  std::wstring prompt_;
};

}  // namespace

std::unique_ptr<LineSource> open_line_editor() {
  if (!can_edit() || !choose_utf8() || tcgetattr(STDIN_FILENO, &terminal_before) != 0) return nullptr;
  auto editor = std::make_unique<LineEditor>();
  if (!editor->is_open()) return nullptr;
  at_sudden_end(restore_terminal);
  return editor;
}

std::string line_editor_version() {
  return "libedit " + std::to_string(LIBEDIT_MAJOR) + "." + std::to_string(LIBEDIT_MINOR);
}

}  // namespace cli
