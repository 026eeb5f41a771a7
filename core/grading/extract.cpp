// Where in a model's output the answer stands (test_time_compute.md section 6, extraction). Every search is
// linear in the output.
#include <algorithm>
#include <array>

#include "core/grading/grading.h"
#include "core/grading/text.h"

namespace tandem {
namespace {

using namespace grading;

constexpr auto kNowhere = std::string_view::npos;
constexpr std::string_view kMarker = "####";
constexpr std::ptrdiff_t kShortText = 60;  // characters: an output this short may be an answer by itself

std::string_view line_from(std::string_view text, std::size_t at) {
  return text.substr(at, text.find('\n', at) - at);
}

std::size_t rfind_ignoring_case(std::string_view text, std::string_view lower_case) {
  const auto same = [](char a, char b) { return lower(a) == b; };
  const auto found = std::find_end(text.begin(), text.end(), lower_case.begin(), lower_case.end(), same);
  return found == text.end() ? kNowhere : static_cast<std::size_t>(found - text.begin());
}

/// The sentence after the last "answer is"; empty if there is none or nothing but Markdown follows.
std::string_view stated_answer(std::string_view output) {
  constexpr std::string_view kPhrase = "answer is";
  const std::size_t at = rfind_ignoring_case(output, kPhrase);
  if (at == kNowhere) return {};
  std::string_view answer = trim(line_from(output, at + kPhrase.size()));
  if (answer.starts_with(':')) answer.remove_prefix(1);
  if (const std::size_t stop = answer.find(". "); stop != kNowhere) answer = answer.substr(0, stop);
  answer = trim(answer);
  if (answer.ends_with('.')) answer.remove_suffix(1);
  if (answer.starts_with('[') && answer.ends_with(']') && answer.find(',') == kNowhere) {
    answer.remove_prefix(1);  // the brackets of the prompt's template, copied
    answer.remove_suffix(1);
  }
  return answer.find_first_not_of(" \t\r*_`") == kNowhere ? std::string_view() : answer;
}

/// The last $...$, $$...$$, \(...\) or \[...\] that holds anything; empty if there is none.
std::string_view last_inline_maths(std::string_view text) {
  struct Delimiters {
    std::string_view open;
    std::string_view close;
    bool unclosed = false;  // no further closing one: not searched for again
  };
  std::array<Delimiters, 4> kinds{{{"$$", "$$"}, {"$", "$"}, {"\\(", "\\)"}, {"\\[", "\\]"}}};
  std::string_view last;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto opens = [&](const Delimiters& kind) { return text.substr(i).starts_with(kind.open); };
    const auto kind = std::find_if(kinds.begin(), kinds.end(), opens);
    if (kind == kinds.end()) {
      if (text[i] == '\\') ++i;  // \$ opens nothing
      continue;
    }
    const std::size_t begin = i + kind->open.size();
    std::size_t end = kind->unclosed ? kNowhere : text.find(kind->close, begin);
    while (end != kNowhere && text[end - 1] == '\\' && kind->close.front() == '$')
      end = text.find(kind->close, end + 1);
    kind->unclosed = end == kNowhere;
    if (!kind->unclosed && !trim(text.substr(begin, end - begin)).empty())
      last = text.substr(begin, end - begin);
    i = kind->unclosed ? begin - 1 : end + kind->close.size() - 1;
  }
  return trim(last);
}

/// End of the number whose first digit or decimal point is at `at`, such as 1,250.50 or 2e3 or 3/4.
std::size_t number_end(std::string_view text, std::size_t at) {
  std::size_t end = skip_digits(text, at);
  while (char_at(text, end) == ',' && skip_digits(text, end + 1) == end + 4) end += 4;
  const auto extend = [&](std::string_view marks, std::string_view signs) {
    if (end >= text.size() || marks.find(text[end]) == kNowhere) return;
    std::size_t digits = end + 1;
    if (digits < text.size() && signs.find(text[digits]) != kNowhere) ++digits;
    if (skip_digits(text, digits) > digits) end = skip_digits(text, digits);
  };
  extend(".", "");
  extend("eE", "+-");
  extend("/", "");
  return end;
}

/// Start of the minus in front of a number at `at`, a currency sign between them allowed; else `at`. A hyphen
/// after a letter, a digit or a bracket is no sign.
std::size_t sign_start(std::string_view text, std::size_t at) {
  std::string_view before = text.substr(0, at);
  for (const std::string_view currency : {"\\$", "$", "€", "£"}) {
    if (!before.ends_with(currency)) continue;
    before.remove_suffix(currency.size());
    break;
  }
  for (const std::string_view minus : {"-", "−"}) {
    if (!before.ends_with(minus)) continue;
    before.remove_suffix(minus.size());
    const char previous = before.empty() ? ' ' : before.back();
    const bool joins = is_letter(previous) || is_digit(previous) || previous == ')' || previous == '}';
    return joins ? at : before.size();
  }
  return at;
}

std::optional<std::string> last_number(std::string_view text) {
  std::size_t begin = kNowhere;
  std::size_t end = 0;
  for (std::size_t i = 0; i < text.size();) {
    const bool starts = is_digit(text[i]) || (text[i] == '.' && is_digit(char_at(text, i + 1)));
    if (starts) {
      begin = i;
      end = number_end(text, i);
    }
    i = starts ? end : i + 1;
  }
  if (begin == kNowhere) return std::nullopt;
  begin = sign_start(text, begin);
  return std::string(text.substr(begin, end - begin));
}

std::ptrdiff_t count_characters(std::string_view utf8) {
  return std::count_if(utf8.begin(), utf8.end(), [](char c) { return !continues_character(c); });
}

}  // namespace

