#include "ui/widgets/status_strip.h"

#include <QHBoxLayout>

#include "ui/format.h"
#include "ui/theme.h"

namespace tandem::ui {
namespace {

constexpr int kClockMs = 250;

}  // namespace

StatusStrip::StatusStrip(Workspace& workspace, QWidget* parent)
    : QWidget(parent),
      m_workspace(workspace),
      m_badge(new QLabel(this)),
      m_session(new QLabel(this)),
      m_speeds{new QLabel(this), new QLabel(this)},
      m_memory(new QLabel(this)),
      m_seed(new QLabel(this)),
      m_sentence(new ElidedLabel(this)),
      m_device(new DeviceButton(workspace, DeviceButton::Form::Full, this)),
      m_progress(new QProgressBar(this)) {
  m_badge->setObjectName(QStringLiteral("badge"));
  m_badge->setFont(Theme::body(9, QFont::DemiBold));
  m_progress->setMaximumWidth(160);
  m_progress->setAccessibleName(tr("Progress of the run"));
  m_progress->hide();
  auto* layout = new QHBoxLayout(this);
  layout->setContentsMargins(8, 0, 8, 0);
  layout->setSpacing(16);
  m_sentence->setObjectName(QStringLiteral("sentence"));
  m_sentence->setFont(Theme::body(9));
  for (QLabel* label : {m_badge, m_session}) layout->addWidget(label);
  layout->addWidget(m_progress);
  layout->addWidget(m_sentence, 1);
  for (QLabel* label : {m_speeds[0], m_speeds[1], m_memory, m_seed}) {
    label->setFont(Theme::monospace(9));
    layout->addWidget(label);
  }
  m_device->setAutoRaise(true);
  m_device->setFont(Theme::body(9));
  layout->addWidget(m_device);
  m_clock.setInterval(kClockMs);
  connect(&m_clock, &QTimer::timeout, this, &StatusStrip::refreshSpeeds);
  for (auto signal : {&Workspace::stateChanged, &Workspace::sessionChanged, &Workspace::modelsChanged,
                      &Workspace::settingsChanged}) {
    connect(&m_workspace, signal, this, &StatusStrip::refresh);
  }
  connect(&m_workspace, &Workspace::runStarted, this, [this] {
    m_speed[0] = m_speed[1] = {};
    m_progress->setRange(0, 0);
    m_progress->show();
    m_clock.start();
  });
  connect(&m_workspace, &Workspace::problemStarted, this, [this](int side, int) { m_speed[side] = {}; });
  connect(&m_workspace, &Workspace::live, this, [this](const LiveBatch& batch) {
    for (int side = 0; side < 2; ++side) m_speed[side].add(side, batch);
  });
  connect(&m_workspace, &Workspace::runProgress, this, [this](int done, int planned) {
    m_progress->setRange(0, planned);
    m_progress->setValue(done);
  });
  connect(&m_workspace, &Workspace::runFinished, this, [this] {
    m_clock.stop();
    m_progress->hide();
    refreshSpeeds();
  });
  connect(&m_workspace, &Workspace::loadProgress, this, [this](const QString& what, int percent) {
    m_loading = what.isEmpty() ? what : tr("%1, %2 %").arg(what).arg(percent);
    refreshSentence();
  });
  connect(&m_workspace, &Workspace::deviceChanged, this, &StatusStrip::refreshSentence);
  connect(&Theme::instance(), &Theme::changed, this, &StatusStrip::refresh);
  refresh();
}

void StatusStrip::setHint(const QString& hint) {
  m_hint = hint;
  refreshSentence();
}

void StatusStrip::refreshSentence() {
  m_sentence->setText(!m_hint.isEmpty()      ? m_hint
                      : !m_loading.isEmpty() ? m_loading
                                             : m_workspace.deviceNote());
}

void StatusStrip::refresh() {
  const Colors& c = Theme::instance().colors();
  const bool replay = m_workspace.isReplay();
  m_badge->setText(replay ? tr("◼ REPLAY") : tr("● LIVE"));
  m_badge->setToolTip(
      replay ? tr("Recorded earlier on %1; nothing is computed now").arg(m_workspace.recordedDevice())
             : tr("Computed by the models now"));
  QPalette palette = m_badge->palette();
  palette.setColor(QPalette::WindowText, replay ? c.warning : c.correct);
  m_badge->setPalette(palette);
  m_session->setText(m_workspace.sessionName());
  m_session->setVisible(!m_session->text().isEmpty());
  QStringList memory;
  for (Side side : {Side::Teacher, Side::Student}) {
    const auto model = m_workspace.model(side);
    if (model)
      memory << sideGlyph(side) + QLatin1Char(' ') +
                    formatBytes(static_cast<double>(model->info().weight_bytes));
  }
  m_memory->setText(memory.join(QLatin1Char(' ')));
  m_memory->setToolTip(tr("Memory of the weights"));
  const tandem::RunSettings& settings = m_workspace.settings();
  m_seed->setText(tr("seed %1").arg(settings.seed));
  refreshSpeeds();
}

void StatusStrip::refreshSpeeds() {
  for (Side side : {Side::Teacher, Side::Student}) {
    const auto at = static_cast<std::size_t>(side);
    const bool known = m_speed[at].tokens > 0;
    m_speeds[at]->setText(
        known ? sideGlyph(side) + QLatin1Char(' ') + formatRate(m_speed[at].tokensPerSecond()) : QString());
  }
}

}  // namespace tandem::ui
