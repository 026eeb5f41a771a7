// The teacher's matrix beside the student's, for one head, at the chosen training step: stage 1 seen.
#pragma once

#include <memory>

#include "ui/latest_task.h"
#include "ui/models/training_set.h"
#include "ui/views/view.h"
#include "ui/widgets/matrix_frame.h"

class QLabel;
class QPushButton;
class QSpinBox;

namespace tandem::ui {

class MatrixPlot;
class SnapshotSlider;

class DistilPair : public QWidget {
  Q_OBJECT
 public:
  explicit DistilPair(Workspace& workspace, QWidget* parent = nullptr);

  /// The run whose snapshots are shown; a null session clears. The newest is followed as long as it is the
  /// chosen one.
  void setRun(std::shared_ptr<tandem::Session> session, std::int64_t training,
              const std::vector<tandem::SessionSnapshot>& snapshots);
  void choosePlace(std::int64_t stage, std::int64_t step);
  void stepBy(int count);
  QList<Plot*> plots() const;
  bool settled() const { return !m_setTask.running() && !m_frameTask.running(); }
  const MatrixSetPtr& set() const { return m_set; }

 signals:
  void placeChosen(std::int64_t stage, std::int64_t step);
  void openRequested(std::shared_ptr<tandem::Session> session, std::int64_t training, std::int64_t snapshot);

 private:
  QWidget* makeHeadRow();
  void read();
  void takeSet(const TrainingSet& read);
  void requestFrame();
  void showFrame(const std::shared_ptr<HeadFrame>& frame);
  void refreshHeads();

  Workspace& m_workspace;
  std::shared_ptr<tandem::Session> m_session;
  std::int64_t m_training = -1;
  std::int64_t m_reading = -1;  // snapshot asked for
  bool m_again = false;         // another one was asked for meanwhile
  bool m_wantsHead = true;      // nothing was ever shown: begin with a head that says something
  MatrixSetPtr m_set;
  QSpinBox *m_layer = nullptr, *m_head = nullptr;
  QPushButton* m_open = nullptr;
  QLabel* m_distance;
  SnapshotSlider* m_slider;
  MatrixPlot *m_teacher, *m_student;
  LatestTask<TrainingSet> m_setTask;
  LatestTask<std::shared_ptr<HeadFrame>> m_frameTask;
};

}  // namespace tandem::ui
