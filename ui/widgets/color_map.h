// Colour maps of matrices: sequential ones for magnitudes, a diverging pair for signs. Pure functions; the
// picker is in color_map_picker.h.
#pragma once

#include <qcustomplot.h>

#include <QColor>
#include <QPixmap>
#include <QString>
#include <QVector>

namespace tandem::ui {

struct ColorMap {
  QString id;             // stored in settings
  QString name;           // shown
  QString source;         // who made it and what it is good at
  QVector<QColor> stops;  // evenly spaced, lowest value first

  /// Linear between the stops; `position` is clamped to [0, 1].
  QColor colorAt(double position) const;
  /// A value at fraction t of the range gets the colour at t^gamma; NaN is transparent.
  QCPColorGradient gradient(double gamma = 1.0) const;
};

const QVector<ColorMap>& sequentialColorMaps();
/// The map of that id; viridis when there is none.
const ColorMap& sequentialColorMap(const QString& id);
/// Symmetric in lightness about the middle; first stop = most negative. Blue where a difference student minus
/// teacher is negative (the teacher has more), orange where it is positive.
const ColorMap& divergingColorMap(bool dark);

/// How a person without green-sensitive cones sees a colour.
/// Source: Vienot, Brettel, Mollon 1999, in linear RGB.
QColor seenWithDeuteranopia(const QColor& color);

/// The map as a strip; its lower third shows it as seen with deuteranopia.
QPixmap colorMapSwatch(const ColorMap& map, const QSize& size, qreal devicePixelRatio);

}  // namespace tandem::ui
