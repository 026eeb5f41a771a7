// Asks how many problems and completions an evaluation takes.
#pragma once

#include <QDialog>

class QSpinBox;

namespace tandem::ui {

class CoverageEvaluateDialog : public QDialog {
  Q_OBJECT
 public:
  /// @param problems of the set; all are chosen at first.
  CoverageEvaluateDialog(const QString& set, int problems, int completions, QWidget* parent = nullptr);

 signals:
  void chosen(int problems, int completions);

 private:
  QSpinBox* m_problems;
  QSpinBox* m_completions;
};

}  // namespace tandem::ui