const char* answer_kind_name(AnswerKind kind) {
  return kind == AnswerKind::Gsm8k ? "gsm8k" : "math";
}

std::optional<std::string> boxed_answer(std::string_view text) {
  constexpr std::array<std::string_view, 2> kCommands{"\\boxed", "\\fbox"};
  std::size_t after = kNowhere;
  for (const std::string_view command : kCommands) {
    std::size_t at = text.rfind(command);
    while (at != kNowhere && is_letter(char_at(text, at + command.size())))  // a longer command
      at = at == 0 ? kNowhere : text.rfind(command, at - 1);
    if (at != kNowhere && (after == kNowhere || at + command.size() > after)) after = at + command.size();
  }
  if (after == kNowhere) return std::nullopt;
  const std::size_t open = skip_spaces(text, after);
  if (char_at(text, open) != '{')
    return std::string(text.substr(open, text.find_first_of(" \t\r\n$", open) - open));
  const std::size_t close = closing_brace(text, open);
  if (close == kNowhere) return std::nullopt;
  return std::string(trim(text.substr(open + 1, close - open - 1)));
}

std::optional<std::string> extract_answer(AnswerKind kind, std::string_view output) {
  if (auto boxed = boxed_answer(output)) return boxed;
  if (const std::string_view stated = stated_answer(output); !stated.empty()) return std::string(stated);
  if (const std::size_t marker = output.rfind(kMarker); marker != kNowhere)
    return std::string(trim(line_from(output, marker + kMarker.size())));
  if (kind == AnswerKind::Gsm8k) return last_number(output);
  if (const std::string_view maths = last_inline_maths(output); !maths.empty()) return std::string(maths);
  if (const std::string_view whole = trim(output); count_characters(whole) <= kShortText)
    return whole.empty() ? std::nullopt : std::optional<std::string>(whole);
  return last_number(output);
}

std::string gold_answer(AnswerKind kind, std::string_view answer_field) {
  const std::size_t marker = kind == AnswerKind::Gsm8k ? answer_field.rfind(kMarker) : kNowhere;
  return std::string(trim(marker == kNowhere ? answer_field : answer_field.substr(marker + kMarker.size())));
}

bool grade(AnswerKind kind, std::string_view output, std::string_view answer_field) {
  const std::optional<std::string> answer = extract_answer(kind, output);
  return answer.has_value() && answers_equal(kind, *answer, gold_answer(kind, answer_field));
}

}  // namespace tandem
