#include "ui/widgets/color_map.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <initializer_list>

#include <QCoreApplication>
#include <QPainter>

namespace tandem::ui {
namespace {

constexpr int kGradientStops = 65;  // enough that a warped map stays smooth
constexpr int kGradientLevels = 1024;

QString tr(const char* text) {
  return QCoreApplication::translate("ColorMap", text);
}

QVector<QColor> colors(std::initializer_list<QRgb> values) {
  QVector<QColor> result;
  result.reserve(static_cast<int>(values.size()));
  for (const QRgb value : values) result.append(QColor(value));
  return result;
}

double toLinear(double channel) {
  return channel <= 0.04045 ? channel / 12.92 : std::pow((channel + 0.055) / 1.055, 2.4);
}

double fromLinear(double channel) {
  const double c = std::clamp(channel, 0.0, 1.0);
  return c <= 0.0031308 ? c * 12.92 : 1.055 * std::pow(c, 1 / 2.4) - 0.055;
}

}  // namespace

QColor ColorMap::colorAt(double position) const {
  const double scaled = std::clamp(position, 0.0, 1.0) * static_cast<double>(stops.size() - 1);
  const auto low = std::min(static_cast<qsizetype>(scaled), stops.size() - 2);
  const double t = scaled - static_cast<double>(low);
  const QColor& a = stops[low];
  const QColor& b = stops[low + 1];
  const auto mix = [t](double x, double y) { return static_cast<float>(x + (y - x) * t); };
  return QColor::fromRgbF(mix(a.redF(), b.redF()), mix(a.greenF(), b.greenF()), mix(a.blueF(), b.blueF()));
}

QCPColorGradient ColorMap::gradient(double gamma) const {
  QMap<double, QColor> warped;
  for (int k = 0; k < kGradientStops; ++k) {
    const double t = static_cast<double>(k) / (kGradientStops - 1);
    // Stops are evenly spaced in colour, so that they are dense where a small gamma changes it fast.
    warped.insert(std::pow(t, 1 / gamma), colorAt(t));
  }
  QCPColorGradient gradient;
  gradient.setColorStops(warped);
  gradient.setLevelCount(kGradientLevels);
  gradient.setNanHandling(QCPColorGradient::nhTransparent);
  return gradient;
}

const QVector<ColorMap>& sequentialColorMaps() {
  static const QVector<ColorMap> maps{
      {QStringLiteral("viridis"), tr("Viridis"), tr("Smith and van der Walt, 2015. Even steps of lightness."),
       colors({0x440154, 0x482878, 0x3E4989, 0x31688E, 0x26828E, 0x1F9E89, 0x35B779, 0x6DCD59, 0xB4DE2C,
               0xFDE725})},
      {QStringLiteral("cividis"), tr("Cividis"),
       tr("Nuñez, Anderton and Renslow, 2018. Looks alike with and without colour blindness."),
       colors({0x00204D, 0x00336F, 0x39486B, 0x575C6D, 0x707173, 0x8A8779, 0xA69D75, 0xC4B56C, 0xE4CF5B,
               0xFFEA46})},
      {QStringLiteral("magma"), tr("Magma"), tr("Smith and van der Walt, 2015. Dark: good on a projector."),
       colors({0x000004, 0x180F3D, 0x440F76, 0x721F81, 0x9E2F7F, 0xCD4071, 0xF1605D, 0xFD9668, 0xFECA8D,
               0xFCFDBF})},
      {QStringLiteral("grey"), tr("Grey"), tr("White to black: for print."), colors({0xF7F7F7, 0x0A0A0A})},
  };
  return maps;
}

const ColorMap& sequentialColorMap(const QString& id) {
  const auto& maps = sequentialColorMaps();
  const auto found = std::find_if(maps.begin(), maps.end(), [&](const ColorMap& m) { return m.id == id; });
  return found == maps.end() ? maps.front() : *found;
}

const ColorMap& divergingColorMap(bool dark) {
  static const ColorMap light{
      QStringLiteral("diverging-light"), tr("Blue-orange"), tr("Blue: teacher has more. Orange: student."),
      colors({0x004280, 0x0A6AC7, 0x7395DF, 0xB8C3E8, 0xF7F7F5, 0xE5BBA7, 0xD0835D, 0xAE4E1D, 0x772900})};
  static const ColorMap night{
      QStringLiteral("diverging-dark"), light.name, light.source,
      colors({0xC2D1FE, 0x78A5FE, 0x4476C7, 0x3A4B70, 0x20252B, 0x69422E, 0xB36138, 0xEE8D5E, 0xFEC5AB})};
  return dark ? night : light;
}

QColor seenWithDeuteranopia(const QColor& color) {
  const double r = toLinear(color.redF()), g = toLinear(color.greenF()), b = toLinear(color.blueF());
  const double redGreen = fromLinear(0.29275 * r + 0.70725 * g);
  const double blue = fromLinear(-0.02234 * r + 0.02234 * g + b);
  return QColor::fromRgbF(static_cast<float>(redGreen), static_cast<float>(redGreen),
                          static_cast<float>(blue));
}

QPixmap colorMapSwatch(const ColorMap& map, const QSize& size, qreal devicePixelRatio) {
  QPixmap pixmap(size * devicePixelRatio);
  pixmap.setDevicePixelRatio(devicePixelRatio);
  QPainter painter(&pixmap);
  const int normalHeight = size.height() * 2 / 3;
  for (int x = 0; x < size.width(); ++x) {
    const QColor color = map.colorAt(static_cast<double>(x) / std::max(1, size.width() - 1));
    painter.fillRect(x, 0, 1, normalHeight, color);
    painter.fillRect(x, normalHeight, 1, size.height() - normalHeight, seenWithDeuteranopia(color));
  }
  return pixmap;
}

}  // namespace tandem::ui
