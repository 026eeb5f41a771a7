#include "ui/models/head_model.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "ui/format.h"

namespace tandem::ui {
namespace {

constexpr double kThumbnailGamma = 0.5;  // faint structure shows at 48 pixels

HeadSummary summarize(const MatrixSet& set, const HeadPair& pair, bool includeSkip) {
  HeadSummary head;
  head.pair = pair;
  const LayerMatrices* layer = set.student().layer(pair.layer);
  head.attentionKept = layer != nullptr && !is_recurrent(layer->kind);
  const Tensor withSkip = includeSkip ? set.student().matrixWithSkip(pair.layer, pair.student) : Tensor();
  const TensorView student =
      withSkip.empty() ? set.student().matrix(pair.layer, pair.student) : withSkip.view();
  const TensorView teacher =
      set.pairsOneToOne(pair.layer) ? set.teacher().matrix(pair.layer, pair.teacher) : TensorView();
  head.captured = !student.empty();
  head.compared = head.captured && !teacher.empty();
  if (head.captured) {
    head.student = matrix_summary(student);
    head.studentCells = pooled(student, kThumbnailCells);
  }
  if (!teacher.empty()) {
    head.teacher = matrix_summary(teacher);
    head.teacherCells = pooled(teacher, kThumbnailCells);
  }
  if (head.compared) {
    head.distance = matrix_distance(student, teacher);
    head.differenceCells = pooled(differenceOf(student, teacher), kThumbnailCells);
  }
  return head;
}

/// Colours a pooled matrix on its own range: magnitudes with a gamma, or signs about 0.
QImage paintThumbnail(const Tensor& cells, const ColorMap& map, bool isSigned) {
  const auto n = static_cast<int>(cells.shape()[0]);
  QImage image(n, n, QImage::Format_ARGB32);
  image.fill(Qt::transparent);
  float largest = 0;
  for (std::int64_t k = 0; k < cells.elements(); ++k)
    if (std::isfinite(cells.f32()[k])) largest = std::max(largest, std::abs(cells.f32()[k]));
  if (largest <= 0) largest = 1;
  for (int i = 0; i < n; ++i)
    for (int j = 0; j <= i; ++j) {
      const double x = cells.view().row(i)[j] / largest;
      if (!std::isfinite(x)) continue;
      image.setPixelColor(j, i, map.colorAt(isSigned ? (x + 1) / 2 : std::pow(std::abs(x), kThumbnailGamma)));
    }
  return image;
}

}  // namespace

QString headMetricName(HeadMetric metric) {
  switch (metric) {
    case HeadMetric::StudentThumbnail:
      return HeadModel::tr("Student M");
    case HeadMetric::TeacherThumbnail:
      return HeadModel::tr("Teacher A");
    case HeadMetric::DifferenceThumbnail:
      return HeadModel::tr("Difference M − A");
    case HeadMetric::RelativeDistance:
      return HeadModel::tr("Relative distance");
    case HeadMetric::Cosine:
      return HeadModel::tr("Cosine");
    case HeadMetric::EntropyGap:
      return HeadModel::tr("Entropy gap");
    case HeadMetric::MeanLag:
      return HeadModel::tr("Mean lag");
    case HeadMetric::RowSumError:
      return HeadModel::tr("Row-sum error");
  }
  return {};
}

HeadSummaries summarizeHeads(const MatrixSet& set, bool includeSkip, std::stop_token stop) {
  auto heads = std::make_shared<std::vector<HeadSummary>>();
  for (int layer = 0; layer < set.student().layerCount(); ++layer) {
    // A layer without matrices still gets one cell, so that the navigator shows that it exists.
    const int count = std::max(1, set.student().heads(layer));
    for (int head = 0; head < count && !stop.stop_requested(); ++head)
      heads->push_back(summarize(set, {layer, head, head}, includeSkip));
  }
  return heads;
}

double metricValue(const HeadSummary& head, HeadMetric metric) {
  constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
  switch (metric) {
    case HeadMetric::RelativeDistance:
      return head.compared ? head.distance.relative : kUnknown;
    case HeadMetric::Cosine:
      return head.compared ? head.distance.cosine : kUnknown;
    case HeadMetric::EntropyGap:
      return head.compared ? head.student.mean_entropy - head.teacher.mean_entropy : kUnknown;
    case HeadMetric::MeanLag:
      return head.captured ? head.student.mean_lag : kUnknown;
    case HeadMetric::RowSumError:
      return head.captured ? head.student.max_row_sum_error : kUnknown;
    default:
      return kUnknown;
  }
}

int HeadModel::rowCount(const QModelIndex& parent) const {
  if (parent.isValid() || m_columns == 0) return 0;
  return static_cast<int>(m_order.size()) / m_columns;
}

int HeadModel::columnCount(const QModelIndex& parent) const {
  return parent.isValid() ? 0 : m_columns;
}

const HeadSummary* HeadModel::summary(const QModelIndex& index) const {
  if (!index.isValid() || index.model() != this) return nullptr;
  const int head = m_order[static_cast<std::size_t>(index.row() * m_columns + index.column())];
  return head < 0 ? nullptr : &(*m_heads)[static_cast<std::size_t>(head)];
}

QVariant HeadModel::data(const QModelIndex& index, int role) const {
  const HeadSummary* head = summary(index);
  if (head == nullptr) return {};
  const double value = metricValue(*head, m_metric);
  switch (role) {
    case Qt::DisplayRole:
      return QStringLiteral("L%1H%2").arg(head->pair.layer).arg(head->pair.student);
    case Qt::ToolTipRole:
    case Qt::AccessibleDescriptionRole:
      return describe(*head);
    case Qt::AccessibleTextRole:
      return tr("layer %1 head %2").arg(head->pair.layer).arg(head->pair.student);
    case ImageRole:
      return image(m_order[static_cast<std::size_t>(index.row() * m_columns + index.column())]);
    case ValueRole:
      return value;
    case FractionRole:
      return m_largest > m_smallest ? (value - m_smallest) / (m_largest - m_smallest) : 0.5;
    case LayerRole:
      return head->pair.layer;
    case HeadRole:
      return head->pair.student;
    case AttentionKeptRole:
      return head->attentionKept;
    case CapturedRole:
      return head->captured;
    default:
      return {};
  }
}

QVariant HeadModel::headerData(int section, Qt::Orientation orientation, int role) const {
  if (role != Qt::DisplayRole) return {};
  if (m_worstFirst)
    return orientation == Qt::Vertical ? QVariant(section * m_columns + 1) : QVariant(QString());
  return (orientation == Qt::Vertical ? QStringLiteral("L%1") : QStringLiteral("h%1")).arg(section);
}

Qt::ItemFlags HeadModel::flags(const QModelIndex& index) const {
  return summary(index) ? Qt::ItemIsEnabled | Qt::ItemIsSelectable : Qt::NoItemFlags;
}

void HeadModel::setHeads(HeadSummaries heads) {
  beginResetModel();
  m_heads = std::move(heads);
  m_images.assign(m_heads ? m_heads->size() : 0, QImage());
  arrange();
  endResetModel();
}

void HeadModel::setMetric(HeadMetric metric) {
  if (metric == m_metric) return;
  m_metric = metric;
  refreshValues();
  announceChange();
}

void HeadModel::setWorstFirst(bool on, int limit) {
  if (on == m_worstFirst && limit == m_limit) return;
  beginResetModel();
  m_worstFirst = on;
  m_limit = limit;
  arrange();
  endResetModel();
}

void HeadModel::setColors(const ColorMap& sequential, const ColorMap& diverging) {
  m_sequential = sequential;
  m_diverging = diverging;
  refreshValues();
  announceChange();
}

QModelIndex HeadModel::indexOf(int layer, int head) const {
  for (std::size_t cell = 0; cell < m_order.size(); ++cell) {
    if (m_order[cell] < 0) continue;
    const HeadPair& pair = (*m_heads)[static_cast<std::size_t>(m_order[cell])].pair;
    if (pair.layer == layer && pair.student == head)
      return index(static_cast<int>(cell) / m_columns, static_cast<int>(cell) % m_columns);
  }
  return {};
}

const HeadSummary* HeadModel::worst() const {
  const HeadSummary* found = nullptr;
  if (!m_heads) return found;
  for (const HeadSummary& head : *m_heads)
    if (head.compared && (found == nullptr || head.distance.relative > found->distance.relative))
      found = &head;
  return found;
}

const HeadSummary* HeadModel::closest() const {
  constexpr double kLooksBack = 2;  // tokens of mean lag: a head that only copies its own token shows little
  const HeadSummary* found = nullptr;
  if (!m_heads) return found;
  for (const HeadSummary& head : *m_heads)
    if (head.compared && !head.attentionKept &&
        std::min(head.teacher.mean_lag, head.student.mean_lag) > kLooksBack &&
        (found == nullptr || head.distance.cosine > found->distance.cosine))
      found = &head;
  return found;
}

void HeadModel::arrange() {
  m_order.clear();
  m_columns = 0;
  if (!m_heads || m_heads->empty()) return;
  int rows = 0;
  for (const HeadSummary& head : *m_heads) {
    m_columns = std::max(m_columns, head.pair.student + 1);
    rows = std::max(rows, head.pair.layer + 1);
  }
  if (m_worstFirst) {
    for (std::size_t k = 0; k < m_heads->size(); ++k)
      if ((*m_heads)[k].compared) m_order.push_back(static_cast<int>(k));
    std::stable_sort(m_order.begin(), m_order.end(), [this](int a, int b) {
      return (*m_heads)[static_cast<std::size_t>(a)].distance.relative >
             (*m_heads)[static_cast<std::size_t>(b)].distance.relative;
    });
    if (m_limit > 0 && m_order.size() > static_cast<std::size_t>(m_limit))
      m_order.resize(static_cast<std::size_t>(m_limit));
    while (m_order.size() % static_cast<std::size_t>(m_columns) != 0) m_order.push_back(-1);
  } else {
    m_order.assign(static_cast<std::size_t>(rows * m_columns), -1);
    for (std::size_t k = 0; k < m_heads->size(); ++k) {
      const HeadPair& pair = (*m_heads)[k].pair;
      m_order[static_cast<std::size_t>(pair.layer * m_columns + pair.student)] = static_cast<int>(k);
    }
  }
  refreshValues();
}

void HeadModel::refreshValues() {
  std::fill(m_images.begin(), m_images.end(), QImage());
  m_smallest = std::numeric_limits<double>::infinity();
  m_largest = -m_smallest;
  for (std::size_t k = 0; m_heads && k < m_heads->size(); ++k) {
    const double value = metricValue((*m_heads)[k], m_metric);
    if (!std::isfinite(value)) continue;
    m_smallest = std::min(m_smallest, value);
    m_largest = std::max(m_largest, value);
  }
}

void HeadModel::announceChange() {
  if (rowCount() > 0) emit dataChanged(index(0, 0), index(rowCount() - 1, m_columns - 1));
}

QImage HeadModel::image(int position) const {
  if (!isThumbnail(m_metric)) return {};
  QImage& cached = m_images[static_cast<std::size_t>(position)];
  if (!cached.isNull()) return cached;
  const HeadSummary& head = (*m_heads)[static_cast<std::size_t>(position)];
  const bool isSigned = m_metric == HeadMetric::DifferenceThumbnail;
  const Tensor& cells = m_metric == HeadMetric::StudentThumbnail   ? head.studentCells
                        : m_metric == HeadMetric::TeacherThumbnail ? head.teacherCells
                                                                   : head.differenceCells;
  if (!cells.empty()) cached = paintThumbnail(cells, isSigned ? m_diverging : m_sequential, isSigned);
  return cached;
}

QString HeadModel::describe(const HeadSummary& head) const {
  QStringList lines{tr("Layer %1, head %2").arg(head.pair.layer).arg(head.pair.student)};
  if (head.attentionKept) lines += tr("attention kept from the teacher");
  if (!head.captured) return (lines += tr("not captured")).join(QLatin1Char('\n'));
  if (head.compared)
    lines += tr("relative distance %1, cosine %2")
                 .arg(formatNumber(head.distance.relative), formatNumber(head.distance.cosine));
  else
    lines += tr("no teacher head of the same number to compare with");
  lines += tr("entropy %1 nats, mean lag %2 tokens")
               .arg(formatNumber(head.student.mean_entropy), formatNumber(head.student.mean_lag));
  if (isThumbnail(m_metric)) lines += tr("Each thumbnail has its own range.");
  return lines.join(QLatin1Char('\n'));
}

}  // namespace tandem::ui
