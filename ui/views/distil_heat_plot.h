// How far each layer is from its teacher, over the updates of the stages that compare layers: relative
// distances as colours, growing at the right edge while the run goes on.
#pragma once

#include "ui/models/distil_run.h"
#include "ui/widgets/plot.h"

namespace tandem::ui {

class DistilHeatPlot : public Plot {
  Q_OBJECT
 public:
  explicit DistilHeatPlot(QWidget* parent = nullptr);

  /// Draws from this; null clears. It is only read during the call.
  void setRun(const DistilRun* run);
  void setMark(std::int64_t stage, std::int64_t step);
  /// Outlines the layer looked at.
  void setLayer(int layer);

 signals:
  void clicked(int layer, std::int64_t stage, std::int64_t step);

 protected:
  void mouseReleaseEvent(QMouseEvent* event) override;

 private:
  void applyColors();
  void placeMarks();
  bool fill(const DistilRun& run);
  PlotTable numbers() const;

  QCPColorMap* m_map;
  QCPColorScale* m_scale;
  QCPItemStraightLine* m_mark;
  QCPItemRect* m_row;
  std::vector<DistilStage> m_stages;
  std::int64_t m_span = 0;  // updates of the stages that compare layers, and of those before
  int m_layers = 0;
  int m_layer = 0;
  std::int64_t m_markStage = -1, m_markStep = 0;
};

}  // namespace tandem::ui
