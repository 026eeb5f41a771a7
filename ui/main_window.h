// The window: a rail of views at the left, one view at a time in the middle, models and run buttons above, a
// status bar that says what is shown (live or recorded) and on what.
#pragma once

#include <QActionGroup>
#include <QComboBox>
#include <QMainWindow>
#include <QSettings>
#include <QStackedWidget>
#include <QToolBar>

#include "ui/problem_dock.h"
#include "ui/views/view.h"
#include "ui/widgets/message_bar.h"
#include "ui/widgets/status_strip.h"
#include "ui/workspace.h"

namespace tandem::ui {

class ModelManager;

class MainWindow : public QMainWindow {
  Q_OBJECT
 public:
  explicit MainWindow(Workspace& workspace, QWidget* parent = nullptr);

  /// Names of the views in the order of the rail: "race", "matrices", "throughput", "coverage",
  /// "distil".
  QStringList viewNames() const;
  View* currentView() const;
  /// False when there is no such view.
  bool showView(const QString& name);

  /// A session, a model or a problem file, by its kind; says so when it is none of these.
  void openPath(const QString& path);
  /// Writes every plot of every view as PNG, SVG, PDF and CSV. Returns an error sentence or an empty string.
  QString exportPlots(const QString& folder);
  /// Geometry, docks, theme, the view shown last.
  void restorePreferences(QSettings& settings);
  void savePreferences(QSettings& settings) const;

 protected:
  void dragEnterEvent(QDragEnterEvent* event) override;
  void dragLeaveEvent(QDragLeaveEvent* event) override;
  void dropEvent(QDropEvent* event) override;

 private:
  void addViews();
  void addView(View* view, const QString& name);
  void buildToolBar();
  void buildMenus();
  void buildFileMenu();
  void buildRunMenu();
  void buildViewMenu();
  void buildHelpMenu();
  QAction* command(QMenu* menu, const QString& name, const QString& text, const QKeySequence& shortcut,
                   std::function<void()> run);
  void connectWorkspace();
  void applyTheme();
  void refreshState();
  void refreshModels();
  void chooseModel(Side side, int item);
  void offerInterrupted(const QString& path);
  void openModelFile(Side side);
  void exportView();
  void exportAllPlots();
  void showModels();
  void offerTokenizer(const QString& path, Side side, const QString& sentence);
  void showShortcuts();
  void showAbout();

  Workspace& m_workspace;
  QStackedWidget* m_stack;
  QToolBar* m_rail;
  QToolBar* m_bar;
  QActionGroup* m_viewActions;
  QActionGroup* m_themeActions;
  MessageBar* m_message;
  ProblemDock* m_problems;
  StatusStrip* m_status = nullptr;
  QAction *m_run = nullptr, *m_runAll = nullptr, *m_stop = nullptr, *m_closeSession = nullptr;
  ModelManager* m_manager = nullptr;  // once it was asked for
  QComboBox* m_models[2] = {nullptr, nullptr};
};

}  // namespace tandem::ui
