#include "core/grading/equality.h"

#include <algorithm>
#include <array>
#include <iterator>

#include "core/grading/normalise.h"
#include "core/grading/text.h"

namespace tandem {
namespace grading {
namespace {

constexpr auto kNowhere = std::string_view::npos;

// Far above what real answers have. They bound the time and the depth of recursion for any input.
constexpr std::size_t kLongestParsed = 2000;   // bytes
constexpr std::ptrdiff_t kMostOpenings = 200;  // braces, brackets and commands

AnswerForm parse_part(AnswerKind kind, std::string_view text);

/// The first token of a text: a command, an escaped character or a single byte.
std::string_view first_token(std::string_view text) {
  std::size_t size = 1;
  if (text.front() == '\\') {
    while (is_letter(char_at(text, size))) ++size;
    size = std::min(std::max<std::size_t>(size, 2), text.size());
  }
  return text.substr(0, size);
}

/// How a token changes the depth of brackets, braces and environments.
int depth_change(std::string_view token) {
  if (token == "(" || token == "[" || token == "{" || token == "\\{" || token == "\\begin") return 1;
  if (token == ")" || token == "]" || token == "}" || token == "\\}" || token == "\\end") return -1;
  return 0;
}

/// Parts between the separators (one token) that stand outside all brackets.
std::vector<std::string_view> split(std::string_view text, std::string_view separator) {
  std::vector<std::string_view> parts;
  std::size_t begin = 0;
  int depth = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::string_view token = first_token(text.substr(at));
    depth += depth_change(token);
    if (depth == 0 && token == separator) {
      parts.push_back(text.substr(begin, at - begin));
      begin = at + token.size();
    }
    at += token.size();
  }
  parts.push_back(text.substr(begin));
  return parts;
}

/// Length of a number in groups of three by commas, such as 12,345, at the start of a text; 0 if the digits
/// and commas there are none.
std::size_t grouped_number_size(std::string_view text) {
  std::size_t end = skip_digits(text, 0);
  if (end == 0 || end > 3) return 0;
  while (char_at(text, end) == ',' && is_digit(char_at(text, end + 1))) {
    if (skip_digits(text, end + 1) != end + 4) return 0;
    end += 4;
  }
  return end > 3 ? end : 0;
}

/// Takes the commas out of grouped numbers outside brackets, so that those left separate.
std::string join_digit_groups(std::string_view text) {
  std::string joined;
  int depth = 0;
  for (std::size_t at = 0; at < text.size();) {
    std::string_view token = first_token(text.substr(at));
    depth += depth_change(token);
    const bool is_number = depth == 0 && is_digit(token.front());
    const std::size_t grouped = is_number ? grouped_number_size(text.substr(at)) : 0;
    if (grouped > 0)
      token = text.substr(at, grouped);
    else if (is_number)  // digits and commas that are no grouped number hold none either
      token = text.substr(at, std::min(text.find_first_not_of("0123456789,", at), text.size()) - at);
    else if (token == ".")  // nor are decimals grouped
      token = text.substr(at, skip_digits(text, at + 1) - at);
    std::copy_if(token.begin(), token.end(), std::back_inserter(joined),
                 [&](char c) { return grouped == 0 || c != ','; });
    at += token.size();
  }
  return joined;
}

bool is_digit_gap(std::string_view before, char after) {
  return !before.empty() && is_digit(before.back()) && is_digit(after);
}

/// Text without spaces and *, and without braces around one character after ^ or _. Between two digits they
/// are kept as a mark: 12 50 is not 1250, nor is 2*3.
std::string squeeze(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find_first_not_of(" *", at), text.size());
    if (end > at && is_digit_gap(out, char_at(text, end)))
      out += text.substr(at, end - at).find('*') == kNowhere ? ' ' : '*';
    if (end < text.size()) out += text[end];
    at = end + 1;
  }
  std::string squeezed;
  for (std::size_t at = 0; at < out.size(); ++at) {
    squeezed += out[at];
    if ((out[at] != '^' && out[at] != '_') || char_at(out, at + 1) != '{') continue;
    std::size_t end = at + 3;  // behind the first character in the braces, which may have several bytes
    while (continues_character(char_at(out, end))) ++end;
    if (char_at(out, end) != '}' || out[at + 2] == '}') continue;
    squeezed += std::string_view(out).substr(at + 2, end - at - 2);
    at = end;
  }
  return squeezed;
}

