// The Matrices view: a text, a navigator of layers and heads, and the maps of one pair of heads. Routes
// between the linked selection, the workers and the widgets; computes nothing itself.
#pragma once

#include <map>
#include <optional>

#include "ui/latest_task.h"
#include "ui/models/head_model.h"
#include "ui/views/matrices_source.h"
#include "ui/views/view.h"

class QStackedWidget;

namespace tandem::ui {

class HeadNavigator;
class MatricesBoard;
class MatricesReadout;
class MatricesScaleBar;
class MatricesSourceBar;
class MatricesStateCard;
class SnapshotSlider;
class TokenStrip;

class MatricesView : public View {
  Q_OBJECT
 public:
  explicit MatricesView(Workspace& workspace, QWidget* parent = nullptr);
  ~MatricesView() override;

  QString title() const override { return tr("Matrices"); }
  QList<Plot*> plots() const override;
  bool settled() const override;
  void demonstrate() override;

  /// Shows these matrices, whatever text is chosen.
  void showSet(MatrixSetPtr set);
  /// Shows a snapshot of a training run, with the scrubber through the others.
  void showTraining(const std::shared_ptr<Session>& session, std::int64_t training, std::int64_t snapshot);
  const MatrixSetPtr& set() const { return m_set; }
  HeadPair pair() const;  // on screen: previewed or selected
  bool pinned() const { return m_pinned; }

 protected:
  bool eventFilter(QObject* watched, QEvent* event) override;

 private:
  void buildLayout();
  void connectWorkspace();
  void connectBars();
  void connectMaps();
  void addCommands();
  void addCommand(const QString& name, const QString& text, const QKeySequence& key,
                  std::function<void()> run);

  // Text and capture.
  void refreshSource();
  QString captureObstacle() const;  // why nothing can be captured now; empty when it can
  std::function<Result<CaptureText>()> textToCapture() const;
  void capture();
  void cancelCapture();
  void captured(const CaptureOutcome& outcome);
  void store();
  void readRecorded();
  void readRecordedOf(const std::shared_ptr<Session>& session);
  void takeRecorded(const RecordedMatrices& recorded);
  void takeChoice();
  void readSnapshot(std::int64_t snapshot);
  void takeSnapshot(const TrainingSet& read);
  void showCard();

  // Heads and cells.
  HeadPair pairFor(int layer, int head) const;
  void showPair();
  void moveHead(int layers, int heads);
  void moveCell(int queries, int keys);
  void selectCell(int query, int key);
  void clickCell(int query, int key);
  void showCell();
  void release();
  void startOverview();
  void showOverview(const HeadSummaries& heads);
  void applyColors();
  void showFacts();

  Workspace& m_workspace;
  HeadModel m_heads;
  MatricesSourceBar* m_source = nullptr;
  SnapshotSlider* m_scrubber = nullptr;
  TokenStrip* m_strip = nullptr;
  MatricesScaleBar* m_scale = nullptr;
  HeadNavigator* m_navigator = nullptr;
  MatricesReadout* m_readout = nullptr;
  MatricesBoard* m_board = nullptr;
  MatricesStateCard* m_card = nullptr;
  QStackedWidget* m_stack = nullptr;

  MatrixSetPtr m_set;
  std::vector<MatrixSetPtr> m_recorded;
  QString m_recordedFrom;  // session and models that m_recorded was read from
  std::vector<ScrubbableRun> m_trainings;
  std::shared_ptr<const Session> m_trainingSession;               // of m_trainings
  std::int64_t m_training = -1;                                   // the chosen one of them
  std::int64_t m_scrubbed = -1;                                   // the one whose matrices are shown
  std::optional<std::pair<std::int64_t, std::int64_t>> m_wanted;  // training and snapshot to show when read
  std::optional<HeadPair> m_preview;
  std::map<int, int> m_teacherHeads;  // by layer, where counts differ: what the user paired
  bool m_pinned = false;
  bool m_demonstrating = false;  // capture by itself as soon as there is something to capture
  bool m_wantsHead = true;       // nothing was ever shown: begin with a head that says something
  bool m_wantsCell = false;      // a new set has not been given its first cell yet
  QString m_error;

  LatestTask<CaptureOutcome> m_captureTask;
  LatestTask<HeadSummaries> m_overviewTask;
  LatestTask<QString> m_storeTask;
  LatestTask<RecordedMatrices> m_recordedTask;
  LatestTask<TrainingSet> m_snapshotTask;
};

}  // namespace tandem::ui
