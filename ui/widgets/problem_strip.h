// The chosen problem above a view: its text, its known answer, and the way to the ones beside it.
#pragma once

#include <QLabel>
#include <QToolButton>
#include <QWidget>

#include "ui/workspace.h"

namespace tandem::ui {

class ProblemStrip : public QWidget {
  Q_OBJECT
 public:
  explicit ProblemStrip(Workspace& workspace, QWidget* parent = nullptr);

 private:
  void refresh();

  Workspace& m_workspace;
  QToolButton *m_previous, *m_next;
  QLabel *m_place, *m_question, *m_answer;
};

/// Moves the selection `step` problems on, staying inside the set.
void stepProblem(Workspace& workspace, int step);

}  // namespace tandem::ui
