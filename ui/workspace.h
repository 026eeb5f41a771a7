// What the window works on: two models, a problem set, a session, and the job in progress. Confined to the
// GUI thread; the job's threads hand their events over in batches, one batch a frame.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include <QObject>
#include <QString>
#include <QStringList>

#include "core/devices/devices.h"
#include "core/jobs/evaluate.h"
#include "core/models/model.h"
#include "core/problems/problems.h"
#include "core/session/session.h"
#include "ui/live_batch.h"
#include "ui/models/recent_models.h"
#include "ui/selection_model.h"
#include "ui/theme.h"

namespace tandem::ui {

class Workspace : public QObject {
  Q_OBJECT
 public:
  enum class State { Empty, Loading, Ready, Running, Replay };
  explicit Workspace(QObject* parent = nullptr);
  ~Workspace() override;  // stops the job and waits for it

  State state() const;
  SelectionModel& selection();
  /// Every model opened from elsewhere than the bundled ones is noted here.
  RecentModels& recentModels();
  /// Null while loading, or when the models of an opened session are not at hand.
  std::shared_ptr<const tandem::Model> model(Side side) const;
  /// Name of a side's model, also in replay, when the weights are not at hand.
  QString modelName(Side side) const;
  /// The opened set (or the session's problems), followed by the problems typed by the user.
  const tandem::ProblemSet& problems() const;
  std::shared_ptr<tandem::Session> session() const;  // the live autosave session, or the opened one
  /// The session's name for a window title: its file's stem, or an empty string.
  QString sessionName() const;
  bool isReplay() const;
  QString recordedDevice() const;  // of the opened session's run; empty when nothing is replayed
  const tandem::RunSettings& settings() const;
  /// Another type of weights loads the models anew.
  void setSettings(const tandem::RunSettings& settings);

  /// Where models are, and where the next go; null: the CPU.
  tandem::Device* device() const;
  /// "NVIDIA H100 (cuda:0)", "AMD EPYC 7763, 2 threads".
  QString deviceName() const;
  /// Those of this machine; null until they were looked for, which may take as long as a driver's start.
  const tandem::DeviceList* devices() const;
  /// Why models are on the CPU though a GPU was wanted: one sentence, or empty.
  QString deviceNote() const;
  /// Where the first models go, as find_device() takes it; "auto" unless it is called before they are asked
  /// for. They go to the CPU when that device is not there or cannot hold them, and deviceNote() says so.
  void beginOn(const QString& id);
  /// Loads the models anew onto another device, both or none.
  void chooseDevice(const QString& id);

  /// Run id of a side in the session, or -1.
  std::int64_t runId(Side side) const;
  /// Row id in the session of a problem (position in problems()), or -1 when the session has nothing of it.
  std::int64_t problemId(int position) const;

  /// Loads on a worker thread. A bundled name, a folder or a file; an empty name keeps that side's model.
  void openModels(const QString& teacher, const QString& student);
  /// One model. Without a side it goes to the one it belongs to: pure attention is a teacher, anything else a
  /// student. `tokenizer`: a folder or file for a model published without; else that chosen before, or the
  /// other model's where it fits.
  void openModel(const QString& path, std::optional<Side> side = {}, const QString& tokenizer = {});
  void openProblems(const QString& nameOrPath);
  /// Adds a problem without a known answer behind the others and selects it.
  void addProblem(const QString& question);
  void openSession(const QString& path);    // replay; a live run continues in a new session
  void resumeSession(const QString& path);  // opens it with its models and runs what it lacks
  void saveSessionAs(const QString& path);
  /// Leaves replay: the next run records anew with the loaded models.
  void closeSession();
  /// Asks, on a worker thread, for sessions that a killed process left behind; answered by interrupted().
  void findInterrupted();
  /// Runs the selected problems (positions in problems()) with the current settings. Results go to session().
  /// `verifier`: a bundled name or a folder; empty: completions get no scores.
  void startRun(const std::vector<std::int64_t>& problemIndices, const std::string& verifier = {});
  void stop();  // the run, and a model being loaded
  /// Something that is being recorded elsewhere becomes the window's session, unless it has one.
  void keepSession(std::shared_ptr<tandem::Session> session);
  /// While not empty, no run starts: this sentence says why.
  void setOccupied(const QString& sentence);

 signals:
  void stateChanged();
  void modelsChanged();
  void problemsChanged();
  void sessionChanged();  // another session, or rows worth re-reading (a problem finished)
  void settingsChanged();
  void deviceChanged();                  // another one, its note, or the list of devices
  void deviceChosen(const QString& id);  // chooseDevice() has come to its end: worth remembering
  void runStarted();                     // clears the live views
  void problemStarted(int side, int problemIndex);
  void live(const tandem::ui::LiveBatch& batch);  // at most once a frame and problem
  void runProgress(int done, int planned);        // problems, counted once for each model
  void runFinished();
  /// A model could not be opened for want of a tokenizer: openModel() may name one. The sentence is
  /// failed()'s.
  void tokenizerWanted(const QString& path, tandem::ui::Side side, const QString& sentence);
  void failed(const QString& sentence);    // one clear sentence for the status bar or an error card
  void notified(const QString& sentence);  // what went well: "Saved …"
  void loadProgress(const QString& what, int percent);
  void interrupted(const QString& path);
  void trainingToResume();  // the session opened to go on holds no run of two models but a training

 private:
  struct Private;
  std::unique_ptr<Private> d;
};

}  // namespace tandem::ui
