#include "core/base/provenance.h"

#include <ctime>
#include <fstream>
#include <string_view>

#include <fmt/format.h>

namespace tandem {
std::string processor_name() {
  std::ifstream cpuinfo("/proc/cpuinfo");
  for (std::string line; std::getline(cpuinfo, line);) {
    if (!line.starts_with("model name")) continue;
    const auto colon = line.find(':');
    const auto start = colon == std::string::npos ? colon : line.find_first_not_of(' ', colon + 1);
    if (start != std::string::npos) return line.substr(start);
  }
  return "unknown processor";
}

const char* tandem_version() {
  return TANDEM_VERSION;
}

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

std::string device_name(int threads) {
  static const std::string processor = processor_name();
  return fmt::format("{}, {} {}", processor, threads, threads == 1 ? "thread" : "threads");
}

}  // namespace tandem
