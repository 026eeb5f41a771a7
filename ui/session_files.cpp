#include "ui/session_files.h"

#include <algorithm>
#include <limits>

#include <QDateTime>
#include <QDir>
#include <QStandardPaths>

#include "core/devices/devices.h"

namespace tandem::ui {
namespace {

/// A folder of the application's data, made if absent.
QDir dataFolder(const QString& name) {
  QDir folder(QStandardPaths::writableLocation(QStandardPaths::AppDataLocation) + QLatin1Char('/') + name);
  folder.mkpath(QStringLiteral("."));
  return folder;
}

QDir sessionFolder() {
  return dataFolder(QStringLiteral("sessions"));
}

/// A path in `folder` that is free: the stem with date and time, counted where that is not enough.
QString freePath(const QDir& folder, const QString& before, const QString& suffix) {
  const QString stem = before + QDateTime::currentDateTime().toString(QStringLiteral("yyyy-MM-dd HH.mm.ss"));
  QString path = folder.filePath(stem + suffix);
  for (int copy = 2; QFile::exists(path); ++copy)
    path = folder.filePath(QStringLiteral("%1 (%2)%3").arg(stem).arg(copy).arg(suffix));
  return path;
}

std::unique_ptr<QLockFile> markOf(const QString& sessionPath) {
  auto mark = std::make_unique<QLockFile>(sessionPath + QStringLiteral(".recording"));
  mark->setStaleLockTime(0);  // stale only when its process is gone, however long that one runs
  return mark;
}

bool hasModel(const std::vector<tandem::SessionModel>& models, const tandem::ModelInfo& info) {
  return std::any_of(models.begin(), models.end(), [&](const tandem::SessionModel& stored) {
    return stored.sha256 == info.sha256 && stored.name == info.name;
  });
}

/// Whether every problem of `request` is complete in every one of the session's runs.
tandem::Result<bool> isComplete(const OpenedSession& stored, const tandem::EvaluateRequest& request) {
  for (const tandem::SessionRun& run : stored.runs) {
    TANDEM_TRY(const auto timings, stored.session->timings(run.id));
    for (const std::int64_t position : request.problems) {
      const tandem::Problem& wanted = request.set.problems[static_cast<std::size_t>(position)];
      const auto row = std::find_if(stored.problems.begin(), stored.problems.end(), [&](const auto& p) {
        return p.set == request.set.name && p.problem.index == wanted.index;
      });
      if (row == stored.problems.end()) return false;
      const bool complete = std::any_of(timings.begin(), timings.end(), [&](const tandem::ProblemTiming& t) {
        return t.problem_id == row->id && t.complete;
      });
      if (!complete) return false;
    }
  }
  return true;
}

tandem::Result<OpenedSession> readRows(std::shared_ptr<tandem::Session> session) {
  OpenedSession opened;
  TANDEM_TRY(opened.models, session->models());
  TANDEM_TRY(opened.problems, session->problems());
  TANDEM_TRY(opened.runs, session->runs());
  opened.session = std::move(session);
  return opened;
}

/// Whether `requests` may go to the session: same models, settings and device, something left to do.
tandem::Result<bool> fits(const OpenedSession& stored, const std::vector<tandem::EvaluateRequest>& requests) {
  if (stored.models.empty() && stored.runs.empty()) return true;  // it holds a training alone
  for (const tandem::EvaluateRequest& request : requests) {
    const bool sameModels = stored.models.size() == request.models.size() &&
                            std::all_of(request.models.begin(), request.models.end(), [&](const auto& model) {
                              return hasModel(stored.models, model->info());
                            });
    const std::string device =
        tandem::device_name(request.models.front()->device(), request.settings.threads);
    const bool sameSettings =
        std::all_of(stored.runs.begin(), stored.runs.end(), [&](const tandem::SessionRun& run) {
          return run.settings == request.settings && run.device == device;
        });
    if (!sameModels || !sameSettings) return false;
  }
  for (const tandem::EvaluateRequest& request : requests) {
    TANDEM_TRY(const bool complete, isComplete(stored, request));
    if (!complete) return true;
  }
  return false;
}

}  // namespace

tandem::Result<OpenedSession> readSession(const QString& path) {
  auto session = tandem::Session::open(path.toStdString());
  if (!session) session = tandem::Session::open(path.toStdString(), /*read_only=*/true);
  if (!session) return session.error();
  return readRows(*session);
}

tandem::Result<std::shared_ptr<tandem::Session>> sessionFor(
    const std::shared_ptr<tandem::Session>& current, const std::vector<tandem::EvaluateRequest>& requests) {
  if (current && !current->read_only()) {
    TANDEM_TRY(const OpenedSession stored, readRows(current));
    TANDEM_TRY(const bool good, fits(stored, requests));
    if (good) return current;
  }
  return newSession();
}

tandem::Result<std::shared_ptr<tandem::Session>> newSession() {
  return tandem::Session::create(freePath(sessionFolder(), {}, QStringLiteral(".tandem")).toStdString());
}

QString newTrainingFolder(const QString& recipe) {
  return freePath(dataFolder(QStringLiteral("trainings")), recipe + QLatin1Char(' '), {});
}

std::unique_ptr<QLockFile> markRecording(const QString& sessionPath) {
  auto mark = markOf(sessionPath);
  mark->tryLock(0);
  return mark;
}

QStringList recordedSessions(int limit) {
  QStringList paths;
  for (const QFileInfo& entry :
       sessionFolder().entryInfoList({QStringLiteral("*.tandem")}, QDir::Files, QDir::Time)) {
    if (paths.size() < limit) paths << entry.absoluteFilePath();
  }
  return paths;
}

QStringList takeInterruptedSessions() {
  QStringList found;
  for (const QString& path : recordedSessions(std::numeric_limits<int>::max())) {
    const bool marked = QFile::exists(path + QStringLiteral(".recording"));
    if (marked && markOf(path)->tryLock(0)) found << path;  // the lock, and so the mark, goes at once
  }
  return found;
}

}  // namespace tandem::ui
