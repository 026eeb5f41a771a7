// A labelled slider on a logarithmic scale, with a spin box beside it for exact values.
#pragma once

#include <QWidget>

class QDoubleSpinBox;
class QKeyEvent;
class QLabel;
class QSlider;

namespace tandem::ui {

class ValueSlider : public QWidget {
  Q_OBJECT
 public:
  enum class Scale {
    Count,    // whole numbers; an arrow key moves by one
    Seconds,  // an arrow key moves by about 4 %
  };
  ValueSlider(Scale scale, const QString& label, const QString& objectName, QWidget* parent = nullptr);

  /// Both positive. The value is kept inside.
  void setRange(double low, double high);
  double low() const { return m_low; }
  double high() const { return m_high; }
  double value() const { return m_value; }
  void setValue(double value);  // emits nothing
  void focusSlider();

 signals:
  void valueChanged(double value);  // by dragging or keys
  void typed(double value);         // in the spin box: meant exactly

 protected:
  bool eventFilter(QObject* watched, QEvent* event) override;

 private:
  bool handleKey(const QKeyEvent& event);
  void userValue(double value);
  double clean(double value) const;
  int position(double value) const;
  void show();

  Scale m_scale;
  double m_low = 1, m_high = 1, m_value = 1;
  QSlider* m_slider;
  QDoubleSpinBox* m_spin;
};

}  // namespace tandem::ui
