// Five linked maps of one pair of heads (teacher, student, difference, decay, content) with their profiles.
// Works its frames out on a worker; the GUI thread only hands them over.
#pragma once

#include <array>
#include <memory>

#include <QLabel>

#include "ui/latest_task.h"
#include "ui/views/matrices_profiles.h"
#include "ui/widgets/matrix_frame.h"
#include "ui/widgets/matrix_plot.h"

class QBoxLayout;

namespace tandem::ui {

class MatricesBoard : public QWidget {
  Q_OBJECT
 public:
  explicit MatricesBoard(QWidget* parent = nullptr);

  void setSet(MatrixSetPtr set);  // null clears
  void showPair(const HeadPair& pair);
  void setScale(const ScaleSettings& scale, bool includeSkip);
  void setColorMap(const ColorMap& map);
  void setMapsShown(bool difference, bool decomposition);
  /// Crosshair of all maps, profiles and their marks; -1 = none.
  void setCell(int query, int key);
  /// The cell that tooltips compare with; -1 = none.
  void setPin(int query, int key);
  void zoom(double factor);  // < 1 shows fewer tokens, about the crosshair when there is one
  void showTokens(int first, int last);
  void resetZoom();

  CellValues cellAt(int query, int key) const;
  /// Weights of the crosshair's row at keys 0 .. query; empty when there are none.
  const QVector<double>& rowWeights(Side side) const { return m_rowWeights[static_cast<std::size_t>(side)]; }
  MatrixPlot* plot(MapKind kind) const { return m_plots[static_cast<std::size_t>(kind)]; }
  QList<Plot*> plots() const;
  /// The frame on screen; null before the first.
  const HeadFrame* frame() const { return m_frame.get(); }
  /// What was asked for is on screen.
  bool settled() const { return !m_frameTask.running(); }

 signals:
  void cellHovered(int query, int key);
  void cellClicked(int query, int key);
  void frameShown();

 private:
  void buildPlots();
  void requestFrame();
  void showFrame(const std::shared_ptr<HeadFrame>& frame);
  void decorate(MapKind kind);
  void showDistances();
  void linkZoom(MatrixPlot* source);
  void refreshRow();
  PlotTable mapTable(MapKind kind) const;

  FrameRequest m_request;
  std::shared_ptr<HeadFrame> m_frame;
  std::array<MatrixPlot*, kMapKinds.size()> m_plots{};
  RowProfile* m_row = nullptr;
  LagProfile* m_lag = nullptr;
  QWidget* m_profiles = nullptr;
  QBoxLayout* m_profileLayout = nullptr;
  QBoxLayout* m_rows = nullptr;
  QLabel* m_distances = nullptr;
  int m_query = -1, m_key = -1;
  int m_pinQuery = -1, m_pinKey = -1;
  std::array<QVector<double>, 2> m_rowWeights;
  LatestTask<std::shared_ptr<HeadFrame>> m_frameTask;
};

}  // namespace tandem::ui
