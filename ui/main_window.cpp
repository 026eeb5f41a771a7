// The window's frame and its views. Its menus are in main_window_menus.cpp.
#include "ui/main_window.h"

#include <QDir>
#include <QDragEnterEvent>
#include <QFileInfo>
#include <QLabel>
#include <QStatusBar>
#include <QVBoxLayout>

#include "ui/file_kind.h"
#include "ui/model_manager.h"
#include "ui/theme.h"
#include "ui/views/coverage_view.h"
#include "ui/views/distil_view.h"
#include "ui/views/matrices_view.h"
#include "ui/views/race_view.h"
#include "ui/views/throughput_view.h"

namespace tandem::ui {
namespace {

constexpr int kStateVersion = 1;

}  // namespace

MainWindow::MainWindow(Workspace& workspace, QWidget* parent)
    : QMainWindow(parent),
      m_workspace(workspace),
      m_stack(new QStackedWidget(this)),
      m_rail(new QToolBar(tr("Views"), this)),
      m_bar(new QToolBar(tr("Models and run"), this)),
      m_viewActions(new QActionGroup(this)),
      m_themeActions(new QActionGroup(this)),
      m_message(new MessageBar(this)),
      m_problems(new ProblemDock(workspace, this)) {
  setWindowIcon(QIcon(QStringLiteral(":/tandem/icons/tandem.svg")));
  setMinimumSize(1024, 640);
  setAcceptDrops(true);
  auto* middle = new QWidget(this);
  auto* layout = new QVBoxLayout(middle);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->setSpacing(0);
  layout->addWidget(m_message);
  layout->addWidget(m_stack, 1);
  setCentralWidget(middle);
  m_rail->setObjectName(QStringLiteral("rail"));
  m_rail->setMovable(false);
  m_rail->setToolButtonStyle(Qt::ToolButtonTextUnderIcon);
  m_rail->setIconSize(QSize(24, 24));
  addViews();
  buildMenus();
  buildToolBar();
  addToolBar(Qt::TopToolBarArea, m_bar);
  addToolBar(Qt::LeftToolBarArea, m_rail);
  addDockWidget(Qt::LeftDockWidgetArea, m_problems);
  m_problems->hide();
  m_status = new StatusStrip(workspace, this);  // after the views: the focus starts in them
  statusBar()->addPermanentWidget(m_status, 1);
  connectWorkspace();
  connect(&Theme::instance(), &Theme::changed, this, &MainWindow::applyTheme);
  applyTheme();
  refreshModels();
  refreshState();
  showView(viewNames().constFirst());
}

/// The one list of views. Their order is the order of the rail and of Ctrl+1 and so on.
void MainWindow::addViews() {
  addView(new RaceView(m_workspace, this), QStringLiteral("race"));
  auto* matrices = new MatricesView(m_workspace, this);
  addView(matrices, QStringLiteral("matrices"));
  addView(new ThroughputView(m_workspace, this), QStringLiteral("throughput"));
  addView(new CoverageView(m_workspace, this), QStringLiteral("coverage"));
  auto* distil = new DistilView(m_workspace, this);
  addView(distil, QStringLiteral("distil"));
  connect(distil, &DistilView::matricesWanted, this,
          [this, matrices](const std::shared_ptr<tandem::Session>& session, std::int64_t training,
                           std::int64_t snapshot) {
            matrices->showTraining(session, training, snapshot);
            showView(QStringLiteral("matrices"));
          });
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

void MainWindow::buildToolBar() {
  m_bar->setObjectName(QStringLiteral("bar"));
  m_bar->setMovable(false);
  m_bar->setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
  for (Side side : {Side::Teacher, Side::Student}) {
    auto* label = new QLabel(this);
    label->setObjectName(side == Side::Teacher ? QStringLiteral("teacherLabel")
                                               : QStringLiteral("studentLabel"));
    label->setText(QStringLiteral("%1 %2").arg(sideGlyph(side), sideName(side)));
    label->setContentsMargins(12, 0, 4, 0);
    label->setForegroundRole(QPalette::WindowText);
    auto* models = new QComboBox(this);
    models->setObjectName(side == Side::Teacher ? QStringLiteral("teacherModel")
                                                : QStringLiteral("studentModel"));
    models->setAccessibleName(tr("%1 model").arg(sideName(side)));
    models->setMinimumContentsLength(16);
    connect(models, &QComboBox::activated, this, [this, side](int item) { chooseModel(side, item); });
    m_models[static_cast<int>(side)] = models;
    m_bar->addWidget(label);
    m_bar->addWidget(models);
  }
  auto* gap = new QWidget(this);
  gap->setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Preferred);
  m_bar->addWidget(gap);
  m_bar->addActions({m_run, m_runAll, m_stop});
}

void MainWindow::connectWorkspace() {
  connect(&m_workspace, &Workspace::stateChanged, this, &MainWindow::refreshState);
  connect(&m_workspace, &Workspace::sessionChanged, this, &MainWindow::refreshState);
  connect(&m_workspace, &Workspace::modelsChanged, this, &MainWindow::refreshModels);
  connect(&m_workspace, &Workspace::failed, this,
          [this](const QString& sentence) { m_message->tell(MessageBar::Kind::Problem, sentence); });
  connect(&m_workspace, &Workspace::notified, this,
          [this](const QString& sentence) { m_message->tell(MessageBar::Kind::Information, sentence); });
  connect(&m_workspace, &Workspace::tokenizerWanted, this, &MainWindow::offerTokenizer);
  connect(&m_workspace.recentModels(), &RecentModels::changed, this, &MainWindow::refreshModels);
  connect(&m_workspace, &Workspace::interrupted, this, &MainWindow::offerInterrupted);
  connect(&m_workspace, &Workspace::trainingToResume, this, [this] { showView(QStringLiteral("distil")); });
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

void MainWindow::openPath(const QString& path) {
  switch (fileKind(path)) {
    case FileKind::Session:
      return m_workspace.openSession(path);
    case FileKind::Model:
      return m_workspace.openModel(path);
    case FileKind::Problems:
      return m_workspace.openProblems(path);
    case FileKind::Unknown:
      break;
  }
  m_message->tell(
      MessageBar::Kind::Problem,
      tr("%1 is no session (.tandem), model (a folder with config.json, .safetensors or .gguf) or problem "
         "file (.jsonl, .csv)")
          .arg(path));
}

QString MainWindow::exportPlots(const QString& folder) {
  for (int i = 0; i < m_stack->count(); ++i) {
    const auto* view = qobject_cast<View*>(m_stack->widget(i));
    for (Plot* plot : view->plots()) {
      for (const char* suffix : {"png", "svg", "pdf", "csv"}) {
        const QString name =
            QStringLiteral("%1-%2.%3").arg(view->objectName(), plot->objectName(), QLatin1String(suffix));
        const QString error = plot->exportTo(QDir(folder).filePath(name));
        if (!error.isEmpty()) return error;
      }
    }
  }
  return {};
}

void MainWindow::restorePreferences(QSettings& settings) {
  const int mode = settings.value(QStringLiteral("window/theme")).toInt();
  if (mode > 0 && mode < m_themeActions->actions().size()) m_themeActions->actions()[mode]->trigger();
  restoreGeometry(settings.value(QStringLiteral("window/geometry")).toByteArray());
  restoreState(settings.value(QStringLiteral("window/state")).toByteArray(), kStateVersion);
  showView(settings.value(QStringLiteral("window/view")).toString());
}

void MainWindow::savePreferences(QSettings& settings) const {
  settings.setValue(QStringLiteral("window/theme"), static_cast<int>(Theme::instance().mode()));
  settings.setValue(QStringLiteral("window/geometry"), saveGeometry());
  settings.setValue(QStringLiteral("window/state"), saveState(kStateVersion));
  settings.setValue(QStringLiteral("window/view"), currentView()->objectName());
}

void MainWindow::dragEnterEvent(QDragEnterEvent* event) {
  const QString path = draggedPath(event->mimeData());
  const QString name = QFileInfo(path).fileName();
  switch (fileKind(path)) {
    case FileKind::Session:
      m_status->setHint(tr("Drop to open the session %1").arg(name));
      break;
    case FileKind::Model:
      m_status->setHint(tr("Drop to load the model %1").arg(name));
      break;
    case FileKind::Problems:
      m_status->setHint(tr("Drop to open the problems of %1").arg(name));
      break;
    case FileKind::Unknown:
      return;
  }
  event->acceptProposedAction();
}

void MainWindow::dragLeaveEvent(QDragLeaveEvent* /*event*/) {
  m_status->setHint({});
}

void MainWindow::dropEvent(QDropEvent* event) {
  m_status->setHint({});
  openPath(draggedPath(event->mimeData()));
  event->acceptProposedAction();
}

void MainWindow::applyTheme() {
  const Colors& c = Theme::instance().colors();
  for (QAction* action : m_viewActions->actions()) action->setIcon(Theme::icon(action->data().toString()));
  m_run->setIcon(Theme::icon(QStringLiteral("run"), c.correct));
  m_stop->setIcon(Theme::icon(QStringLiteral("stop"), c.wrong));
  m_rail->setStyleSheet(
      QStringLiteral("QToolBar { background: %1; border: none; padding: 4px; spacing: 4px; }"
                     "QToolButton { padding: 6px 4px; border: none; border-radius: 6px; }"
                     "QToolButton:hover { background: %2; }"
                     "QToolButton:checked { background: %3; color: %4; }"
                     "QToolButton:focus { border: 2px solid %4; }")
          .arg(c.surface.name(), c.grid.name(), c.teacherWash.name(), c.focus.name()));
  for (Side side : {Side::Teacher, Side::Student}) {
    auto* label = m_bar->findChild<QLabel*>(side == Side::Teacher ? QStringLiteral("teacherLabel")
                                                                  : QStringLiteral("studentLabel"));
    QPalette palette = label->palette();
    palette.setColor(QPalette::WindowText, c.side(side));
    label->setPalette(palette);
  }
}

void MainWindow::refreshState() {
  const Workspace::State state = m_workspace.state();
  const bool running = state == Workspace::State::Running;
  const bool models = m_workspace.model(Side::Teacher) && m_workspace.model(Side::Student);
  m_run->setEnabled(!running && models);
  m_runAll->setEnabled(!running && models);
  m_stop->setEnabled(running || m_workspace.state() == Workspace::State::Loading);
  m_closeSession->setEnabled(!running && m_workspace.session() != nullptr);
  for (QComboBox* box : m_models) box->setEnabled(!running);
  const QString session = m_workspace.sessionName();
  setWindowTitle(session.isEmpty() ? tr("Tandem") : tr("%1 – Tandem").arg(session));
}

/// The boxes show what is loaded or recorded, and offer the other models at hand.
void MainWindow::refreshModels() {
  const ModelList list(m_workspace);
  for (Side side : {Side::Teacher, Side::Student}) {
    QComboBox* box = m_models[static_cast<int>(side)];
    const QString name = m_workspace.modelName(side);
    box->clear();
    for (int row = 0; row < list.rowCount(); ++row) {
      const QModelIndex model = list.index(row, ModelList::NameColumn);
      if (!model.data(ModelList::MissingRole).toBool())
        box->addItem(model.data().toString(), model.data(ModelList::ChoiceRole));
    }
    if (!name.isEmpty() && box->findText(name) < 0) box->insertItem(0, name, name);
    box->insertSeparator(box->count());
    box->addItem(tr("Models…"));
    box->setCurrentIndex(name.isEmpty() ? -1 : box->findText(name));
  }
  refreshState();
}

void MainWindow::chooseModel(Side side, int item) {
  const QString choice = m_models[static_cast<int>(side)]->itemData(item).toString();
  refreshModels();  // until it is loaded, the box shows what is
  if (choice.isEmpty()) return showModels();
  m_workspace.openModel(choice, side);
}

void MainWindow::offerInterrupted(const QString& path) {
  m_message->tell(MessageBar::Kind::Information,
                  tr("The run recorded in %1 was interrupted. What it had finished is kept.")
                      .arg(QFileInfo(path).completeBaseName()),
                  {{tr("Go on"), [this, path] { m_workspace.resumeSession(path); }},
                   {tr("Look at it"), [this, path] { m_workspace.openSession(path); }}});
}

}  // namespace tandem::ui
