// What the commands print: results to standard output, everything else to standard error.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "core/base/result.h"

namespace tandem::cli {

/// Prints the error's sentence and gives the exit code of a command that failed.
int fail(const Error& error);

void printJson(const nlohmann::json& value);

/// Columns of text, the first aligned left, the others right. Widths count code points.
class Table {
 public:
  explicit Table(std::vector<std::string> heading) { addRow(std::move(heading)); }
  void addRow(std::vector<std::string> cells) { m_rows.push_back(std::move(cells)); }
  void print() const;

 private:
  std::vector<std::vector<std::string>> m_rows;
};

/// "1.5 KiB", "12.3 MiB"
std::string bytesText(std::int64_t bytes);
/// "1.23 M", or with a unit "45.6 GFLOP/s".
std::string scaledText(double value, const std::string& unit = {});
/// "0.123 s", "12.3 s", "4 min 05 s", "2 h 03 min"
std::string durationText(double seconds);

}  // namespace tandem::cli