/// Words in lower case with single spaces, or the letter of a choice, (B) or B; else nothing.
std::string label_of(std::string_view text, std::string_view squeezed) {
  if (squeezed.size() == 3 && squeezed.front() == '(' && squeezed.back() == ')')
    squeezed = squeezed.substr(1, 1);
  if (squeezed.size() == 1 && is_upper(squeezed.front())) return std::string(squeezed);
  std::string words;
  std::size_t longest = 0;
  std::size_t length = 0;
  for (const char c : text) {
    const bool is_ascii = static_cast<unsigned char>(c) < 0x80;
    if (is_ascii && c != ' ' && !is_letter(c)) return {};
    length = c == ' ' ? 0 : length + 1;
    longest = std::max(longest, length);
    if (c != ' ' || !words.ends_with(' ')) words += lower(c);
  }
  return longest >= 2 ? words : std::string();
}

void add_parts(AnswerKind kind, AnswerForm& form, const std::vector<std::string_view>& parts) {
  for (const std::string_view part : parts)
    form.parts.push_back(parse_part(kind, normalise_ends(kind, part)));
}

bool parse_matrix(AnswerKind kind, std::string_view text, AnswerForm& form) {
  constexpr std::array<std::string_view, 6> kNames{"pmatrix", "bmatrix", "vmatrix",
                                                   "Bmatrix", "Vmatrix", "matrix"};
  for (const std::string_view name : kNames) {
    const std::string begin = "\\begin{" + std::string(name) + "}";
    const std::string end = "\\end{" + std::string(name) + "}";
    if (!text.starts_with(begin) || !text.ends_with(end) || text.size() < begin.size() + end.size()) continue;
    text = text.substr(begin.size(), text.size() - begin.size() - end.size());
    if (text.find(end) < text.find(begin)) return false;  // two matrices side by side
    std::vector<std::string_view> rows = split(text, std::string_view(&kRowEnd, 1));
    if (rows.size() > 1 && trim(rows.back()).empty()) rows.pop_back();
    form.kind = AnswerForm::Kind::Matrix;
    form.shape = name;
    for (const std::string_view row : rows) {
      const auto cells = split(row, "&");
      form.shape += ' ' + std::to_string(cells.size());
      add_parts(kind, form, cells);
    }
    return true;
  }
  return false;
}

bool parse_union(AnswerKind kind, std::string_view text, AnswerForm& form) {
  const auto parts = split(text, "\\cup");
  if (parts.size() < 2) return false;
  form.kind = AnswerForm::Kind::Union;
  add_parts(kind, form, parts);
  return true;
}

/// One pair of brackets around everything: a tuple, an interval or a set.
bool parse_brackets(AnswerKind kind, std::string_view text, AnswerForm& form) {
  if (text.empty()) return false;
  const std::string_view open = first_token(text);
  if (open != "(" && open != "[" && open != "\\{") return false;
  std::string_view close;
  int depth = 0;
  for (std::size_t at = 0; at < text.size(); at += close.size()) {
    if (at > 0 && depth == 0) return false;  // closed before the end
    close = first_token(text.substr(at));
    depth += depth_change(close);
  }
  if (depth != 0 || (close != ")" && close != "]" && close != "\\}")) return false;
  form.shape.append(open).append(close);
  form.kind = form.shape == "\\{\\}" ? AnswerForm::Kind::Set : AnswerForm::Kind::Tuple;
  add_parts(kind, form, split(text.substr(open.size(), text.size() - open.size() - close.size()), ","));
  return true;
}

