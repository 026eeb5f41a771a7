#include "ui/main_window.h"

#include <QStatusBar>

#include "ui/theme.h"
#include "ui/views/coverage_view.h"
#include "ui/views/throughput_view.h"

namespace tandem::ui {

MainWindow::MainWindow(Workspace& workspace, QWidget* parent)
    : QMainWindow(parent),
      m_workspace(workspace),
      m_stack(new QStackedWidget(this)),
      m_rail(new QToolBar(tr("Views"), this)),
      m_viewActions(new QActionGroup(this)) {
  setWindowTitle(tr("Tandem"));
  setWindowIcon(QIcon(QStringLiteral(":/tandem/icons/tandem.svg")));
  setMinimumSize(1024, 640);
  setCentralWidget(m_stack);
  m_rail->setObjectName(QStringLiteral("rail"));
  m_rail->setMovable(false);
  m_rail->setToolButtonStyle(Qt::ToolButtonTextUnderIcon);
  m_rail->setIconSize(QSize(24, 24));
  addToolBar(Qt::LeftToolBarArea, m_rail);
  addViews();
  statusBar();
  connect(&Theme::instance(), &Theme::changed, this, &MainWindow::applyTheme);
  applyTheme();
}

/// The one list of views. Their order is the order of the rail and of Ctrl+1 and so on.
void MainWindow::addViews() {
  addView(new ThroughputView(m_workspace), QStringLiteral("throughput"));
  addView(new CoverageView(m_workspace), QStringLiteral("coverage"));
}

void MainWindow::addView(View* view, const QString& name) {
  view->setObjectName(name);
  m_stack->addWidget(view);
  QAction* action = m_rail->addAction(view->title());
  action->setObjectName(QStringLiteral("show-") + name);
  action->setData(name);
  action->setCheckable(true);
  action->setShortcut(QKeySequence(Qt::CTRL | static_cast<Qt::Key>(Qt::Key_0 + m_stack->count())));
  action->setToolTip(tr("%1 (%2)").arg(view->title(), action->shortcut().toString(QKeySequence::NativeText)));
  m_viewActions->addAction(action);
  connect(action, &QAction::triggered, this, [this, name] { showView(name); });
}

QStringList MainWindow::viewNames() const {
  QStringList names;
  for (const QAction* action : m_viewActions->actions()) names << action->data().toString();
  return names;
}

View* MainWindow::currentView() const {
  return qobject_cast<View*>(m_stack->currentWidget());
}

bool MainWindow::showView(const QString& name) {
  const qsizetype index = viewNames().indexOf(name);
  if (index < 0) return false;
  m_stack->setCurrentIndex(static_cast<int>(index));
  m_viewActions->actions()[index]->setChecked(true);
  return true;
}

void MainWindow::applyTheme() {
  for (QAction* action : m_viewActions->actions()) action->setIcon(Theme::icon(action->data().toString()));
}

}  // namespace tandem::ui
