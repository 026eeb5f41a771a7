// What tokens cost: live rates, memory against context, the batch sweep and its roofline.
#pragma once

#include <memory>

#include <QFutureWatcher>

#include "core/jobs/bench.h"
#include "ui/views/throughput_live_plot.h"
#include "ui/views/view.h"

class QAction;
class QComboBox;
class QHBoxLayout;
class QLabel;
class QProgressBar;
class QPushButton;
class QTableView;

namespace tandem::ui {

class BenchRunner;
class RooflinePlot;
class SweepPlot;
class ThroughputMemoryPlot;

/// What a stored session has for this view.
struct ThroughputRecord {
  std::array<RateSeries, 2> rates;
  std::array<std::optional<tandem::ModelInfo>, 2> models;
  std::shared_ptr<const tandem::BenchReport> report;  // the latest stored one, or null
  bool together = false;
  QString error;
};
ThroughputRecord readThroughput(const tandem::Session& session);

class ThroughputView : public View {
  Q_OBJECT
 public:
  explicit ThroughputView(Workspace& workspace, QWidget* parent = nullptr);
  ~ThroughputView() override;

  QString title() const override { return tr("Throughput"); }
  QList<Plot*> plots() const override;
  bool settled() const override;
  void demonstrate() override;

 protected:
  void showEvent(QShowEvent* event) override;
  void resizeEvent(QResizeEvent* event) override;

 private:
  QWidget* makeToolbar();
  void addMeasureControls(QHBoxLayout& row);
  void connectWorkspace();
  void takeLive(const LiveBatch& batch);
  void readSession();
  void showRecord();
  void showModels();
  void showReport();
  void showRatio();
  void updateState();
  void chooseBatch(int batch);
  void measure(int repeats);
  void takeReport(std::shared_ptr<const tandem::BenchReport> report);

  Workspace& m_workspace;
  BenchRunner* m_runner;
  std::shared_ptr<const tandem::BenchReport> m_report;
  bool m_recorded = false;  // the report came from a stored session
  QString m_problem;        // why the last measurement gave nothing
  int m_batch = 0;
  std::weak_ptr<const tandem::Session> m_session;  // the one shown
  bool m_stale = true;                             // another session was opened while the view was hidden
  bool m_reading = false;
  bool m_demonstrate = false;
  QFutureWatcher<ThroughputRecord> m_reader;

  ThroughputLivePlot* m_live;
  ThroughputMemoryPlot* m_memory;
  SweepPlot* m_sweep;
  RooflinePlot* m_roofline;
  QTableView* m_table;
  QComboBox* m_promptBox = nullptr;
  QPushButton* m_measureButton = nullptr;
  QPushButton* m_cancelButton = nullptr;
  QProgressBar* m_progress = nullptr;
  QAction* m_reveal = nullptr;
  QAction* m_follow = nullptr;
  QLabel* m_ratio;
  QLabel* m_note;
};

}  // namespace tandem::ui
