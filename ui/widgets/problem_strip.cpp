#include "ui/widgets/problem_strip.h"

#include <algorithm>

#include <QHBoxLayout>
#include <QVBoxLayout>

#include "ui/prompt_menu.h"

namespace tandem::ui {

void stepProblem(Workspace& workspace, int step) {
  const auto last = static_cast<int>(workspace.problems().problems.size()) - 1;
  if (last < 0) return;
  workspace.selection().setProblem(std::clamp(workspace.selection().problem() + step, 0, last));
}

ProblemStrip::ProblemStrip(Workspace& workspace, QWidget* parent)
    : QWidget(parent),
      m_workspace(workspace),
      m_previous(new QToolButton(this)),
      m_next(new QToolButton(this)),
      m_place(new QLabel(this)),
      m_question(new QLabel(this)),
      m_answer(new QLabel(this)) {
  m_previous->setArrowType(Qt::LeftArrow);
  m_next->setArrowType(Qt::RightArrow);
  m_previous->setToolTip(tr("Previous problem (Alt+Left)"));
  m_next->setToolTip(tr("Next problem (Alt+Right)"));
  m_previous->setAccessibleName(tr("Previous problem"));
  m_next->setAccessibleName(tr("Next problem"));
  for (QToolButton* button : {m_previous, m_next}) button->setAutoRaise(true);
  m_place->setFont(Theme::monospace(10));
  m_question->setObjectName(QStringLiteral("question"));
  m_question->setWordWrap(true);
  m_question->setTextFormat(Qt::PlainText);
  m_question->setTextInteractionFlags(Qt::TextSelectableByMouse);
  m_question->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
  m_answer->setFont(Theme::body(10, QFont::DemiBold));
  auto* layout = new QHBoxLayout(this);
  layout->setContentsMargins(8, 4, 8, 4);
  layout->setSpacing(8);
  layout->addWidget(m_previous);
  layout->addWidget(m_place);
  layout->addWidget(m_next);
  layout->addWidget(m_question, 1);
  auto* right = new QVBoxLayout;
  right->setSpacing(2);
  right->addWidget(m_answer, 0, Qt::AlignRight);
  right->addWidget(new PromptButton(m_workspace, this), 0, Qt::AlignRight);
  layout->addLayout(right);
  connect(m_previous, &QToolButton::clicked, this, [this] { stepProblem(m_workspace, -1); });
  connect(m_next, &QToolButton::clicked, this, [this] { stepProblem(m_workspace, 1); });
  connect(&m_workspace, &Workspace::problemsChanged, this, &ProblemStrip::refresh);
  connect(&m_workspace.selection(), &SelectionModel::changed, this, [this](SelectionModel::Fields fields) {
    if (fields.testFlag(SelectionModel::ProblemIndex)) refresh();
  });
  refresh();
}

void ProblemStrip::refresh() {
  const auto& problems = m_workspace.problems().problems;
  const auto count = static_cast<int>(problems.size());
  const int at = m_workspace.selection().problem();
  const bool valid = at >= 0 && at < count;
  m_previous->setEnabled(valid && at > 0);
  m_next->setEnabled(valid && at + 1 < count);
  m_place->setText(valid ? QStringLiteral("%1/%2").arg(at + 1).arg(count) : QString());
  if (!valid) {
    m_question->setText(tr("No problem set is open"));
    m_answer->clear();
    return;
  }
  const tandem::Problem& problem = problems[static_cast<std::size_t>(at)];
  m_question->setText(QString::fromStdString(problem.question));
  const QString answer = QString::fromStdString(problem.answer);
  m_answer->setText(answer.isEmpty() ? tr("No known answer") : tr("Answer %1").arg(answer));
}

}  // namespace tandem::ui
