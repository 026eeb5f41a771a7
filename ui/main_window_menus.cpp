// The window's menus and their dialogs.
#include <numeric>

#include <QApplication>
#include <QClipboard>
#include <QDialog>
#include <QFileDialog>
#include <QFileInfo>
#include <QFormLayout>
#include <QLabel>
#include <QMenuBar>
#include <QMessageBox>

#include "core/base/provenance.h"
#include "core/problems/problems.h"
#include "ui/device_menu.h"
#include "ui/main_window.h"
#include "ui/model_manager.h"
#include "ui/prompt_menu.h"
#include "ui/session_files.h"
#include "ui/theme.h"
#include "ui/widgets/problem_strip.h"

namespace tandem::ui {

QAction* MainWindow::command(QMenu* menu, const QString& name, const QString& text,
                             const QKeySequence& shortcut, std::function<void()> run) {
  QAction* action = menu->addAction(text);
  action->setObjectName(name);
  action->setShortcut(shortcut);
  QString tip = QString(text).remove(QLatin1Char('&')).remove(QStringLiteral("…"));
  if (!shortcut.isEmpty()) tip += QStringLiteral(" (%1)").arg(shortcut.toString(QKeySequence::NativeText));
  action->setToolTip(tip);
  connect(action, &QAction::triggered, this, std::move(run));
  return action;
}

void MainWindow::buildMenus() {
  buildFileMenu();
  buildRunMenu();
  buildViewMenu();
  buildHelpMenu();
}

void MainWindow::buildFileMenu() {
  QMenu* menu = menuBar()->addMenu(tr("&File"));
  command(menu, QStringLiteral("openSession"), tr("&Open session…"), QKeySequence::Open, [this] {
    const QString path =
        QFileDialog::getOpenFileName(this, tr("Open session"), QString(), tr("Sessions (*.tandem)"));
    if (!path.isEmpty()) m_workspace.openSession(path);
  });
  QMenu* recorded = menu->addMenu(tr("Sessions &recorded here"));
  connect(recorded, &QMenu::aboutToShow, this, [this, recorded] {
    constexpr int kShown = 10;
    recorded->clear();
    for (const QString& path : recordedSessions(kShown)) {
      recorded->addAction(QFileInfo(path).completeBaseName(), this,
                          [this, path] { m_workspace.openSession(path); });
    }
    if (recorded->isEmpty()) recorded->addAction(tr("None yet: press Run"))->setEnabled(false);
  });
  m_closeSession = command(menu, QStringLiteral("closeSession"), tr("&Close session"), QKeySequence::Close,
                           [this] { m_workspace.closeSession(); });
  command(menu, QStringLiteral("saveSession"), tr("&Save session as…"), QKeySequence::SaveAs, [this] {
    const QString path = QFileDialog::getSaveFileName(
        this, tr("Save session as"), QStringLiteral("session.tandem"), tr("Sessions (*.tandem)"));
    if (!path.isEmpty()) m_workspace.saveSessionAs(path);
  });
  menu->addSeparator();
  command(menu, QStringLiteral("openTeacher"), tr("Open &teacher model…"), {},
          [this] { openModelFile(Side::Teacher); });
  command(menu, QStringLiteral("openStudent"), tr("Open st&udent model…"), {},
          [this] { openModelFile(Side::Student); });
  command(menu, QStringLiteral("models"), tr("&Models…"), QKeySequence(Qt::CTRL | Qt::Key_I),
          [this] { showModels(); });
  command(menu, QStringLiteral("openProblems"), tr("Open &problem set…"), {}, [this] {
    const QString path =
        QFileDialog::getOpenFileName(this, tr("Open problem set"), QString(), tr("Problems (*.jsonl *.csv)"));
    if (!path.isEmpty()) m_workspace.openProblems(path);
  });
  QMenu* bundled = menu->addMenu(tr("&Bundled problems"));
  for (const std::string& set : bundled_problem_sets()) {
    const QString name = QString::fromStdString(set);
    command(bundled, QStringLiteral("bundledProblems-") + name, name, {},
            [this, name] { m_workspace.openProblems(name); });
  }
  menu->addSeparator();
  command(menu, QStringLiteral("exportView"), tr("&Export view…"), QKeySequence(Qt::CTRL | Qt::Key_E),
          [this] { exportView(); });
  command(menu, QStringLiteral("exportPlots"), tr("Export &all plots…"), {}, [this] { exportAllPlots(); });
  command(menu, QStringLiteral("copyView"), tr("Copy &view as image"),
          QKeySequence(Qt::CTRL | Qt::SHIFT | Qt::Key_C),
          [this] { QApplication::clipboard()->setPixmap(currentView()->grab()); });
  menu->addSeparator();
  command(menu, QStringLiteral("quit"), tr("&Quit"), QKeySequence::Quit, [this] { close(); });
}

void MainWindow::buildRunMenu() {
  QMenu* menu = menuBar()->addMenu(tr("&Run"));
  m_run = command(menu, QStringLiteral("run"), tr("&Run"), QKeySequence(Qt::CTRL | Qt::Key_R),
                  [this] { m_workspace.startRun({m_workspace.selection().problem()}); });
  m_run->setToolTip(tr("Both models solve the chosen problem (Ctrl+R)"));
  m_runAll = command(menu, QStringLiteral("runAll"), tr("Run &all problems"),
                     QKeySequence(Qt::CTRL | Qt::SHIFT | Qt::Key_R), [this] {
                       std::vector<std::int64_t> all(m_workspace.problems().problems.size());
                       std::iota(all.begin(), all.end(), 0);
                       m_workspace.startRun(all);
                     });
  m_runAll->setToolTip(tr("Both models solve every problem of the set, one after another (Ctrl+Shift+R)"));
  m_stop = command(menu, QStringLiteral("stop"), tr("&Stop"), QKeySequence(Qt::CTRL | Qt::Key_Period),
                   [this] { m_workspace.stop(); });
  m_stop->setToolTip(tr("Ends the run and keeps what it produced, or gives up loading (Ctrl+.)"));
  menu->addMenu(new PromptMenu(m_workspace, this));
  menu->addMenu(new DeviceMenu(m_workspace, this));
  menu->addSeparator();
  command(menu, QStringLiteral("previousProblem"), tr("&Previous problem"),
          QKeySequence(Qt::ALT | Qt::Key_Left), [this] { stepProblem(m_workspace, -1); });
  command(menu, QStringLiteral("nextProblem"), tr("&Next problem"), QKeySequence(Qt::ALT | Qt::Key_Right),
          [this] { stepProblem(m_workspace, 1); });
  command(menu, QStringLiteral("findProblem"), tr("&Find problem"), QKeySequence::Find,
          [this] { m_problems->focusFilter(); });
}

void MainWindow::buildViewMenu() {
  QMenu* menu = menuBar()->addMenu(tr("&View"));
  menu->addActions(m_viewActions->actions());
  menu->addSeparator();
  QAction* dock = m_problems->toggleViewAction();
  dock->setShortcut(QKeySequence(Qt::CTRL | Qt::Key_J));
  menu->addAction(dock);
  QMenu* themes = menu->addMenu(tr("&Theme"));
  const QStringList names{tr("&As the desktop"), tr("&Light"), tr("&Dark")};  // in the order of ThemeMode
  for (int mode = 0; mode < names.size(); ++mode) {
    QAction* action = themes->addAction(names[mode]);
    action->setCheckable(true);
    action->setChecked(mode == static_cast<int>(Theme::instance().mode()));
    m_themeActions->addAction(action);
    connect(action, &QAction::triggered, this,
            [mode] { Theme::instance().setMode(static_cast<ThemeMode>(mode)); });
  }
  command(menu, QStringLiteral("switchTheme"), tr("&Switch light and dark"),
          QKeySequence(Qt::CTRL | Qt::Key_T), [this] {
            const auto mode = Theme::instance().colors().dark ? ThemeMode::Light : ThemeMode::Dark;
            m_themeActions->actions()[static_cast<int>(mode)]->trigger();
          });
  command(menu, QStringLiteral("fullScreen"), tr("&Full screen"), QKeySequence(Qt::Key_F11),
          [this] { setWindowState(windowState() ^ Qt::WindowFullScreen); });
}

void MainWindow::buildHelpMenu() {
  QMenu* menu = menuBar()->addMenu(tr("&Help"));
  command(menu, QStringLiteral("shortcuts"), tr("&Keyboard shortcuts"),
          QKeySequence(Qt::CTRL | Qt::Key_Slash), [this] { showShortcuts(); });
  command(menu, QStringLiteral("about"), tr("&About Tandem"), {}, [this] { showAbout(); });
}

void MainWindow::openModelFile(Side side) {
  const QString path = QFileDialog::getOpenFileName(
      this,
      tr("Open a %1 model: a .gguf file, or config.json or .safetensors in its folder").arg(sideName(side)),
      QString(), tr("Models (*.gguf *.safetensors config.json)"));
  if (path.isEmpty()) return;
  m_workspace.openModels(side == Side::Teacher ? path : QString(), side == Side::Student ? path : QString());
}

void MainWindow::showModels() {
  if (m_manager == nullptr) m_manager = new ModelManager(m_workspace, this);
  if (!m_manager->isVisible()) m_manager->compareLoaded();
  m_manager->show();
  m_manager->raise();
  m_manager->activateWindow();
}

void MainWindow::offerTokenizer(const QString& path, Side side, const QString& sentence) {
  m_message->tell(MessageBar::Kind::Problem, sentence, {{tr("Choose a tokenizer…"), [this, path, side] {
                                                           const QString file = QFileDialog::getOpenFileName(
                                                               this, tr("Choose a tokenizer"), QString(),
                                                               tr("Tokenizers (tokenizer.json)"));
                                                           if (!file.isEmpty())
                                                             m_workspace.openModel(path, side, file);
                                                         }}});
}

void MainWindow::exportView() {
  const QString path =
      QFileDialog::getSaveFileName(this, tr("Export view as it looks now"),
                                   currentView()->objectName() + QStringLiteral(".png"), tr("PNG (*.png)"));
  if (path.isEmpty()) return;
  QImage image = currentView()->grab().toImage();
  image.setText(QStringLiteral("Description"), Plot::provenance());
  if (!image.save(path, "PNG")) {
    m_message->tell(MessageBar::Kind::Problem, tr("%1 could not be written").arg(path));
  }
}

void MainWindow::exportAllPlots() {
  const QString folder = QFileDialog::getExistingDirectory(this, tr("Export all plots to a folder"));
  if (folder.isEmpty()) return;
  const QString error = exportPlots(folder);
  m_message->tell(error.isEmpty() ? MessageBar::Kind::Information : MessageBar::Kind::Problem,
                  error.isEmpty() ? tr("Every plot is in %1 as PNG, SVG, PDF and CSV").arg(folder) : error);
}

/// Every action with a shortcut, the window's and the view's: the sheet cannot fall behind.
void MainWindow::showShortcuts() {
  QDialog sheet(this);
  sheet.setWindowTitle(tr("Keyboard shortcuts"));
  auto* layout = new QFormLayout(&sheet);
  const auto add = [layout](const QList<QAction*>& actions) {
    for (const QAction* action : actions) {
      if (action->shortcut().isEmpty()) continue;
      auto* keys = new QLabel(action->shortcut().toString(QKeySequence::NativeText));
      keys->setFont(Theme::monospace(10));
      layout->addRow(QString(action->text()).remove(QLatin1Char('&')).remove(QStringLiteral("…")), keys);
    }
  };
  for (const QAction* menu : menuBar()->actions()) add(menu->menu()->actions());
  layout->addRow(new QLabel(tr("In this view")));
  add(currentView()->actions());
  sheet.exec();
}

void MainWindow::showAbout() {
  QMessageBox::about(this, tr("About Tandem"),
                     tr("<h3>Tandem %1</h3><p>A transformer teacher and the state-space student distilled "
                        "from it solve the same "
                        "problems side by side.</p><p>Free software under the GNU General Public License, "
                        "version 3 or later. It uses "
                        "Qt, QCustomPlot, oneDNN, Highway, SQLite and PCRE2.</p>")
                         .arg(QLatin1String(tandem::tandem_version())));
}

}  // namespace tandem::ui
