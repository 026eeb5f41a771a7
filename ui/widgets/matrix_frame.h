// Everything the five linked maps and their profiles show of one pair of heads, worked out off the GUI
// thread.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include <qcustomplot.h>

#include "ui/models/matrix_set.h"
#include "ui/widgets/matrix_scale.h"

namespace tandem::ui {

enum class MapKind { Teacher, Student, Difference, Decay, Content };
inline constexpr std::array kMapKinds{MapKind::Teacher, MapKind::Student, MapKind::Difference, MapKind::Decay,
                                      MapKind::Content};
inline constexpr int kMaxMapCells = 1024;  // cells on a side; beyond this a map is max-pooled

/// Tokens [first, last] visible along both axes. Empty = all.
struct TokenWindow {
  int firstQuery = 0, lastQuery = -1, firstKey = 0, lastKey = -1;
  bool operator==(const TokenWindow&) const = default;
};

struct FrameRequest {
  MatrixSetPtr set;
  HeadPair pair;
  ScaleSettings scale;
  bool includeSkip = false;
  TokenWindow window;  // matters only beyond kMaxMapCells tokens: there a zoomed map shows exact cells
};

/// One map: cells already transformed to its scale, NaN where masked.
struct MapFrame {
  std::unique_ptr<QCPColorMapData> cells;  // null when there is nothing to draw
  QString reason;                          // why not, one sentence
  MatrixScale scale;
  int pooling = 1;  // tokens per cell on a side
  std::int64_t nonFinite = 0;
};

struct HeadFrame {
  FrameRequest request;
  std::array<MapFrame, kMapKinds.size()> maps;
  std::vector<double> teacherLags, studentLags;  // mean |x| by lag; empty when there is no matrix
  std::optional<MatrixDistance> distance;        // both heads are there
  std::optional<MatrixSummary> teacherSummary, studentSummary;
  int telltaleQuery = -1, telltaleKey = -1;  // a cell worth pointing at before the first click

  MapFrame& map(MapKind kind) { return maps[static_cast<std::size_t>(kind)]; }
  const MapFrame& map(MapKind kind) const { return maps[static_cast<std::size_t>(kind)]; }
};

/// Pure: reads the set, returns what to draw. About 4 ms at 256 tokens, 0.2 s at 2048.
std::shared_ptr<HeadFrame> makeHeadFrame(const FrameRequest& request);

}  // namespace tandem::ui
