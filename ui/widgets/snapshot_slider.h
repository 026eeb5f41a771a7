// Scrubs through the snapshots of a training run.
#pragma once

#include <vector>

#include <QWidget>

#include "core/session/session.h"

class QLabel;
class QSlider;
class QToolButton;

namespace tandem::ui {

class SnapshotSlider : public QWidget {
  Q_OBJECT
 public:
  explicit SnapshotSlider(QWidget* parent = nullptr);

  /// The student's, in order. While the last one is chosen, the newest stays chosen as they grow.
  void setSnapshots(std::vector<tandem::SessionSnapshot> snapshots);
  bool isEmpty() const { return m_snapshots.empty(); }
  /// Row id of the chosen one in the session; -1 when there are none.
  std::int64_t snapshot() const;
  /// Chooses by row id, silently; nothing changes when there is no such one.
  void setSnapshot(std::int64_t id);
  /// Chooses the last one that is not after the place. Tells, as a user's choice does.
  void choosePlace(std::int64_t stage, std::int64_t step);
  void stepBy(int count);

 signals:
  void chosen(std::int64_t id, std::int64_t stage, std::int64_t step);

 private:
  void refresh();

  std::vector<tandem::SessionSnapshot> m_snapshots;
  QToolButton *m_back, *m_forward;
  QSlider* m_slider;
  QLabel* m_place;
};

}  // namespace tandem::ui