/// Elements separated by commas, without the "and" or "or" after one.
bool parse_list(AnswerKind kind, std::string_view text, AnswerForm& form) {
  const std::string joined = join_digit_groups(text);
  auto elements = split(joined, ",");
  if (elements.size() < 2) return false;
  for (std::string_view& element : elements) {
    element = trim(element);
    for (const std::string_view word : {"and ", "or "})
      if (&element != &elements.front() && element.starts_with(word)) element.remove_prefix(word.size());
  }
  form.kind = AnswerForm::Kind::List;
  add_parts(kind, form, elements);
  return true;
}

AnswerForm parse_part(AnswerKind kind, std::string_view text) {
  AnswerForm form;
  form.text = squeeze(text);
  form.number = parse_number(text);
  if (form.number) return form;
  form.label = label_of(text, form.text);
  if (parse_matrix(kind, text, form) || parse_union(kind, text, form) || parse_brackets(kind, text, form))
    return form;
  parse_list(kind, text, form);
  return form;
}

bool equal_in_order(const std::vector<AnswerForm>& a, const std::vector<AnswerForm>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), equal);
}

std::vector<const AnswerForm*> sorted_by_text(const std::vector<AnswerForm>& parts) {
  std::vector<const AnswerForm*> sorted;
  sorted.reserve(parts.size());
  for (const AnswerForm& part : parts) sorted.push_back(&part);
  std::sort(sorted.begin(), sorted.end(), [](const auto* a, const auto* b) { return a->text < b->text; });
  return sorted;
}

/// In any order, with multiplicity. Parts of the same text are paired first, so that which of the rest meet
/// does not depend on the side.
bool equal_in_any_order(const std::vector<AnswerForm>& a, const std::vector<AnswerForm>& b) {
  if (a.size() != b.size()) return false;
  const auto sorted_a = sorted_by_text(a);
  const auto sorted_b = sorted_by_text(b);
  const auto by_text = [](const AnswerForm* x, const AnswerForm* y) { return x->text < y->text; };
  std::vector<const AnswerForm*> only_a;
  std::vector<const AnswerForm*> only_b;
  std::set_difference(sorted_a.begin(), sorted_a.end(), sorted_b.begin(), sorted_b.end(),
                      std::back_inserter(only_a), by_text);
  std::set_difference(sorted_b.begin(), sorted_b.end(), sorted_a.begin(), sorted_a.end(),
                      std::back_inserter(only_b), by_text);
  for (const AnswerForm* part : only_a) {
    const auto match = std::find_if(only_b.begin(), only_b.end(),
                                    [&](const AnswerForm* other) { return equal(*part, *other); });
    if (match == only_b.end()) return false;
    only_b.erase(match);
  }
  return true;
}

}  // namespace

AnswerForm parse_answer(AnswerKind kind, std::string_view answer) {
  answer = trim(answer);
  const auto opens = [](char c) { return c == '{' || c == '(' || c == '[' || c == '\\'; };
  if (answer.size() <= kLongestParsed && std::count_if(answer.begin(), answer.end(), opens) <= kMostOpenings)
    return parse_part(kind, normalise_ends(kind, normalise_symbols(answer)));
  AnswerForm form;
  form.text = answer;
  return form;
}

bool equal(const AnswerForm& a, const AnswerForm& b) {
  if (a.number && b.number) return *a.number == *b.number;
  if (a.text.empty() || b.text.empty()) return false;
  if (a.text == b.text) return true;
  if (a.kind == b.kind && a.shape == b.shape && a.kind != AnswerForm::Kind::Text) {
    const bool ordered = a.kind != AnswerForm::Kind::Set && a.kind != AnswerForm::Kind::List;
    if (ordered ? equal_in_order(a.parts, b.parts) : equal_in_any_order(a.parts, b.parts)) return true;
  }
  return !a.label.empty() && a.label == b.label;
}

}  // namespace grading

bool answers_equal(AnswerKind kind, std::string_view a, std::string_view b) {
  return grading::equal(grading::parse_answer(kind, a), grading::parse_answer(kind, b));
}

}  // namespace tandem
