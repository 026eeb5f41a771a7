// Asks how many problems and completions an evaluation takes, and whether a verifier scores them.
#pragma once

#include <QDialog>

class QComboBox;
class QSpinBox;

namespace tandem::ui {

class CoverageEvaluateDialog : public QDialog {
  Q_OBJECT
 public:
  /// @param problems of the set; all are chosen at first.
  /// @param device its name, told to the user.
  CoverageEvaluateDialog(const QString& set, int problems, int completions, const QString& device,
                         QWidget* parent = nullptr);

 signals:
  /// `verifier`: a bundled name, or empty.
  void chosen(int problems, int completions, const QString& verifier);

 private:
  QSpinBox* m_problems;
  QSpinBox* m_completions;
  QComboBox* m_verifier;
};

}  // namespace tandem::ui
