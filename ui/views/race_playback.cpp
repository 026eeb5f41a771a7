#include "ui/views/race_playback.h"

#include <algorithm>

namespace tandem::ui {
namespace {

constexpr int kClockMs = 33;
constexpr double kShowingS = 8;  // of a race that took less

}  // namespace

RacePlayback::RacePlayback(QObject* parent) : QObject(parent) {
  m_clock.setInterval(kClockMs);
  connect(&m_clock, &QTimer::timeout, this, &RacePlayback::tick);
}

double RacePlayback::rate() const {
  return std::min(1.0, m_duration / kShowingS);
}

void RacePlayback::setDuration(double seconds) {
  if (seconds == m_duration) return;
  m_duration = seconds;
  finish();
}

void RacePlayback::toggle() {
  if (m_duration <= 0) return;
  if (playing()) {
    m_clock.stop();
  } else {
    m_moment = std::max(m_moment, 0.0);
    m_sinceTick.start();
    m_clock.start();
  }
  emit moved();
}

void RacePlayback::seek(double seconds) {
  if (m_duration <= 0) return;
  m_clock.stop();
  m_moment = std::clamp(seconds, 0.0, m_duration);
  emit moved();
}

void RacePlayback::finish() {
  m_clock.stop();
  if (m_moment < 0) return;
  m_moment = -1;
  emit moved();
}

void RacePlayback::tick() {
  m_moment += rate() * static_cast<double>(m_sinceTick.restart()) / 1e3;
  if (m_moment >= m_duration) return finish();
  emit moved();
}

}  // namespace tandem::ui
