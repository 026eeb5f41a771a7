#include "app/cli/output.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace tandem::cli {
namespace {

std::size_t width(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

/// value / base^i with the i-th prefix, three digits.
std::string withPrefix(double value, double base, const std::array<const char*, 5>& prefixes) {
  std::size_t i = 0;
  while (std::abs(value) >= base && i + 1 < prefixes.size()) {
    value /= base;
    ++i;
  }
  const int decimals = value == std::floor(value) && i == 0 ? 0
                       : std::abs(value) < 10               ? 2
                       : std::abs(value) < 100              ? 1
                                                            : 0;
  return fmt::format("{:.{}f} {}", value, decimals, prefixes[i]);
}

}  // namespace

int fail(const Error& error) {
  fmt::print(stderr, "tandem-cli: {}\n", error.message);
  return 1;
}

void printJson(const nlohmann::json& value) {
  fmt::print("{}\n", value.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
}

void Table::print() const {
  std::vector<std::size_t> widths;
  for (const auto& row : m_rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width(row[i]));
  }
  for (const auto& row : m_rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string padding(widths[i] - width(row[i]), ' ');
      line += i == 0 ? row[i] + padding : "  " + padding + row[i];
    }
    line.erase(line.find_last_not_of(' ') + 1);
    fmt::print("{}\n", line);
  }
}

std::string bytesText(std::int64_t bytes) {
  return withPrefix(static_cast<double>(bytes), 1024, {"B", "KiB", "MiB", "GiB", "TiB"});
}

std::string scaledText(double value, const std::string& unit) {
  std::string text = withPrefix(value, 1000, {"", "k", "M", "G", "T"}) + unit;
  if (text.back() == ' ') text.pop_back();
  return text;
}

std::string durationText(double seconds) {
  if (seconds < 10) return fmt::format("{:.{}f} s", seconds, seconds < 1 ? 3 : 2);
  if (seconds < 60) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<std::int64_t>(std::llround(seconds));
  if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole / 60 % 60);
}

}  // namespace tandem::cli
