// The clock of a finished race shown again: a moment that moves from the start to the end of what was
// recorded, slowed down so that the eye can follow.
#pragma once

#include <QElapsedTimer>
#include <QObject>
#include <QTimer>

namespace tandem::ui {

class RacePlayback : public QObject {
  Q_OBJECT
 public:
  explicit RacePlayback(QObject* parent = nullptr);

  /// Seconds that the race took, the slower side's; ends a showing under way. 0: there is nothing to show.
  void setDuration(double seconds);
  double duration() const { return m_duration; }
  /// The moment shown, in recorded seconds; below 0 when the race is shown as it ended.
  double moment() const { return m_moment; }
  bool playing() const { return m_clock.isActive(); }
  /// Recorded seconds that pass in a second of the showing; at most 1.
  double rate() const;

  void toggle();  // plays, from the start when none is under way; pauses
  void seek(double seconds);
  void finish();

 signals:
  void moved();  // moment() or playing() changed

 private:
  void tick();

  double m_duration = 0;
  double m_moment = -1;
  QTimer m_clock;
  QElapsedTimer m_sinceTick;
};

}  // namespace tandem::ui
