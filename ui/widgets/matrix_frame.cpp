#include "ui/widgets/matrix_frame.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <QCoreApplication>

namespace tandem::ui {
namespace {

QString tr(const char* text) {
  return QCoreApplication::translate("MatrixFrame", text);
}

/// What is drawn of a matrix: a block of it, exact or pooled, and where that block lies among the tokens.
struct Block {
  Tensor pooledCells;  // owns the cells when pooled
  TensorView cells;    // [T, T] or pooled [n, n]
  int firstRow = 0, rows = 0, firstColumn = 0, columns = 0;
  double tokensPerCell = 1;
};

Block makeBlock(TensorView matrix, const TokenWindow& window) {
  Block block;
  const int seqlen = static_cast<int>(matrix.extent(0));
  const int rows = window.lastQuery - window.firstQuery + 1;
  const int columns = window.lastKey - window.firstKey + 1;
  const bool zoomed = rows > 0 && columns > 0 && rows <= kMaxMapCells && columns <= kMaxMapCells;
  block.cells = matrix;
  block.rows = block.columns = seqlen;
  if (seqlen > kMaxMapCells && zoomed) {
    block.firstRow = std::clamp(window.firstQuery, 0, seqlen - rows);
    block.firstColumn = std::clamp(window.firstKey, 0, seqlen - columns);
    block.rows = rows;
    block.columns = columns;
  } else if (seqlen > kMaxMapCells) {
    block.pooledCells = pooled(matrix, kMaxMapCells);
    block.cells = block.pooledCells;
    block.rows = block.columns = kMaxMapCells;
    block.tokensPerCell = static_cast<double>(seqlen) / kMaxMapCells;
  }
  return block;
}

double largestMagnitude(const float* row, int count) {
  double largest = 0;
  for (int j = 0; j < count; ++j)
    if (std::isfinite(row[j])) largest = std::max(largest, std::abs(static_cast<double>(row[j])));
  return largest;
}

/// Centres of a block's first and last cell in token coordinates.
QCPRange cellCentres(int first, int count, double tokensPerCell) {
  return {(first + 0.5) * tokensPerCell - 0.5, (first + count - 0.5) * tokensPerCell - 0.5};
}

std::unique_ptr<QCPColorMapData> fillCells(const Block& block, const MatrixScale& scale) {
  auto cells = std::make_unique<QCPColorMapData>(
      block.columns, block.rows, cellCentres(block.firstColumn, block.columns, block.tokensPerCell),
      cellCentres(block.firstRow, block.rows, block.tokensPerCell));
  constexpr double kMasked = std::numeric_limits<double>::quiet_NaN();
  for (int r = 0; r < block.rows; ++r) {
    const int query = block.firstRow + r;
    const float* row = block.cells.row(query);
    const double largest = scale.mode == ScaleMode::RowRescaled ? largestMagnitude(row, query + 1) : 0.0;
    for (int c = 0; c < block.columns; ++c) {
      const int key = block.firstColumn + c;
      const bool drawn = key <= query && std::isfinite(row[key]);
      cells->setCell(c, r, drawn ? scale.transform(row[key], largest) : kMasked);
    }
  }
  return cells;
}

MapFrame drawnMap(TensorView matrix, const MatrixScale& scale, std::int64_t nonFinite,
                  const TokenWindow& window) {
  MapFrame map;
  const Block block = makeBlock(matrix, window);
  map.cells = fillCells(block, scale);
  map.scale = scale;
  map.pooling = static_cast<int>(std::ceil(block.tokensPerCell));
  map.nonFinite = nonFinite;
  return map;
}

MapFrame missingMap(const QString& reason) {
  MapFrame map;
  map.reason = reason;
  return map;
}

QString missingReason(const MatrixSide& side, int layer, int head) {
  if (layer >= side.layerCount()) return tr("%1 has no layer %2.").arg(side.name()).arg(layer);
  if (side.layer(layer) == nullptr) return tr("Layer %1 is not captured yet.").arg(layer);
  return tr("%1 has no head %2 in layer %3.").arg(side.name()).arg(head).arg(layer);
}

/// The strongest look back by two tokens or more from the second half of the text, past the first token,
/// which many heads use as a resting place.
void findTelltale(TensorView matrix, HeadFrame& frame) {
  const auto seqlen = static_cast<int>(matrix.extent(0));
  frame.telltaleQuery = frame.telltaleKey = seqlen - 1;
  float strongest = 0;
  for (int i = seqlen / 2; i < seqlen; ++i)
    for (int j = 1; j <= i - 2; ++j)
      if (matrix.row(i)[j] > strongest) {
        strongest = matrix.row(i)[j];
        frame.telltaleQuery = i;
        frame.telltaleKey = j;
      }
}

/// Teacher and student, on one range when locked, and their difference.
void drawPair(TensorView teacher, TensorView student, HeadFrame& frame) {
  const FrameRequest& request = frame.request;
  const ScaleSettings& settings = request.scale;
  const ValueSpread teacherSpread = teacher.empty() ? ValueSpread() : valueSpread(teacher);
  const ValueSpread studentSpread = student.empty() ? ValueSpread() : valueSpread(student);
  const ValueSpread both = teacherSpread.united(studentSpread);
  const auto draw = [&](MapKind kind, TensorView matrix, const ValueSpread& own, const MatrixSide& side,
                        int head) {
    frame.map(kind) =
        matrix.empty()
            ? missingMap(missingReason(side, request.pair.layer, head))
            : drawnMap(matrix, makeScale(settings.mode, settings.gamma, settings.locked ? both : own),
                       own.nonFinite, request.window);
  };
  draw(MapKind::Teacher, teacher, teacherSpread, request.set->teacher(), request.pair.teacher);
  draw(MapKind::Student, student, studentSpread, request.set->student(), request.pair.student);
  if (teacher.empty() || student.empty()) {
    frame.map(MapKind::Difference) = missingMap(tr("A difference needs both matrices."));
    return;
  }
  const Tensor difference = differenceOf(student, teacher);
  const ValueSpread spread = valueSpread(difference);
  frame.map(MapKind::Difference) =
      drawnMap(difference, makeScale(ScaleMode::Signed, 1, spread), spread.nonFinite, request.window);
}

/// Why a student's head shows no decay and content.
QString factorsReason(const MatrixSide& student, const HeadPair& pair) {
  const LayerMatrices* layer = student.layer(pair.layer);
  if (layer == nullptr || student.matrix(pair.layer, pair.student).empty())
    return missingReason(student, pair.layer, pair.student);
  if (!is_recurrent(layer->kind))
    return tr("Attention kept from the teacher: no decay and content to split.");
  if (is_channel_mean(layer->kind))
    return tr("Every channel decays at its own pace: no decay and content to split.");
  return tr("Training keeps the matrix alone, not its decay and content.");
}

/// Decay and content: only layers that decay all states alike have them.
void drawFactors(HeadFrame& frame) {
  const FrameRequest& request = frame.request;
  const MatrixSide& student = request.set->student();
  const TensorView decay = student.decay(request.pair.layer, request.pair.student);
  const TensorView content = student.content(request.pair.layer, request.pair.student);
  if (decay.empty() || content.empty()) {
    const QString reason = factorsReason(student, request.pair);
    frame.map(MapKind::Decay) = missingMap(reason);
    frame.map(MapKind::Content) = missingMap(reason);
    return;
  }
  const ScaleSettings& settings = request.scale;
  frame.map(MapKind::Decay) = drawnMap(decay, makeDecayScale(settings.mode, settings.gamma),
                                       valueSpread(decay).nonFinite, request.window);
  const ValueSpread spread = valueSpread(content);
  const ScaleMode mode = settings.mode == ScaleMode::Log ? ScaleMode::Log : ScaleMode::Signed;
  frame.map(MapKind::Content) =
      drawnMap(content, makeScale(mode, settings.gamma, spread), spread.nonFinite, request.window);
}

}  // namespace

std::shared_ptr<HeadFrame> makeHeadFrame(const FrameRequest& request) {
  auto frame = std::make_shared<HeadFrame>();
  frame->request = request;
  const auto& [layer, studentHead, teacherHead] = request.pair;
  const TensorView teacher = request.set->teacher().matrix(layer, teacherHead);
  const Tensor withSkip =
      request.includeSkip ? request.set->student().matrixWithSkip(layer, studentHead) : Tensor();
  const TensorView student =
      withSkip.empty() ? request.set->student().matrix(layer, studentHead) : withSkip.view();
  drawPair(teacher, student, *frame);
  drawFactors(*frame);
  if (!teacher.empty()) {
    frame->teacherLags = lag_profile(teacher);
    frame->teacherSummary = matrix_summary(teacher);
  }
  if (!student.empty()) {
    frame->studentLags = lag_profile(student);
    frame->studentSummary = matrix_summary(student);
  }
  if (!teacher.empty() && !student.empty()) frame->distance = matrix_distance(student, teacher);
  if (!teacher.empty() || !student.empty()) findTelltale(teacher.empty() ? student : teacher, *frame);
  return frame;
}

}  // namespace tandem::ui
