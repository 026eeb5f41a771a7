#include "app/cli/progress.h"

#include <algorithm>
#include <cstdio>

#include <fmt/format.h>
#include <unistd.h>

#include "app/cli/output.h"

namespace tandem::cli {
namespace {

constexpr std::chrono::milliseconds kRedrawEvery{100};
constexpr std::chrono::seconds kPrintEvery{5};
constexpr std::int64_t kBarWidth = 24;

}  // namespace

Progress::Progress(std::string unit, std::int64_t total)
    : m_unit(std::move(unit)),
      m_total(total),
      m_terminal(isatty(STDERR_FILENO) == 1),
      m_start(Clock::now()),
      m_shown(m_start) {}

Progress::~Progress() {
  clear();
}

void Progress::update(std::int64_t done, const std::string& rate) {
  const std::lock_guard lock(m_mutex);
  m_done = std::max(m_done, done);
  const auto now = Clock::now();
  const bool due = m_terminal ? now - m_shown >= kRedrawEvery : now - m_shown >= kPrintEvery;
  if (!due) return;
  m_shown = now;
  draw(rate);
}

void Progress::clear() {
  const std::lock_guard lock(m_mutex);
  clearLine();
}

void Progress::clearLine() {
  if (m_lineDrawn) fmt::print(stderr, "\r\033[K");
  m_lineDrawn = false;
}

std::string Progress::timeLeft() const {
  if (m_done == 0) return {};
  const double elapsedSeconds = std::chrono::duration<double>(m_shown - m_start).count();
  return durationText(elapsedSeconds / static_cast<double>(m_done) * static_cast<double>(m_total - m_done)) +
         " left";
}

void Progress::draw(const std::string& rate) {
  std::string text = fmt::format("{} of {} {}", m_done, m_total, m_unit);
  for (const std::string& part : {rate, timeLeft()})
    if (!part.empty()) text += ", " + part;
  if (!m_terminal) {
    fmt::print(stderr, "{}\n", text);
    return;
  }
  const std::int64_t filled = m_total > 0 ? kBarWidth * std::min(m_done, m_total) / m_total : 0;
  clearLine();
  fmt::print(stderr, "[{:=<{}}{:{}}] {}", "", filled, "", kBarWidth - filled, text);
  std::fflush(stderr);
  m_lineDrawn = true;
}

}  // namespace tandem::cli
