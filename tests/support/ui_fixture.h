// For tests of the window: a data folder of their own, and a workspace with the bundled models.
#pragma once

#include <QDir>
#include <QSignalSpy>
#include <QStandardPaths>
#include <QTest>

#include "ui/workspace.h"

namespace tandem::test {

/// Sessions of this test go to an empty folder, never to the user's.
inline void use_own_data_folder() {
  QStandardPaths::setTestModeEnabled(true);
  QCoreApplication::setApplicationName(QFileInfo(QCoreApplication::applicationFilePath()).fileName());
  QDir(QStandardPaths::writableLocation(QStandardPaths::AppDataLocation)).removeRecursively();
}

/// Loads the seed pair and the bundled problems, and asks for few short completions.
inline void open_seed_pair(ui::Workspace& workspace, int completions) {
  RunSettings settings = workspace.settings();
  settings.completions = completions;
  workspace.setSettings(settings);
  workspace.openProblems(QStringLiteral("seed"));
  workspace.openModels(QStringLiteral("seed-teacher"), QStringLiteral("seed-llamba"));
  QTRY_COMPARE_WITH_TIMEOUT(workspace.state(), ui::Workspace::State::Ready, 30000);
  QTRY_VERIFY_WITH_TIMEOUT(!workspace.problems().problems.empty(), 30000);
}

}  // namespace tandem::test
