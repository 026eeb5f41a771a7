// Layers x heads of the student as a table: a thumbnail or one number per head. In grid order rows are layers
// and columns heads; worst first, cells run from the largest relative distance on, row by row.
#pragma once

#include <stop_token>
#include <vector>

#include <QAbstractTableModel>
#include <QImage>

#include "ui/models/matrix_set.h"
#include "ui/widgets/color_map.h"

namespace tandem::ui {

enum class HeadMetric {
  StudentThumbnail,
  TeacherThumbnail,
  DifferenceThumbnail,
  RelativeDistance,  // ||M - A||_F / ||A||_F
  Cosine,
  EntropyGap,   // student's mean row entropy minus the teacher's, nats
  MeanLag,      // student's reach, tokens
  RowSumError,  // how far the student's rows are from summing to 1
};
QString headMetricName(HeadMetric metric);
inline bool isThumbnail(HeadMetric metric) {
  return metric <= HeadMetric::DifferenceThumbnail;
}

/// One head of the student beside the teacher's head it is compared with.
struct HeadSummary {
  HeadPair pair;
  bool attentionKept = false;  // hybrid: this student layer is attention
  bool captured = false;       // the student's matrix is there
  bool compared = false;       // the teacher's is there too
  MatrixDistance distance;     // when compared
  MatrixSummary teacher, student;
  Tensor teacherCells, studentCells, differenceCells;  // pooled thumbnails; empty when absent
};
using HeadSummaries = std::shared_ptr<const std::vector<HeadSummary>>;

inline constexpr int kThumbnailCells = 48;

/// Summaries of every student head, layer by layer, each with the teacher head of the same index where the
/// counts are equal. Runs on a worker: about 0.6 ms a head at 256 tokens. Stops early, returning what is
/// done.
HeadSummaries summarizeHeads(const MatrixSet& set, bool includeSkip, std::stop_token stop = {});

/// The number a metric shows of a head; NaN when there is none.
double metricValue(const HeadSummary& head, HeadMetric metric);

class HeadModel : public QAbstractTableModel {
  Q_OBJECT
 public:
  enum Role {
    ImageRole = Qt::UserRole,  // QImage, upper triangle transparent; null unless the metric is a thumbnail
    ValueRole,                 // double: the metric's number, NaN when unknown
    FractionRole,              // double: position of the number between this table's smallest and largest
    LayerRole,
    HeadRole,
    AttentionKeptRole,
    CapturedRole,
  };

  using QAbstractTableModel::QAbstractTableModel;

  int rowCount(const QModelIndex& parent = {}) const override;
  int columnCount(const QModelIndex& parent = {}) const override;
  QVariant data(const QModelIndex& index, int role = Qt::DisplayRole) const override;
  QVariant headerData(int section, Qt::Orientation orientation, int role = Qt::DisplayRole) const override;
  Qt::ItemFlags flags(const QModelIndex& index) const override;

  void setHeads(HeadSummaries heads);
  void setMetric(HeadMetric metric);
  HeadMetric metric() const { return m_metric; }
  /// `limit` > 0 keeps only that many of the worst.
  void setWorstFirst(bool on, int limit = 0);
  bool worstFirst() const { return m_worstFirst; }
  void setColors(const ColorMap& sequential, const ColorMap& diverging);
  const ColorMap& colorMap() const { return m_sequential; }

  QModelIndex indexOf(int layer, int head) const;
  /// Null for cells without a head.
  const HeadSummary* summary(const QModelIndex& index) const;
  /// The head with the largest relative distance; null when nothing is compared.
  const HeadSummary* worst() const;
  /// The recurrent head most like its teacher's among those that look back; null when there is none.
  const HeadSummary* closest() const;

 private:
  void arrange();         // fills m_order; call between begin and endResetModel
  void refreshValues();   // drops cached images and finds the range of the metric's numbers
  void announceChange();  // colours and numbers changed, the arrangement did not
  QImage image(int position) const;
  QString describe(const HeadSummary& head) const;

  HeadSummaries m_heads;
  HeadMetric m_metric = HeadMetric::StudentThumbnail;
  bool m_worstFirst = false;
  int m_limit = 0;
  ColorMap m_sequential = sequentialColorMap(QStringLiteral("viridis"));
  ColorMap m_diverging = divergingColorMap(false);
  int m_columns = 0;
  std::vector<int> m_order;  // cell (row * columns + column) -> index into m_heads, or -1
  double m_smallest = 0, m_largest = 0;
  mutable std::vector<QImage> m_images;  // by index into m_heads, made when first asked for
};

}  // namespace tandem::ui
