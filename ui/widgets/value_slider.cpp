#include "ui/widgets/value_slider.h"

#include <algorithm>
#include <cmath>

#include <QDoubleSpinBox>
#include <QHBoxLayout>
#include <QKeyEvent>
#include <QLabel>
#include <QSignalBlocker>
#include <QSlider>

#include "ui/theme.h"

namespace tandem::ui {
namespace {
constexpr int kPositions = 2000;
constexpr int kStepsPerDoubling = 16;  // of the seconds scale
constexpr int kSecondsDecimals = 4;
}  // namespace

ValueSlider::ValueSlider(Scale scale, const QString& label, const QString& objectName, QWidget* parent)
    : QWidget(parent), m_scale(scale), m_slider(new QSlider(Qt::Horizontal)), m_spin(new QDoubleSpinBox) {
  setObjectName(objectName);
  auto* caption = new QLabel(label);
  caption->setBuddy(m_slider);
  m_slider->setObjectName(objectName + QLatin1String("Slider"));
  m_slider->setAccessibleName(label);
  m_slider->setRange(0, kPositions);
  m_slider->setMinimumWidth(120);
  m_slider->installEventFilter(this);
  m_spin->setObjectName(objectName + QLatin1String("Spin"));
  m_spin->setAccessibleName(tr("%1, exact value").arg(label));
  m_spin->setKeyboardTracking(false);
  m_spin->setFont(Theme::monospace());
  m_spin->setDecimals(scale == Scale::Count ? 0 : kSecondsDecimals);
  if (scale == Scale::Seconds) m_spin->setSuffix(tr(" s"));
  m_spin->setMinimumWidth(96);

  auto* layout = new QHBoxLayout(this);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->addWidget(caption);
  layout->addWidget(m_slider, 1);
  layout->addWidget(m_spin);
  setRange(1, 1);

  connect(m_slider, &QSlider::valueChanged, this, [this](int at) {
    userValue(m_low * std::pow(m_high / m_low, static_cast<double>(at) / kPositions));
  });
  connect(m_spin, &QDoubleSpinBox::valueChanged, this, [this](double value) {
    m_value = clean(value);
    show();
    emit typed(m_value);
  });
}

void ValueSlider::setRange(double low, double high) {
  m_low = low;
  m_high = std::max(low, high);
  m_slider->setPageStep(m_high > m_low ? std::max(1, static_cast<int>(kPositions / std::log2(m_high / m_low)))
                                       : kPositions);
  setValue(m_value);
}

void ValueSlider::setValue(double value) {
  m_value = clean(value);
  show();
}

void ValueSlider::focusSlider() {
  m_slider->setFocus(Qt::ShortcutFocusReason);
}

bool ValueSlider::eventFilter(QObject* watched, QEvent* event) {
  if (watched == m_slider && event->type() == QEvent::KeyPress &&
      handleKey(static_cast<const QKeyEvent&>(*event)))
    return true;
  return QWidget::eventFilter(watched, event);
}

bool ValueSlider::handleKey(const QKeyEvent& event) {
  const double step = std::pow(2.0, 1.0 / kStepsPerDoubling);
  switch (event.key()) {
    case Qt::Key_Right:
    case Qt::Key_Up:
      userValue(m_scale == Scale::Count ? m_value + 1 : m_value * step);
      return true;
    case Qt::Key_Left:
    case Qt::Key_Down:
      userValue(m_scale == Scale::Count ? m_value - 1 : m_value / step);
      return true;
    case Qt::Key_PageUp:
      userValue(m_value * 2);
      return true;
    case Qt::Key_PageDown:
      userValue(m_value / 2);
      return true;
    case Qt::Key_Home:
      userValue(m_low);
      return true;
    case Qt::Key_End:
      userValue(m_high);
      return true;
    default:
      return false;
  }
}

void ValueSlider::userValue(double value) {
  const double before = m_value;
  m_value = clean(value);
  show();
  if (m_value != before) emit valueChanged(m_value);
}

double ValueSlider::clean(double value) const {
  return std::clamp(m_scale == Scale::Count ? std::round(value) : value, m_low, m_high);
}

int ValueSlider::position(double value) const {
  if (m_high <= m_low) return 0;
  return static_cast<int>(std::lround(kPositions * std::log(value / m_low) / std::log(m_high / m_low)));
}

void ValueSlider::show() {
  const QSignalBlocker quietSlider(m_slider);
  const QSignalBlocker quietSpin(m_spin);
  m_slider->setValue(position(m_value));
  m_slider->setEnabled(m_high > m_low);
  m_spin->setEnabled(m_high > m_low);
  // Rounded outwards: the ends of the range must not be lost to the box's digits.
  const double unit = std::pow(10, m_spin->decimals());
  m_spin->setRange(std::floor(m_low * unit) / unit, std::ceil(m_high * unit) / unit);
  m_spin->setSingleStep(m_scale == Scale::Count ? 1 : std::max(0.001, m_value / 20));
  m_spin->setValue(m_value);
}

}  // namespace tandem::ui
