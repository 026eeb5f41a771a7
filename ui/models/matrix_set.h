// The mixing matrices of a teacher and a student for one text, captured now or recorded earlier. Immutable
// once made and shared between the GUI and its workers.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include <QString>
#include <QStringList>

#include "core/mixing/capture.h"
#include "core/session/session.h"
#include "ui/theme.h"

namespace tandem::ui {

/// Which pair of heads is looked at. Student heads walk; the teacher's head is the same one when counts are
/// equal, else what the user paired.
struct HeadPair {
  int layer = 0;
  int student = 0;
  int teacher = 0;
  bool operator==(const HeadPair&) const = default;
};

/// One model's matrices. Layers that were not captured are absent.
class MatrixSide {
 public:
  MatrixSide() = default;
  MatrixSide(QString name, int layerCount, Capture capture);

  const QString& name() const { return m_name; }
  int layerCount() const { return m_layerCount; }
  const Capture& capture() const { return m_capture; }
  /// Null when the layer does not exist or was not captured.
  const LayerMatrices* layer(int layer) const;
  int heads(int layer) const;

  // Views of one head, [T, T]; empty when absent.
  TensorView matrix(int layer, int head) const;
  TensorView decay(int layer, int head) const;
  TensorView content(int layer, int head) const;
  /// D of an SSM head, where it is known (recordings hold no D).
  std::optional<float> skip(int layer, int head) const;
  /// A copy with D added on the diagonal: MOHAWK's matrix. Equal to matrix() where D is unknown.
  Tensor matrixWithSkip(int layer, int head) const;

 private:
  QString m_name;
  int m_layerCount = 0;
  Capture m_capture;
};

struct MatrixSet {
  std::vector<std::int32_t> ids;
  QStringList tokens;  // one per id, as shown on axes: visible spaces and line ends
  std::array<MatrixSide, 2> sides;
  QString origin;         // what the text is: "problem 3 and its solution"
  bool recorded = false;  // read from a session, half-precision

  int seqlen() const { return static_cast<int>(ids.size()); }
  const MatrixSide& teacher() const { return sides[0]; }
  const MatrixSide& student() const { return sides[1]; }
  const MatrixSide& side(Side side) const { return sides[static_cast<std::size_t>(side)]; }
  /// Student heads and teacher heads of a layer can be laid side by side one to one.
  bool pairsOneToOne(int layer) const;
  bool contains(const HeadPair& pair) const;
  /// Whether D is known of the student's recurrent layers.
  bool knowsSkip() const;
};

using MatrixSetPtr = std::shared_ptr<const MatrixSet>;

/// M - A of two [T, T] matrices; zero above the diagonal.
Tensor differenceOf(TensorView student, TensorView teacher);

/// What the read-out says of one cell. Absent values are unknown or do not exist, never 0.
struct CellValues {
  int query = -1, key = -1;
  std::optional<double> teacher, student, difference, decay, content, skip;
};
/// Masked cells (key > query) and cells outside have no values. `includeSkip` adds D to the student's
/// diagonal.
CellValues cellValues(const MatrixSet& set, const HeadPair& pair, bool includeSkip, int query, int key);

/// Spaces as "·", line ends as "⏎", control characters in hexadecimal.
QString visibleToken(const QString& piece);

/// Matrices recorded in a session, grouped into one set per text that both models have; newest last. `tokens`
/// names an id.
std::vector<MatrixSetPtr> recordedSets(const SessionModel& teacher, std::vector<StoredMatrix> teacherRows,
                                       const SessionModel& student, std::vector<StoredMatrix> studentRows,
                                       const std::function<QString(std::int32_t)>& tokenName);

}  // namespace tandem::ui
