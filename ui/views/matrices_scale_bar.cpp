#include "ui/views/matrices_scale_bar.h"

#include <QCheckBox>
#include <QComboBox>
#include <QHBoxLayout>
#include <QLabel>
#include <QSlider>

#include "ui/widgets/color_map_picker.h"

namespace tandem::ui {
namespace {

constexpr int kGammaSteps = 100;  // slider units per unit of gamma

QCheckBox* addBox(QHBoxLayout* row, const QString& name, const QString& text, const QString& tip,
                  bool checked) {
  auto* box = new QCheckBox(text);
  box->setObjectName(name);
  box->setToolTip(tip);
  box->setChecked(checked);
  row->addWidget(box);
  return box;
}

}  // namespace

MatricesScaleBar::MatricesScaleBar(QWidget* parent) : QWidget(parent) {
  setObjectName(QStringLiteral("scaleBar"));
  auto* row = new QHBoxLayout(this);
  row->setContentsMargins(0, 0, 0, 0);
  row->setSpacing(8);
  auto* label = new QLabel(tr("Scale"), this);
  m_mode = new QComboBox(this);
  m_mode->setObjectName(QStringLiteral("scaleMode"));
  m_mode->setAccessibleName(tr("Scale mode"));
  m_mode->setToolTip(tr("How numbers become colours (M cycles). Difference and content are signed."));
  for (const ScaleMode mode : kScaleModes) m_mode->addItem(scaleModeName(mode));
  label->setBuddy(m_mode);
  m_gamma = new QSlider(Qt::Horizontal, this);
  m_gamma->setObjectName(QStringLiteral("gamma"));
  m_gamma->setAccessibleName(tr("Gamma of the power scale"));
  m_gamma->setRange(kGammaSteps / 5, kGammaSteps);
  m_gamma->setValue(static_cast<int>(m_settings.gamma * kGammaSteps));
  m_gamma->setFixedWidth(80);
  m_gammaText = new QLabel(this);
  m_colors = new ColorMapPicker(this);
  row->addWidget(label);
  row->addWidget(m_mode);
  row->addWidget(m_gamma);
  row->addWidget(m_gammaText);
  row->addWidget(m_colors);
  row->addSpacing(8);
  m_lock = addBox(row, QStringLiteral("lockRange"), tr("Same range for A and M"),
                  tr("Teacher and student share one colour range (L)"), true);
  m_skip = addBox(
      row, QStringLiteral("includeSkip"), tr("Add D skip"),
      tr("Adds the student's D on the diagonal, as in MOHAWK's matrix. Off: M is decay times content."),
      false);
  row->addStretch(1);
  m_difference = addBox(row, QStringLiteral("showDifference"), tr("Difference"), tr("Show M − A (X)"), true);
  m_decomposition = addBox(row, QStringLiteral("showDecomposition"), tr("Decay and content"),
                           tr("Show the two factors of M (D)"), true);
  connect(m_mode, &QComboBox::currentIndexChanged, this, &MatricesScaleBar::read);
  connect(m_gamma, &QSlider::valueChanged, this, &MatricesScaleBar::read);
  connect(m_lock, &QCheckBox::toggled, this, &MatricesScaleBar::read);
  connect(m_skip, &QCheckBox::toggled, this, &MatricesScaleBar::settingsChanged);
  connect(m_colors, &ColorMapPicker::picked, this, &MatricesScaleBar::colorMapChanged);
  connect(m_difference, &QCheckBox::toggled, this, &MatricesScaleBar::mapsShownChanged);
  connect(m_decomposition, &QCheckBox::toggled, this, &MatricesScaleBar::mapsShownChanged);
  read();
}

bool MatricesScaleBar::includeSkip() const {
  return m_skip->isEnabled() && m_skip->isChecked();
}

const ColorMap& MatricesScaleBar::colorMap() const {
  return m_colors->colorMap();
}

void MatricesScaleBar::setMode(ScaleMode mode) {
  m_mode->setCurrentIndex(static_cast<int>(mode));  // listed in the order of kScaleModes
}

void MatricesScaleBar::cycleMode() {
  m_mode->setCurrentIndex((m_mode->currentIndex() + 1) % m_mode->count());
}

void MatricesScaleBar::toggleLock() {
  m_lock->toggle();
}

void MatricesScaleBar::setDecompositionShown(bool on) {
  m_decomposition->setChecked(on);
}

void MatricesScaleBar::setDifferenceShown(bool on) {
  m_difference->setChecked(on);
}

bool MatricesScaleBar::decompositionShown() const {
  return m_decomposition->isChecked();
}

bool MatricesScaleBar::differenceShown() const {
  return m_difference->isChecked();
}

void MatricesScaleBar::setSkipAvailable(bool on, const QString& reason) {
  m_skip->setEnabled(on);
  m_skip->setToolTip(
      on ? tr("Adds the student's D on the diagonal, as in MOHAWK's matrix. Off: M is decay times "
              "content.")
         : reason);
}

void MatricesScaleBar::read() {
  m_settings.mode = kScaleModes[static_cast<std::size_t>(m_mode->currentIndex())];
  m_settings.gamma = static_cast<double>(m_gamma->value()) / kGammaSteps;
  m_settings.locked = m_lock->isChecked();
  const bool power = m_settings.mode == ScaleMode::Power;
  m_gamma->setVisible(power);
  m_gammaText->setVisible(power);
  m_gammaText->setText(QStringLiteral("γ %1").arg(m_settings.gamma, 0, 'f', 2));
  emit settingsChanged();
}

}  // namespace tandem::ui
