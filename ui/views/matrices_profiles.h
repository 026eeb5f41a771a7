// Two plots beside the maps: the row of one query, and mean weight by lag.
#pragma once

#include <vector>

#include "ui/widgets/matrix_plot_ticker.h"
#include "ui/widgets/plot.h"

class QToolButton;

namespace tandem::ui {

/// A and M at query i, by key.
class RowProfile : public Plot {
  Q_OBJECT
 public:
  explicit RowProfile(QWidget* parent = nullptr);
  void setTokens(const QStringList& tokens);
  /// Weights at keys 0 .. query; empty where there is no matrix.
  void setRow(int query, const QVector<double>& teacher, const QVector<double>& student);
  void setKey(int key);  // marks it, on a layer of its own

 protected:
  void resizeEvent(QResizeEvent* event) override;

 private:
  void recolor();
  void fitWeights();
  QSharedPointer<TokenTicker> m_ticker;
  QStringList m_tokens;
  QCPGraph* m_teacher;
  QCPGraph* m_student;
  QCPItemStraightLine* m_keyLine;
};

/// Mean |weight| by lag i - j, teacher and student; both axes linear or logarithmic. On a logarithmic weight
/// axis an exponential decay is straight; with both logarithmic, a power law.
class LagProfile : public Plot {
  Q_OBJECT
 public:
  explicit LagProfile(QWidget* parent = nullptr);
  void setProfiles(const std::vector<double>& teacher, const std::vector<double>& student);
  void setLogWeight(bool on);
  void setLogLag(bool on);
  void setLag(int lag);  // marks it

 protected:
  void resizeEvent(QResizeEvent* event) override;

 private:
  void recolor();
  void refill();
  void fitAxes();
  QToolButton* addToggle(const QString& name, const QString& text, const QString& tip);
  std::vector<double> m_teacherLags, m_studentLags;
  QCPGraph* m_teacher;
  QCPGraph* m_student;
  QCPItemStraightLine* m_lagLine;
  QToolButton* m_logWeight;
  QToolButton* m_logLag;
};

}  // namespace tandem::ui
