// Comma-separated values as RFC 4180 has them: quoted fields may hold commas, line ends and doubled quotes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace tandem {

struct CsvRow {
  std::int64_t line = 0;  // where it begins, from 1
  std::vector<std::string> fields;
};

/// All rows, blank lines left out. Errors: BadFormat (a quote that is not closed, or text after a closing
/// quote); the message begins with the line.
Result<std::vector<CsvRow>> parse_csv(std::string_view text);

}  // namespace tandem
