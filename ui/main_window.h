// The window: a rail of views at the left, one view at a time in the middle, a status bar that says what is
// shown (live or recorded) and on what.
#pragma once

#include <QActionGroup>
#include <QLabel>
#include <QMainWindow>
#include <QStackedWidget>
#include <QToolBar>

#include "ui/views/view.h"
#include "ui/workspace.h"

namespace tandem::ui {

class MainWindow : public QMainWindow {
  Q_OBJECT
 public:
  explicit MainWindow(Workspace& workspace, QWidget* parent = nullptr);

  /// Names of the views in the order of the rail: "race", "matrices", "throughput", "coverage".
  QStringList viewNames() const;
  View* currentView() const;
  /// False when there is no such view.
  bool showView(const QString& name);

 private:
  void addViews();
  void addView(View* view, const QString& name);
  void applyTheme();

  Workspace& m_workspace;
  QStackedWidget* m_stack;
  QToolBar* m_rail;
  QActionGroup* m_viewActions;
};

}  // namespace tandem::ui
