#include "ui/widgets/matrix_scale.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include <QCoreApplication>

namespace tandem::ui {
namespace {

constexpr double kCapFraction = 0.005;

QString tr(const char* text) {
  return QCoreApplication::translate("MatrixScale", text);
}

/// The value with `fraction` of the others below it. Reorders `values`, which must not be empty.
double percentile(std::vector<float>& values, double fraction) {
  const auto index = std::lround(fraction * static_cast<double>(values.size() - 1));
  const auto nth = values.begin() + index;
  std::nth_element(values.begin(), nth, values.end());
  return *nth;
}

}  // namespace

QString scaleModeName(ScaleMode mode) {
  switch (mode) {
    case ScaleMode::Value:
      return tr("Value");
    case ScaleMode::Log:
      return tr("log₁₀|x|");
    case ScaleMode::Power:
      return tr("Power γ");
    case ScaleMode::Signed:
      return tr("Signed");
    case ScaleMode::RowRescaled:
      return tr("Row-rescaled");
  }
  return {};
}

ValueSpread ValueSpread::united(const ValueSpread& other) const {
  ValueSpread both = *this;
  both.lowest = std::min(lowest, other.lowest);
  both.highest = std::max(highest, other.highest);
  both.lowCap = std::min(lowCap, other.lowCap);
  both.highCap = std::max(highCap, other.highCap);
  both.magnitude = std::max(magnitude, other.magnitude);
  both.magnitudeCap = std::max(magnitudeCap, other.magnitudeCap);
  both.nonFinite += other.nonFinite;
  return both;
}

ValueSpread valueSpread(TensorView matrix) {
  ValueSpread spread;
  std::vector<float> values;
  const std::int64_t seqlen = matrix.extent(0);
  values.reserve(static_cast<std::size_t>(seqlen * (seqlen + 1) / 2));
  for (std::int64_t i = 0; i < seqlen; ++i) {
    const float* row = matrix.row(i);
    for (std::int64_t j = 0; j <= i; ++j) {
      if (std::isfinite(row[j]))
        values.push_back(row[j]);
      else
        ++spread.nonFinite;
    }
  }
  if (values.empty()) return spread;
  spread.lowCap = percentile(values, kCapFraction);
  spread.highCap = percentile(values, 1 - kCapFraction);
  const auto [lowest, highest] = std::minmax_element(values.begin(), values.end());
  spread.lowest = *lowest;
  spread.highest = *highest;
  for (float& value : values) value = std::abs(value);
  spread.magnitudeCap = percentile(values, 1 - kCapFraction);
  spread.magnitude = std::max(std::abs(spread.lowest), std::abs(spread.highest));
  return spread;
}

double MatrixScale::transform(double value, double rowLargest) const {
  switch (mode) {
    case ScaleMode::Value:
    case ScaleMode::Signed:
      return value;
    case ScaleMode::Log:
      return std::log10(std::max(std::abs(value), kLogFloor));
    case ScaleMode::Power:
      return std::abs(value);
    case ScaleMode::RowRescaled:
      return rowLargest > 0 ? std::abs(value) / rowLargest : 0.0;
  }
  return value;
}

QString MatrixScale::caption() const {
  const bool capped = cappedAbove || cappedBelow;
  switch (mode) {
    case ScaleMode::Value:
      return capped ? tr("value, cap 99.5 %") : tr("value");
    case ScaleMode::Log:
      return tr("log₁₀|x|, floor −6");
    case ScaleMode::Power:
      return (capped ? tr("|x|, γ %1, cap 99.5 %") : tr("|x|, γ %1")).arg(gamma, 0, 'f', 2);
    case ScaleMode::Signed:
      return capped ? tr("signed, cap 99.5 %") : tr("signed");
    case ScaleMode::RowRescaled:
      return tr("|x| / largest of its row");
  }
  return {};
}

MatrixScale makeScale(ScaleMode mode, double gamma, const ValueSpread& spread) {
  MatrixScale scale;
  scale.mode = mode;
  switch (mode) {
    case ScaleMode::Value:
      scale.lower = std::min(0.0, spread.lowCap);
      scale.upper = spread.highCap;
      scale.cappedBelow = spread.lowest < scale.lower;
      scale.cappedAbove = spread.highest > scale.upper;
      break;
    case ScaleMode::Log:
      scale.lower = std::log10(kLogFloor);
      scale.upper = std::log10(std::max(spread.magnitude, 10 * kLogFloor));
      break;
    case ScaleMode::Power:
      scale.gamma = gamma;
      scale.upper = spread.magnitudeCap;
      scale.cappedAbove = spread.magnitude > scale.upper;
      break;
    case ScaleMode::Signed:
      scale.lower = -spread.magnitudeCap;
      scale.upper = spread.magnitudeCap;
      scale.cappedBelow = spread.lowest < scale.lower;
      scale.cappedAbove = spread.highest > scale.upper;
      break;
    case ScaleMode::RowRescaled:
      break;
  }
  if (scale.upper - scale.lower < 1e-12) scale.upper = scale.lower + 1;  // a matrix of zeros still has a bar
  return scale;
}

MatrixScale makeDecayScale(ScaleMode mode, double gamma) {
  ValueSpread unit;
  unit.highest = unit.highCap = unit.magnitude = unit.magnitudeCap = 1;
  const bool follows = mode == ScaleMode::Log || mode == ScaleMode::Power;
  return makeScale(follows ? mode : ScaleMode::Value, gamma, unit);
}

}  // namespace tandem::ui
