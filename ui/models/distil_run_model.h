// The training runs of a session as a table, with the difference to a pinned baseline.
#pragma once

#include <QAbstractTableModel>

#include "ui/models/distil_run.h"

namespace tandem::ui {

class DistilRunModel : public QAbstractTableModel {
  Q_OBJECT
 public:
  enum Column { Name, Stage, Updates, Tokens, Loss, Difference, Rate, State, ColumnCount };
  enum Role { IdRole = Qt::UserRole };  // row id in the session

  using QAbstractTableModel::QAbstractTableModel;

  int rowCount(const QModelIndex& parent = {}) const override;
  int columnCount(const QModelIndex& parent = {}) const override;
  QVariant data(const QModelIndex& index, int role = Qt::DisplayRole) const override;
  QVariant headerData(int section, Qt::Orientation orientation, int role = Qt::DisplayRole) const override;

  void setRuns(std::vector<DistilRun> runs);
  const std::vector<DistilRun>& runs() const { return m_runs; }
  /// Null when there is none.
  const DistilRun* run(std::int64_t id) const;
  int rowOf(std::int64_t id) const;  // -1 when there is none
  /// Changes one run in place, or adds it.
  void change(std::int64_t id, const std::function<void(DistilRun&)>& edit);

  /// -1: none.
  void setBaseline(std::int64_t id);
  std::int64_t baseline() const { return m_baseline; }
  void setSmoothing(double smoothing);
  /// The run that is going now, -1: none. Others marked as running were interrupted.
  void setLive(std::int64_t id);

 private:
  QString text(const DistilRun& run, int column) const;
  QString stateText(const DistilRun& run) const;

  std::vector<DistilRun> m_runs;
  std::int64_t m_baseline = -1;
  std::int64_t m_live = -1;
  double m_smoothing = 0;
};

}  // namespace tandem::ui
