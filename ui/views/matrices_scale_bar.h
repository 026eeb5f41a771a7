// The controls of how maps are drawn: scale mode, gamma, colour map, shared range, D skip, which maps.
#pragma once

#include <QWidget>

#include "ui/widgets/color_map.h"
#include "ui/widgets/matrix_scale.h"

class QCheckBox;
class QComboBox;
class QLabel;
class QSlider;

namespace tandem::ui {

class ColorMapPicker;

class MatricesScaleBar : public QWidget {
  Q_OBJECT
 public:
  explicit MatricesScaleBar(QWidget* parent = nullptr);

  const ScaleSettings& settings() const { return m_settings; }
  bool includeSkip() const;
  const ColorMap& colorMap() const;

  void setMode(ScaleMode mode);
  void cycleMode();
  void toggleLock();
  void setDecompositionShown(bool on);
  void setDifferenceShown(bool on);
  bool decompositionShown() const;
  bool differenceShown() const;
  /// D can be added only where it is known; `reason` says why not.
  void setSkipAvailable(bool on, const QString& reason);

 signals:
  void settingsChanged();  // mode, gamma, lock or D: maps are worked out anew
  void colorMapChanged();
  void mapsShownChanged();

 private:
  void read();

  ScaleSettings m_settings;
  QComboBox* m_mode;
  QSlider* m_gamma;
  QLabel* m_gammaText;
  ColorMapPicker* m_colors;
  QCheckBox* m_lock;
  QCheckBox* m_skip;
  QCheckBox* m_decomposition;
  QCheckBox* m_difference;
};

}  // namespace tandem::ui
