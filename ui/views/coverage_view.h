// Coverage and accuracy against completions and against seconds, side by side, with the two linked sliders
// and the sentence that says who leads at this budget.
#pragma once

#include <memory>

#include "ui/views/coverage_budget.h"
#include "ui/views/coverage_curves.h"
#include "ui/views/coverage_data.h"
#include "ui/views/coverage_plot.h"
#include "ui/views/view.h"

class QAction;
class QComboBox;
class QHBoxLayout;
class QLabel;
class QProgressBar;
class QPushButton;
class QStackedWidget;
class QTableView;

namespace tandem::ui {

class OutcomeStrip;
class ValueSlider;

class CoverageView : public View {
  Q_OBJECT
 public:
  explicit CoverageView(Workspace& workspace, QWidget* parent = nullptr);

  QString title() const override { return tr("Coverage"); }
  QList<Plot*> plots() const override { return {m_kPlot, m_secondsPlot}; }
  bool settled() const override;
  void demonstrate() override;

 protected:
  void showEvent(QShowEvent* event) override;

 private:
  // Construction.
  QWidget* makeToolbar();
  void addToggles(QHBoxLayout& row);
  void addWhatIf(QHBoxLayout& row);
  void addRunControls(QHBoxLayout& row);
  QWidget* makeSliders();
  void makeKeys();
  void connectControls();
  void connectWorkspace();

  // From data to what is seen; each calls what depends on it.
  void reload(bool paced);
  void setData(std::shared_ptr<const CoverageData> data);
  void updateCurves();
  void updateStrip();
  void updateTables();
  void updateNotes();
  void updateBudget();
  void updateRunState();

  // The budget.
  void chooseK(int k);
  void chooseSeconds(double seconds);
  void chooseNearSeconds(double seconds);
  bool hasData() const { return m_data && !m_data->empty(); }

  void openEvaluateDialog();
  void evaluate(int problems, int completions, const QString& verifier = {});
  void countProgress(const LiveBatch& batch);

  Workspace& m_workspace;
  CoverageLoader m_loader;
  std::shared_ptr<const CoverageData> m_data;
  CoverageShow m_show;
  CoverageGrid m_typed;
  CoverageBudget::Leads m_leads = CoverageBudget::Leads::Seconds;
  bool m_chosen = false;    // a budget was chosen, by the user or, at first, by the view
  bool m_choosing = false;  // this view itself is changing the selection
  bool m_stale = true;      // rows changed while the view was hidden
  bool m_demonstrate = false;
  QVector<int> m_positions;  // of each strip cell in the workspace's problem set, or -1
  int m_runTotal = 0;        // completions of the run in progress
  int m_runDone = 0;

  CoveragePlot* m_kPlot;
  CoveragePlot* m_secondsPlot;
  QTableView* m_kTable;
  QTableView* m_secondsTable;
  QStackedWidget* m_stack;
  ValueSlider* m_kSlider;
  ValueSlider* m_secondsSlider;
  QAction* m_weighted = nullptr;
  QAction* m_linkAction = nullptr;
  QComboBox* m_speedBox = nullptr;
  QPushButton* m_evaluateButton = nullptr;
  QPushButton* m_stopButton = nullptr;
  QProgressBar* m_progress = nullptr;
  QLabel* m_sentence;
  QLabel* m_numbers;
  QLabel* m_link;
  QLabel* m_notes;
  QLabel* m_stripLegend;
  OutcomeStrip* m_strip;
};

}  // namespace tandem::ui
