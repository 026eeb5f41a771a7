// The Distil view: trains a student by a recipe and shows it happen, or shows runs that were recorded.
#pragma once

#include <memory>

#include <QTimer>

#include "ui/distil_job.h"
#include "ui/latest_task.h"
#include "ui/models/distil_run_model.h"
#include "ui/views/distil_controls.h"
#include "ui/views/view.h"

class QHBoxLayout;
class QListWidget;
class QListWidgetItem;
class QTableView;

namespace tandem::ui {

class DistilHeatPlot;
class DistilLossPlot;
class DistilPair;
class StageRail;

class DistilView : public View {
  Q_OBJECT
 public:
  explicit DistilView(Workspace& workspace, QWidget* parent = nullptr);
  ~DistilView() override;  // pauses a run that is going

  QString title() const override { return tr("Distil"); }
  QList<Plot*> plots() const override;
  bool settled() const override;
  void demonstrate() override;

  DistilControls& controls() { return *m_controls; }
  const DistilRunModel& model() const { return m_model; }
  bool isTraining() const { return m_job != nullptr; }
  /// The run on show: row id in the session, or -1.
  std::int64_t current() const { return m_current; }

  void start();
  void pause();
  /// Goes on with the run on show.
  void resume();
  /// Takes a run's folder into the session and shows it.
  void import(const QString& folder);

 signals:
  void matricesWanted(std::shared_ptr<tandem::Session> session, std::int64_t training, std::int64_t snapshot);

 protected:
  void showEvent(QShowEvent* event) override;

 private:
  // What a worker brings.
  struct Imported {
    std::shared_ptr<tandem::Session> session;
    std::int64_t id = -1;
    QString error;
  };
  struct Lists {
    std::int64_t id = -1;
    std::vector<tandem::SessionTrainingEvent> events;
    std::vector<tandem::SessionSnapshot> snapshots;
  };

  // Layout (distil_view_layout.cpp).
  void buildLayout();
  QWidget* makeTools();
  void addToggles(QHBoxLayout& row);
  QWidget* makeTables();
  void connectControls();

  // The job.
  void launch(tandem::training::Recipe recipe, const QString& folder, bool resume);
  DistilJob::SessionSource sessionSource() const;
  void frame();
  void takeBegin(const DistilJob::Progress& progress);
  void appendUpdates(std::vector<tandem::training::TrainingUpdate> updates);
  void endJob(const std::optional<tandem::Error>& error);

  // The session.
  void followSession();
  void readSession();
  void takeRuns(const RecordedRuns& read);
  void readLists();
  void takeLists(const Lists& lists);
  void takeImported(const Imported& imported);

  // What is on show.
  void chooseRun(std::int64_t id);
  void choosePlace(std::int64_t stage, std::int64_t step);
  void pinBaseline(bool on);
  void showRun();
  void drawCurves();
  void fillEvents(const DistilRun* run);
  void updateState();
  bool resumable() const;

  Workspace& m_workspace;
  DistilRunModel m_model;
  std::shared_ptr<tandem::Session> m_session;  // the one on show
  std::unique_ptr<DistilJob> m_job;
  std::vector<tandem::training::TrainingUpdate> m_pending;  // of the live run, until its row has been read
  std::int64_t m_live = -1;
  std::int64_t m_current = -1;
  std::int64_t m_eventsOf = -1;  // the run whose events are listed
  bool m_stopping = false;
  bool m_listsStale = false;
  bool m_resumeWhenRead = false;
  QTimer m_clock;

  DistilControls* m_controls = nullptr;
  StageRail* m_rail = nullptr;
  DistilLossPlot* m_loss = nullptr;
  DistilHeatPlot* m_heat = nullptr;
  DistilPair* m_pair = nullptr;
  QTableView* m_table = nullptr;
  QListWidget* m_events = nullptr;
  QAction* m_pin = nullptr;

  LatestTask<RecordedRuns> m_readTask;
  LatestTask<Lists> m_listsTask;
  LatestTask<Imported> m_importTask;
};

}  // namespace tandem::ui
