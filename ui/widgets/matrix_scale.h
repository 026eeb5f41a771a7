// How the numbers of a matrix become colours: scale modes, ranges with caps, and their words. No widget here.
#pragma once

#include <array>
#include <cstdint>

#include <QString>

#include "kernels/base/tensor_view.h"

namespace tandem::ui {

enum class ScaleMode {
  Value,        // the number itself, capped at the 99.5th percentile
  Log,          // log10 |x|, floor 1e-6
  Power,        // |x|^gamma
  Signed,       // diverging, symmetric about 0
  RowRescaled,  // |x| over the row's largest |x|: not the raw matrix
};
inline constexpr std::array kScaleModes{ScaleMode::Value, ScaleMode::Log, ScaleMode::Power, ScaleMode::Signed,
                                        ScaleMode::RowRescaled};
inline constexpr double kLogFloor = 1e-6;

/// "Value", "log₁₀|x|", "Power γ", "Signed", "Row-rescaled"
QString scaleModeName(ScaleMode mode);

struct ScaleSettings {
  ScaleMode mode = ScaleMode::Value;
  double gamma = 0.45;  // of Power, 0.2 .. 1
  bool locked = true;   // teacher and student share one range
  bool operator==(const ScaleSettings&) const = default;
};

/// Where the finite numbers of a lower triangle lie. Caps leave out half a percent on a side.
struct ValueSpread {
  double lowest = 0, highest = 0;  // extremes
  double lowCap = 0, highCap = 0;  // percentiles 0.5 and 99.5
  double magnitude = 0;            // largest |x|
  double magnitudeCap = 0;         // percentile 99.5 of |x|
  std::int64_t nonFinite = 0;

  /// The range that holds both: what two maps with one colour bar share.
  ValueSpread united(const ValueSpread& other) const;
};
ValueSpread valueSpread(TensorView matrix);

/// One map's colour scale. Colours are looked up with transform(x) in [lower, upper].
struct MatrixScale {
  ScaleMode mode = ScaleMode::Value;
  double gamma = 1;
  double lower = 0, upper = 1;
  bool cappedBelow = false, cappedAbove = false;  // numbers lie beyond the bar's ends

  bool diverging() const { return mode == ScaleMode::Signed; }
  /// What the bar shows of a number; `rowLargest` is the largest |x| of its row (used by RowRescaled only).
  double transform(double value, double rowLargest) const;
  /// The bar's caption: mode and caps, "γ 0.45".
  QString caption() const;
};
MatrixScale makeScale(ScaleMode mode, double gamma, const ValueSpread& spread);
/// Decay lies in [0, 1] by construction, so that its bar does too.
MatrixScale makeDecayScale(ScaleMode mode, double gamma);

}  // namespace tandem::ui
