// What the window works on: two models, a problem set, a session, and the job in progress. Confined to the
// GUI thread; the job's threads hand their events over in batches, one batch a frame.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include <QObject>
#include <QString>
#include <QStringList>
#include <QVector>

#include "core/jobs/evaluate.h"
#include "core/models/model.h"
#include "core/problems/problems.h"
#include "core/session/session.h"
#include "ui/selection_model.h"
#include "ui/theme.h"

namespace tandem::ui {

struct LiveToken {
  int side = 0;
  int completion = 0;
  QString text;
  float logprob = 0;
};
struct LiveStep {
  int side = 0;
  tandem::StepSample sample;
};
struct LivePrefill {
  int side = 0;
  double seconds = 0;
  std::int64_t tokens = 0;
};
/// Everything that happened since the last frame, in order within each kind.
struct LiveBatch {
  QVector<LivePrefill> prefills;
  QVector<LiveStep> steps;
  QVector<LiveToken> tokens;
  std::vector<std::pair<int, tandem::SessionCompletion>> completions;  // side, completion
};

class Workspace : public QObject {
  Q_OBJECT
 public:
  enum class State { Empty, Loading, Ready, Running, Replay };
  explicit Workspace(QObject* parent = nullptr);
  ~Workspace() override;  // stops the job and waits for it

  State state() const;
  SelectionModel& selection();
  std::shared_ptr<const tandem::Model> model(
      Side side) const;  // null while loading or in replay without weights
  /// Name and info of a side also in replay, when the weights are not at hand.
  QString modelName(Side side) const;
  const tandem::ProblemSet& problems() const;
  std::shared_ptr<tandem::Session> session() const;  // the live autosave session, or the opened one
  bool isReplay() const;
  const tandem::RunSettings& settings() const;
  void setSettings(const tandem::RunSettings& settings);
  /// Run id of a side for the current settings in the session, or -1.
  std::int64_t runId(Side side) const;

  void openModels(const QString& teacher, const QString& student);  // loads on a worker thread
  void openProblems(const QString& nameOrPath);
  void openSession(const QString& path);  // replay; a live run continues in a new session
  void saveSessionAs(const QString& path);
  /// Runs the selected problems (indices) with the current settings. Results go to session().
  void startRun(const std::vector<std::int64_t>& problemIndices);
  void stop();

 signals:
  void stateChanged();
  void modelsChanged();
  void problemsChanged();
  void sessionChanged();  // another session, or rows worth re-reading (a problem finished)
  void settingsChanged();
  void runStarted();  // clears the live views
  void problemStarted(int side, int problemIndex);
  void live(const tandem::ui::LiveBatch& batch);  // at most once a frame
  void runFinished();
  void failed(const QString& sentence);  // one clear sentence for the status bar or an error card
  void loadProgress(const QString& what, int percent);

 private:
  struct Private;
  std::unique_ptr<Private> d;
};

}  // namespace tandem::ui
