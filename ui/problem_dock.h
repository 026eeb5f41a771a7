// The problems of the open set, to search and choose from, and a field to type one's own.
#pragma once

#include <QDockWidget>
#include <QLineEdit>
#include <QListView>
#include <QSortFilterProxyModel>

#include "ui/models/problem_model.h"

namespace tandem::ui {

class ProblemDock : public QDockWidget {
  Q_OBJECT
 public:
  explicit ProblemDock(Workspace& workspace, QWidget* parent = nullptr);

  void focusFilter();

 private:
  void showSelection();
  void submitTyped();

  Workspace& m_workspace;
  ProblemModel m_problems;
  QSortFilterProxyModel m_filter;
  QLineEdit* m_search;
  QListView* m_list;
  QLineEdit* m_typed;
};

}  // namespace tandem::ui
