// Progress of a long command on standard error: one redrawn line with a bar on a terminal, a plain line every
// few seconds otherwise.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>

namespace tandem::cli {

/// Thread-safe.
class Progress {
 public:
  /// `unit`: what is counted, in the plural ("problems").
  Progress(std::string unit, std::int64_t total);
  /// Removes the redrawn line.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// `rate`: what to show beside the count ("1850 tokens/s"); may be empty.
  void update(std::int64_t done, const std::string& rate);
  /// Removes the redrawn line, so that something else can be printed; the next update() draws it again.
  void clear();

 private:
  using Clock = std::chrono::steady_clock;
  std::string timeLeft() const;
  void draw(const std::string& rate);
  void clearLine();

  const std::string m_unit;
  const std::int64_t m_total;
  const bool m_terminal;
  const Clock::time_point m_start;
  std::mutex m_mutex;
  std::int64_t m_done = 0;
  Clock::time_point m_shown;
  bool m_lineDrawn = false;
};

}  // namespace tandem::cli
