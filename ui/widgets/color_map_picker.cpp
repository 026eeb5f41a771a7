#include "ui/widgets/color_map_picker.h"

namespace tandem::ui {

ColorMapPicker::ColorMapPicker(QWidget* parent) : QComboBox(parent) {
  setObjectName(QStringLiteral("colorMapPicker"));
  setAccessibleName(tr("Colour map"));
  const QSize swatch(64, fontMetrics().height());
  setIconSize(swatch);
  for (const ColorMap& map : sequentialColorMaps()) {
    addItem(colorMapSwatch(map, swatch, devicePixelRatioF()), map.name, map.id);
    setItemData(count() - 1,
                tr("%1\nThe lower third of the strip is the map as seen with deuteranopia.").arg(map.source),
                Qt::ToolTipRole);
  }
  connect(this, &QComboBox::currentIndexChanged, this, [this](int index) {
    setToolTip(itemData(index, Qt::ToolTipRole).toString());
    emit picked(itemData(index).toString());
  });
  setToolTip(itemData(0, Qt::ToolTipRole).toString());
}

const ColorMap& ColorMapPicker::colorMap() const {
  return sequentialColorMap(currentData().toString());
}

void ColorMapPicker::setColorMap(const QString& id) {
  setCurrentIndex(findData(sequentialColorMap(id).id));
}

}  // namespace tandem::ui
