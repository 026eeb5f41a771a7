// The race bar: one mark for each finished completion on a common axis of seconds, and when each side first
// found the answer.
#pragma once

#include <QVector>

#include "ui/models/completion_model.h"
#include "ui/theme.h"
#include "ui/widgets/plot.h"

namespace tandem::ui {

class RaceBar : public Plot {
  Q_OBJECT
 public:
  explicit RaceBar(QWidget* parent = nullptr);

  /// Seconds count from the moment a model begins to read the problem: prefill and decoding.
  void setSide(Side side, const QVector<CompletionCard>& cards, double prefillS);
  /// Redraws when something changed since the last call.
  void refresh();
  /// A line at the moment that the grids show, with a word on it; below 0 removes it.
  void setMoment(double seconds, const QString& label);

 signals:
  void completionClicked(int side, int completion);
  void momentDragged(double seconds);

 protected:
  void mousePressEvent(QMouseEvent* event) override;
  void mouseMoveEvent(QMouseEvent* event) override;

 private:
  struct Finish {
    int completion = 0;
    double seconds = 0;
    Verdict verdict = Verdict::Ungraded;
    QString answer;
    bool operator==(const Finish&) const = default;
  };
  struct Lane {
    QVector<Finish> finishes;
    double firstCorrect = -1;
    QCPGraph* good = nullptr;  // correct, or finished where nothing is graded
    QCPGraph* bad = nullptr;   // wrong or cut
    QCPItemText* label = nullptr;
    QCPItemLine* line = nullptr;
  };
  void addLane(Side side);
  void addMoment();
  void recolour();
  void labelLane(Side side);
  void summarise();
  PlotTable numbers() const;

  Lane m_lanes[2];
  QCPItemLine* m_momentLine;
  QCPItemText* m_momentLabel;
  bool m_dirty = false;
};

}  // namespace tandem::ui
