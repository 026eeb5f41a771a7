// Chooses a sequential colour map: a strip, its name, its source, and how a colour-blind person sees it.
#pragma once

#include <QComboBox>

#include "ui/widgets/color_map.h"

namespace tandem::ui {

class ColorMapPicker : public QComboBox {
  Q_OBJECT
 public:
  explicit ColorMapPicker(QWidget* parent = nullptr);
  const ColorMap& colorMap() const;
  void setColorMap(const QString& id);

 signals:
  void picked(const QString& id);
};

}  // namespace tandem::ui
