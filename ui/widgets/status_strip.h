// The status bar's contents: live or recorded, on what, how fast, how much memory.
#pragma once

#include <QLabel>
#include <QProgressBar>
#include <QTimer>
#include <QWidget>

#include "ui/device_menu.h"
#include "ui/side_speed.h"
#include "ui/widgets/elided_label.h"
#include "ui/workspace.h"

namespace tandem::ui {

class StatusStrip : public QWidget {
  Q_OBJECT
 public:
  explicit StatusStrip(Workspace& workspace, QWidget* parent = nullptr);
  /// A sentence in place of any other, for as long as it is not empty.
  void setHint(const QString& hint);

 private:
  void refresh();
  void refreshSentence();
  void refreshSpeeds();

  Workspace& m_workspace;
  QLabel *m_badge, *m_session, *m_speeds[2], *m_memory, *m_seed;
  ElidedLabel* m_sentence;
  QString m_hint, m_loading;
  DeviceButton* m_device;
  QProgressBar* m_progress;
  SideSpeed m_speed[2];
  QTimer m_clock;  // figures change four times a second at most
};

}  // namespace tandem::ui
