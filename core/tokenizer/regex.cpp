#define PCRE2_CODE_UNIT_WIDTH 8
#include "core/tokenizer/regex.h"

#include <algorithm>
#include <string>
#include <utility>

#include <fmt/format.h>
#include <pcre2.h>

namespace tandem {
namespace {

/// Tokenizer files mean Unicode's White_Space by \s; PCRE2's \s has U+180E besides.
std::string with_unicode_spaces(std::string_view pattern) {
  std::string result;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    result += pattern[i];
    if (pattern[i] != '\\' || i + 1 == pattern.size()) continue;
    const char escaped = pattern[++i];
    if (escaped == 's' || escaped == 'S')
      result += escaped == 's' ? "p{White_Space}" : "P{White_Space}";
    else
      result += escaped;
  }
  return result;
}

}  // namespace

Result<Regex> Regex::compile(std::string_view pattern) {
  return compile_with(with_unicode_spaces(pattern), PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C);
}

Result<Regex> Regex::literal(std::string_view text) {
  return compile_with(text, PCRE2_LITERAL);
}

Result<Regex> Regex::compile_with(std::string_view pattern, unsigned options) {
  constexpr std::size_t kMaxPatternBytes = 65536;
  if (pattern.size() > kMaxPatternBytes)
    return Error{ErrorCode::BadFormat,
                 fmt::format("the regular expression has {} bytes, at most {} are compiled", pattern.size(),
                             kMaxPatternBytes)};
  int code = 0;
  PCRE2_SIZE offset = 0;
  std::shared_ptr<pcre2_code> compiled(
      pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(), PCRE2_UTF | options, &code,
                    &offset, nullptr),
      pcre2_code_free);
  if (compiled == nullptr) {
    PCRE2_UCHAR message[256];
    pcre2_get_error_message(code, message, sizeof message);
    return Error{ErrorCode::BadFormat, fmt::format("the regular expression is wrong at byte {}: {}", offset,
                                                   reinterpret_cast<const char*>(message))};
  }
  pcre2_jit_compile(compiled.get(), PCRE2_JIT_COMPLETE);  // where it fails, the interpreter does the work
  return Regex(std::move(compiled));
}

void Regex::find_all(std::string_view text, std::vector<Match>& matches) const {
  matches.clear();
  const std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)> data(
      pcre2_match_data_create(1, nullptr), pcre2_match_data_free);
  const PCRE2_SIZE* range = pcre2_get_ovector_pointer(data.get());
  for (std::size_t at = 0; at < text.size();) {
    const int found = pcre2_match(code_.get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), at,
                                  PCRE2_NO_UTF_CHECK | PCRE2_NOTEMPTY, data.get(), nullptr);
    if (found < 0) return;
    if (range[1] <= at) return;  // \K in a look-around can put the end before the start
    matches.push_back({std::max(range[0], at), range[1]});
    at = range[1];
  }
}

}  // namespace tandem
