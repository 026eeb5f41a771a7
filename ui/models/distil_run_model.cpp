#include "ui/models/distil_run_model.h"

#include <algorithm>

#include <QFont>

#include "ui/format.h"
#include "ui/theme.h"

namespace tandem::ui {

int DistilRunModel::rowCount(const QModelIndex& parent) const {
  return parent.isValid() ? 0 : static_cast<int>(m_runs.size());
}

int DistilRunModel::columnCount(const QModelIndex& parent) const {
  return parent.isValid() ? 0 : ColumnCount;
}

QVariant DistilRunModel::headerData(int section, Qt::Orientation orientation, int role) const {
  if (orientation != Qt::Horizontal || role != Qt::DisplayRole) return {};
  const QStringList names{tr("Run"),  tr("Stage"),      tr("Updates"), tr("Tokens"),
                          tr("Loss"), tr("Δ baseline"), tr("tok/s"),   tr("State")};
  return names.value(section);
}

QVariant DistilRunModel::data(const QModelIndex& index, int role) const {
  if (!checkIndex(index, CheckIndexOption::IndexIsValid)) return {};
  const DistilRun& run = m_runs[static_cast<std::size_t>(index.row())];
  switch (role) {
    case Qt::DisplayRole:
      return text(run, index.column());
    case Qt::ToolTipRole:
      return tr("%1\nbegun %2 on %3, teacher %4")
          .arg(QString::fromStdString(run.row.folder), QString::fromStdString(run.row.started_utc),
               QString::fromStdString(run.row.device),
               run.row.teacher.empty() ? tr("none") : QString::fromStdString(run.row.teacher));
    case Qt::TextAlignmentRole:
      return static_cast<int>(
          Qt::AlignVCenter |
          (index.column() >= Updates && index.column() <= Rate ? Qt::AlignRight : Qt::AlignLeft));
    case IdRole:
      return static_cast<qint64>(run.row.id);
    default:
      return {};
  }
}

QString DistilRunModel::text(const DistilRun& run, int column) const {
  const bool begun = !run.updates.empty();
  const QString none = QStringLiteral("–");
  switch (column) {
    case Name: {
      const QString name = QString::fromStdString(run.row.name);
      return run.row.id == m_baseline ? tr("%1 (baseline)").arg(name) : name;
    }
    case Stage:
      return begun ? tr("%1 of %2").arg(run.updates.back().stage + 1).arg(run.stages.size()) : none;
    case Updates:
      return tr("%1 of %2").arg(formatCount(std::ssize(run.updates)), formatCount(run.totalSteps()));
    case Tokens:
      return begun ? formatCount(run.updates.back().tokens) : none;
    case Loss:
      return begun ? formatNumber(run.updates.back().loss) : none;
    case Difference: {
      const DistilRun* baseline = run.row.id == m_baseline ? nullptr : this->run(m_baseline);
      const auto difference =
          baseline != nullptr ? lossDifference(run, *baseline, m_smoothing) : std::nullopt;
      return difference ? formatDelta(*difference, 3) : none;
    }
    case Rate:
      return begun ? formatCount(std::llround(run.updates.back().tokens_per_s)) : none;
    default:
      return stateText(run);
  }
}

QString DistilRunModel::stateText(const DistilRun& run) const {
  if (run.row.id == m_live) return tr("▶ running");
  if (run.row.state == "finished") return tr("✓ finished");
  if (run.row.state == "failed") return tr("✗ failed");
  return run.row.state == "stopped" ? tr("paused") : tr("interrupted");
}

void DistilRunModel::setRuns(std::vector<DistilRun> runs) {
  beginResetModel();
  m_runs = std::move(runs);
  if (run(m_baseline) == nullptr) m_baseline = -1;
  endResetModel();
}

int DistilRunModel::rowOf(std::int64_t id) const {
  const auto found =
      std::find_if(m_runs.begin(), m_runs.end(), [id](const DistilRun& run) { return run.row.id == id; });
  return found == m_runs.end() ? -1 : static_cast<int>(found - m_runs.begin());
}

const DistilRun* DistilRunModel::run(std::int64_t id) const {
  const int row = rowOf(id);
  return row < 0 ? nullptr : &m_runs[static_cast<std::size_t>(row)];
}

void DistilRunModel::change(std::int64_t id, const std::function<void(DistilRun&)>& edit) {
  int row = rowOf(id);
  if (row < 0) {
    row = rowCount();
    beginInsertRows({}, row, row);
    m_runs.emplace_back().row.id = id;
    edit(m_runs.back());
    endInsertRows();
    return;
  }
  edit(m_runs[static_cast<std::size_t>(row)]);
  emit dataChanged(index(row, 0), index(row, ColumnCount - 1), {Qt::DisplayRole});
}

void DistilRunModel::setBaseline(std::int64_t id) {
  m_baseline = id;
  if (!m_runs.empty()) emit dataChanged(index(0, 0), index(rowCount() - 1, ColumnCount - 1));
}

void DistilRunModel::setSmoothing(double smoothing) {
  m_smoothing = smoothing;
  if (!m_runs.empty()) emit dataChanged(index(0, Difference), index(rowCount() - 1, Difference));
}

void DistilRunModel::setLive(std::int64_t id) {
  m_live = id;
  if (!m_runs.empty()) emit dataChanged(index(0, State), index(rowCount() - 1, State));
}

}  // namespace tandem::ui
