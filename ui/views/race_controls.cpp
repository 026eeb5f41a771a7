#include "ui/views/race_controls.h"

#include <algorithm>
#include <limits>

#include <QHBoxLayout>
#include <QLabel>
#include <QSignalBlocker>

namespace tandem::ui {
namespace {

constexpr int kLargestSeed = std::numeric_limits<int>::max();  // what a spin box holds

}  // namespace

RaceControls::RaceControls(Workspace& workspace, QWidget* parent)
    : QWidget(parent),
      m_workspace(workspace),
      m_completions(new QSpinBox(this)),
      m_budget(new QDoubleSpinBox(this)),
      m_temperature(new QDoubleSpinBox(this)),
      m_seed(new QSpinBox(this)),
      m_mode(new QComboBox(this)) {
  m_completions->setRange(1, 1024);
  m_budget->setRange(0, 3600);
  m_budget->setDecimals(1);
  m_budget->setSuffix(tr(" s"));
  m_budget->setSpecialValueText(tr("none"));
  m_temperature->setRange(0, 2);
  m_temperature->setSingleStep(0.1);
  m_temperature->setDecimals(2);
  m_seed->setRange(0, kLargestSeed);
  m_seed->setMaximumWidth(m_temperature->sizeHint().width() * 5 / 4);  // wide enough for seeds people type
  m_mode->addItem(tr("take turns"), QStringLiteral("take turns"));
  m_mode->addItem(tr("together (shared device, not a measurement)"), QStringLiteral("together"));
  m_mode->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
  m_mode->setMinimumContentsLength(7);

  auto* layout = new QHBoxLayout(this);
  layout->setContentsMargins(8, 0, 0, 0);
  layout->setSpacing(6);
  layout->addWidget(labelled(tr("&Completions"), m_completions, QStringLiteral("completions"),
                             tr("How many chains of thought each model writes for a problem")));
  layout->addWidget(labelled(
      tr("&Budget"), m_budget, QStringLiteral("budget"),
      tr("Seconds of decoding per model and problem; what is unfinished then is cut. 0 is no limit")));
  layout->addWidget(labelled(tr("Te&mperature"), m_temperature, QStringLiteral("temperature"),
                             tr("0 always takes the likeliest token")));
  layout->addWidget(
      labelled(tr("&Seed"), m_seed, QStringLiteral("seed"), tr("The same seed draws the same completions")));
  m_mode->setObjectName(QStringLiteral("mode"));
  m_mode->setAccessibleName(tr("Mode"));
  m_mode->setToolTip(
      tr("Take turns: each model has the whole device, and its speed is a measurement. "
         "Together: both share it, which shows more and measures nothing"));
  layout->addWidget(m_mode);
  layout->addStretch();

  connect(m_completions, &QSpinBox::valueChanged, this, &RaceControls::toSettings);
  connect(m_budget, &QDoubleSpinBox::valueChanged, this, &RaceControls::toSettings);
  connect(m_temperature, &QDoubleSpinBox::valueChanged, this, &RaceControls::toSettings);
  connect(m_seed, &QSpinBox::valueChanged, this, &RaceControls::toSettings);
  connect(m_mode, &QComboBox::currentIndexChanged, this, &RaceControls::toSettings);
  connect(&m_workspace, &Workspace::settingsChanged, this, &RaceControls::fromSettings);
  connect(&m_workspace, &Workspace::stateChanged, this,
          [this] { setEnabled(m_workspace.state() != Workspace::State::Running); });
  fromSettings();
}

QWidget* RaceControls::labelled(const QString& text, QWidget* control, const QString& name,
                                const QString& tip) {
  auto* box = new QWidget(this);
  auto* layout = new QHBoxLayout(box);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->setSpacing(4);
  auto* label = new QLabel(text, box);
  label->setBuddy(control);
  label->setSizePolicy(QSizePolicy::Minimum, QSizePolicy::Preferred);  // a narrow window cuts no word
  control->setObjectName(name);
  control->setToolTip(tip);
  control->setAccessibleName(QString(text).remove(QLatin1Char('&')));
  layout->addWidget(label);
  layout->addWidget(control);
  return box;
}

void RaceControls::fromSettings() {
  const tandem::RunSettings& settings = m_workspace.settings();
  const QSignalBlocker blockers[] = {QSignalBlocker(m_completions), QSignalBlocker(m_budget),
                                     QSignalBlocker(m_temperature), QSignalBlocker(m_seed),
                                     QSignalBlocker(m_mode)};
  m_completions->setValue(settings.completions);
  m_budget->setValue(settings.time_budget_s.value_or(0));
  m_temperature->setValue(static_cast<double>(settings.sampling.temperature));
  m_seed->setValue(static_cast<int>(std::min<std::uint64_t>(settings.seed, kLargestSeed)));
  m_mode->setCurrentIndex(m_mode->findData(QString::fromStdString(settings.mode)));
}

void RaceControls::toSettings() {
  tandem::RunSettings settings = m_workspace.settings();
  settings.completions = m_completions->value();
  settings.time_budget_s.reset();
  if (m_budget->value() > 0) settings.time_budget_s = m_budget->value();
  settings.sampling.temperature = static_cast<float>(m_temperature->value());
  settings.seed = static_cast<std::uint64_t>(m_seed->value());
  settings.mode = m_mode->currentData().toString().toStdString();
  m_workspace.setSettings(settings);
}

}  // namespace tandem::ui
