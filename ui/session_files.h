// Sessions on disk, as the window needs them: where live ones are kept, which of them a killed process left
// behind, and what a file holds, read in one go. Everything here touches the disk: call it off the GUI
// thread.
#pragma once

#include <memory>
#include <vector>

#include <QLockFile>
#include <QString>
#include <QStringList>

#include "core/jobs/evaluate.h"

namespace tandem::ui {

/// A session and what identifies its rows.
struct OpenedSession {
  std::shared_ptr<tandem::Session> session;
  std::vector<tandem::SessionModel> models;
  std::vector<tandem::SessionProblem> problems;
  std::vector<tandem::SessionRun> runs;
};

/// Opens for writing where that is possible (votes and notes), else read-only. Errors: those of
/// Session::open().
tandem::Result<OpenedSession> readSession(const QString& path);

/// The session that `requests` go to: `current` when it was recorded with the same models, settings and
/// device and lacks some of what is asked, else a new file in the application's data folder.
tandem::Result<std::shared_ptr<tandem::Session>> sessionFor(
    const std::shared_ptr<tandem::Session>& current, const std::vector<tandem::EvaluateRequest>& requests);

/// A new session in the application's data folder.
tandem::Result<std::shared_ptr<tandem::Session>> newSession();

/// A folder that does not exist yet, for a training run of that recipe, in the application's data folder.
QString newTrainingFolder(const QString& recipe);

/// The newest sessions of the application's data folder, newest first. A folder listing: quick enough for a
/// menu.
QStringList recordedSessions(int limit);

/// Marks a session as being recorded, until destroyed. A mark whose process is gone tells of a crash.
std::unique_ptr<QLockFile> markRecording(const QString& sessionPath);

/// Sessions whose recording process was killed, newest first. Clears their marks, so each is told once.
QStringList takeInterruptedSessions();

}  // namespace tandem::ui
