#include "core/problems/csv.h"

#include <algorithm>

#include <fmt/format.h>

namespace tandem {
namespace {

/// Reads one field and moves `at` behind it, to a comma, a line end or the end of the text.
Result<std::string> read_field(std::string_view text, std::size_t& at, std::int64_t& line) {
  if (at >= text.size() || text[at] != '"') {
    const std::size_t end = std::min(text.find_first_of(",\r\n", at), text.size());
    std::string field(text.substr(at, end - at));
    at = end;
    return field;
  }
  const std::int64_t opened = line;
  std::string field;
  for (++at; at < text.size(); ++at) {
    if (text[at] == '"') {
      if (at + 1 >= text.size() || text[at + 1] != '"') break;
      ++at;  // a doubled quote stands for one
    }
    if (text[at] == '\n') ++line;
    field += text[at];
  }
  if (at >= text.size())
    return Error{ErrorCode::BadFormat, fmt::format("line {}: a quoted field is not closed", opened)};
  ++at;
  if (at < text.size() && text.substr(at, 1).find_first_of(",\r\n") != 0)
    return Error{ErrorCode::BadFormat,
                 fmt::format("line {}: '{}' follows a closing quote; a comma was wanted", line, text[at])};
  return field;
}

}  // namespace

Result<std::vector<CsvRow>> parse_csv(std::string_view text) {
  std::vector<CsvRow> rows;
  std::int64_t line = 1;
  std::size_t at = 0;
  while (at < text.size()) {
    CsvRow row;
    row.line = line;
    while (true) {
      TANDEM_TRY(std::string field, read_field(text, at, line));
      row.fields.push_back(std::move(field));
      if (at >= text.size() || text[at] != ',') break;
      ++at;
    }
    if (text.substr(at).starts_with("\r\n")) ++at;
    if (at < text.size()) ++at;
    ++line;
    const bool blank = row.fields.size() == 1 && row.fields.front().empty();
    if (!blank) rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace tandem
