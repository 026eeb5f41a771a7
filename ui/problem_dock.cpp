#include "ui/problem_dock.h"

#include <QLabel>
#include <QVBoxLayout>

namespace tandem::ui {

ProblemDock::ProblemDock(Workspace& workspace, QWidget* parent)
    : QDockWidget(tr("Problems"), parent),
      m_workspace(workspace),
      m_problems(workspace),
      m_search(new QLineEdit(this)),
      m_list(new QListView(this)),
      m_typed(new QLineEdit(this)) {
  setObjectName(QStringLiteral("problemDock"));
  m_filter.setSourceModel(&m_problems);
  m_filter.setFilterCaseSensitivity(Qt::CaseInsensitive);
  m_search->setObjectName(QStringLiteral("problemFilter"));
  m_search->setPlaceholderText(tr("Search (Ctrl+F)"));
  m_search->setAccessibleName(tr("Search the problems"));
  m_search->setClearButtonEnabled(true);
  m_list->setObjectName(QStringLiteral("problemList"));
  m_list->setAccessibleName(tr("Problems"));
  m_list->setModel(&m_filter);
  m_list->setUniformItemSizes(true);
  m_list->setTextElideMode(Qt::ElideRight);
  m_typed->setObjectName(QStringLiteral("typedProblem"));
  m_typed->setPlaceholderText(tr("Type your own, then Enter"));
  m_typed->setAccessibleName(tr("Your own problem"));
  auto* body = new QWidget(this);
  auto* layout = new QVBoxLayout(body);
  layout->setContentsMargins(8, 8, 8, 8);
  layout->addWidget(m_search);
  layout->addWidget(m_list, 1);
  layout->addWidget(m_typed);
  setWidget(body);

  connect(m_search, &QLineEdit::textChanged, &m_filter, &QSortFilterProxyModel::setFilterFixedString);
  connect(m_list->selectionModel(), &QItemSelectionModel::currentChanged, this,
          [this](const QModelIndex& current) {
            if (current.isValid()) m_workspace.selection().setProblem(m_filter.mapToSource(current).row());
          });
  connect(m_typed, &QLineEdit::returnPressed, this, &ProblemDock::submitTyped);
  connect(&m_workspace.selection(), &SelectionModel::changed, this, [this](SelectionModel::Fields fields) {
    if (fields.testFlag(SelectionModel::ProblemIndex)) showSelection();
  });
  connect(&m_problems, &ProblemModel::modelReset, this, &ProblemDock::showSelection);
  showSelection();
}

void ProblemDock::focusFilter() {
  show();
  m_search->setFocus(Qt::ShortcutFocusReason);
  m_search->selectAll();
}

void ProblemDock::showSelection() {
  const QModelIndex row = m_filter.mapFromSource(m_problems.index(m_workspace.selection().problem()));
  if (!row.isValid()) return;
  m_list->setCurrentIndex(row);
  m_list->scrollTo(row);
}

void ProblemDock::submitTyped() {
  m_search->clear();  // the new problem is the last of all
  m_workspace.addProblem(m_typed->text());
  m_typed->clear();
}

}  // namespace tandem::ui
