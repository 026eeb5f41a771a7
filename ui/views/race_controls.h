// The settings of a run, as a row of controls over the workspace's RunSettings.
#pragma once

#include <QComboBox>
#include <QDoubleSpinBox>
#include <QSpinBox>
#include <QWidget>

#include "ui/workspace.h"

namespace tandem::ui {

class RaceControls : public QWidget {
  Q_OBJECT
 public:
  explicit RaceControls(Workspace& workspace, QWidget* parent = nullptr);

 private:
  void fromSettings();
  void toSettings();
  QWidget* labelled(const QString& text, QWidget* control, const QString& name, const QString& tip);

  Workspace& m_workspace;
  QSpinBox* m_completions;
  QDoubleSpinBox* m_budget;
  QDoubleSpinBox* m_temperature;
  QSpinBox* m_seed;
  QComboBox* m_mode;
};

}  // namespace tandem::ui
