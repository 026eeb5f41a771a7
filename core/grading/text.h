// How the files of this folder read text. ASCII only, as the syntax of answers is.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>

namespace tandem::grading {

inline bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
inline bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}
inline bool is_letter(char c) {
  return is_upper(c) || (c >= 'a' && c <= 'z');
}
inline bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}
inline char lower(char c) {
  return is_upper(c) ? static_cast<char>(c - 'A' + 'a') : c;
}

/// Whether a byte continues a UTF-8 character that began before it.
inline bool continues_character(char c) {
  return (static_cast<unsigned char>(c) & 0xC0) == 0x80;
}

inline std::string_view trim(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

/// The character at `at`, or '\0' past the end.
inline char char_at(std::string_view text, std::size_t at) {
  return at < text.size() ? text[at] : '\0';
}

/// `at` moved past spaces.
inline std::size_t skip_spaces(std::string_view text, std::size_t at) {
  while (is_space(char_at(text, at))) ++at;
  return at;
}

/// End of the digits that start at `at`.
inline std::size_t skip_digits(std::string_view text, std::size_t at) {
  while (is_digit(char_at(text, at))) ++at;
  return at;
}

/// The letters from `at` on: a word, or a command's name behind its backslash.
inline std::string_view letters_at(std::string_view text, std::size_t at) {
  std::size_t end = at;
  while (is_letter(char_at(text, end))) ++end;
  return text.substr(std::min(at, text.size()), end - at);
}

template <std::size_t Count>
bool contains(const std::array<std::string_view, Count>& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

/// Position of the brace that closes the one at `open`, escaped braces aside; npos if there is none.
inline std::size_t closing_brace(std::string_view text, std::size_t open) {
  std::size_t depth = 0;
  for (std::size_t i = open; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == '{') {
      ++depth;
    } else if (text[i] == '}' && --depth == 0) {
      return i;
    }
  }
  return std::string_view::npos;
}

}  // namespace tandem::grading
