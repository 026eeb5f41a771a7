#include "ui/views/coverage_evaluate_dialog.h"

#include <QComboBox>
#include <QDialogButtonBox>
#include <QFormLayout>
#include <QLabel>
#include <QPushButton>
#include <QSpinBox>

#include "core/models/model.h"

namespace tandem::ui {

CoverageEvaluateDialog::CoverageEvaluateDialog(const QString& set, int problems, int completions,
                                               const QString& device, QWidget* parent)
    : QDialog(parent), m_problems(new QSpinBox), m_completions(new QSpinBox), m_verifier(new QComboBox) {
  setObjectName(QStringLiteral("coverageEvaluateDialog"));
  setWindowTitle(tr("Evaluate"));
  m_problems->setObjectName(QStringLiteral("evaluateProblems"));
  m_problems->setRange(1, problems);
  m_problems->setValue(problems);
  m_completions->setObjectName(QStringLiteral("evaluateCompletions"));
  m_completions->setRange(1, 1024);
  m_completions->setValue(completions);
  m_verifier->setObjectName(QStringLiteral("evaluateVerifier"));
  m_verifier->setToolTip(
      tr("Scores every completion, so that votes can be weighted by how likely each is "
         "to be right"));
  m_verifier->addItem(tr("None"), QString());
  for (const std::string& name : tandem::bundled_verifiers()) {
    m_verifier->addItem(QString::fromStdString(name), QString::fromStdString(name));
  }

  auto* explanation = new QLabel(
      tr("Both models solve the same problems, taking turns on %1. Results appear here as problems are "
         "finished and stay in the session.")
          .arg(device));
  explanation->setWordWrap(true);
  auto* buttons = new QDialogButtonBox(QDialogButtonBox::Ok | QDialogButtonBox::Cancel);
  buttons->button(QDialogButtonBox::Ok)->setText(tr("Evaluate"));
  connect(buttons, &QDialogButtonBox::accepted, this, &QDialog::accept);
  connect(buttons, &QDialogButtonBox::rejected, this, &QDialog::reject);
  connect(this, &QDialog::accepted, this, [this] {
    emit chosen(m_problems->value(), m_completions->value(), m_verifier->currentData().toString());
  });

  auto* form = new QFormLayout(this);
  form->addRow(explanation);
  form->addRow(tr("&Problems of “%1”").arg(set), m_problems);
  form->addRow(tr("&Completions of each, per model"), m_completions);
  form->addRow(tr("&Verifier"), m_verifier);
  form->addRow(buttons);
}

}  // namespace tandem::ui
