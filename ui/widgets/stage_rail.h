// The stages of a training run side by side: what is done, how far the present one is, how long it takes yet.
#pragma once

#include <QWidget>

#include "ui/models/distil_run.h"

namespace tandem::ui {

class StageRail : public QWidget {
  Q_OBJECT
 public:
  explicit StageRail(QWidget* parent = nullptr);

  /// `running`: an estimate is shown. Null and no stages: nothing.
  void setRun(const DistilRun* run, bool running);
  /// Stages of a recipe that has not begun.
  void setPlan(const std::vector<DistilStage>& stages);
  QSize sizeHint() const override { return {600, 52}; }
  QSize minimumSizeHint() const override { return {320, 52}; }

 protected:
  void paintEvent(QPaintEvent* event) override;

 private:
  struct Box {
    QString title, detail;
    double done = 0;  // 0 to 1
    bool current = false;
  };
  void setBoxes(std::vector<Box> boxes);
  void paintBox(QPainter& painter, const QRectF& frame, const Box& box) const;
  std::vector<Box> m_boxes;
};

}  // namespace tandem::ui
