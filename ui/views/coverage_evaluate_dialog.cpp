#include "ui/views/coverage_evaluate_dialog.h"

#include <QDialogButtonBox>
#include <QFormLayout>
#include <QLabel>
#include <QPushButton>
#include <QSpinBox>

namespace tandem::ui {

CoverageEvaluateDialog::CoverageEvaluateDialog(const QString& set, int problems, int completions,
                                               QWidget* parent)
    : QDialog(parent), m_problems(new QSpinBox), m_completions(new QSpinBox) {
  setObjectName(QStringLiteral("coverageEvaluateDialog"));
  setWindowTitle(tr("Evaluate"));
  m_problems->setObjectName(QStringLiteral("evaluateProblems"));
  m_problems->setRange(1, problems);
  m_problems->setValue(problems);
  m_completions->setObjectName(QStringLiteral("evaluateCompletions"));
  m_completions->setRange(1, 1024);
  m_completions->setValue(completions);

  auto* explanation = new QLabel(tr(
      "Both models solve the same problems, taking turns on this device. Results appear here as problems are "
      "finished and stay in the session."));
  explanation->setWordWrap(true);
  auto* buttons = new QDialogButtonBox(QDialogButtonBox::Ok | QDialogButtonBox::Cancel);
  buttons->button(QDialogButtonBox::Ok)->setText(tr("Evaluate"));
  connect(buttons, &QDialogButtonBox::accepted, this, &QDialog::accept);
  connect(buttons, &QDialogButtonBox::rejected, this, &QDialog::reject);
  connect(this, &QDialog::accepted, this,
          [this] { emit chosen(m_problems->value(), m_completions->value()); });

  auto* form = new QFormLayout(this);
  form->addRow(explanation);
  form->addRow(tr("&Problems of “%1”").arg(set), m_problems);
  form->addRow(tr("&Completions of each, per model"), m_completions);
  form->addRow(buttons);
}

}  // namespace tandem::ui
