#include "ui/views/distil_pair.h"

#include <algorithm>

#include <QHBoxLayout>
#include <QLabel>
#include <QPushButton>
#include <QSignalBlocker>
#include <QSpinBox>
#include <QVBoxLayout>

#include "ui/format.h"
#include "ui/theme.h"
#include "ui/widgets/matrix_plot.h"
#include "ui/widgets/snapshot_slider.h"

namespace tandem::ui {
namespace {

constexpr int kLeastHeight = 130;  // of a map

}  // namespace

DistilPair::DistilPair(Workspace& workspace, QWidget* parent)
    : QWidget(parent),
      m_workspace(workspace),
      m_distance(new QLabel(this)),
      m_slider(new SnapshotSlider(this)),
      m_teacher(new MatrixPlot(QStringLiteral("distilTeacherMap"), this)),
      m_student(new MatrixPlot(QStringLiteral("distilStudentMap"), this)),
      m_setTask([this](const TrainingSet& read) { takeSet(read); }),
      m_frameTask([this](const std::shared_ptr<HeadFrame>& frame) { showFrame(frame); }) {
  m_teacher->setTitle(QStringLiteral("%1 %2").arg(sideGlyph(Side::Teacher), sideName(Side::Teacher)));
  m_student->setTitle(QStringLiteral("%1 %2").arg(sideGlyph(Side::Student), sideName(Side::Student)));
  for (MatrixPlot* plot : {m_teacher, m_student}) plot->setMinimumHeight(kLeastHeight);
  m_distance->setObjectName(QStringLiteral("distilDistance"));
  auto* maps = new QHBoxLayout;
  maps->setSpacing(8);
  maps->addWidget(m_teacher, 1);
  maps->addWidget(m_student, 1);
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(4);
  column->addWidget(makeHeadRow());
  column->addLayout(maps, 1);
  column->addWidget(m_slider);
  connect(m_slider, &SnapshotSlider::chosen, this,
          [this](std::int64_t /*id*/, std::int64_t stage, std::int64_t step) {
            read();
            emit placeChosen(stage, step);
          });
  connect(&m_workspace.selection(), &SelectionModel::changed, this, [this](SelectionModel::Fields fields) {
    if (fields & (SelectionModel::Layer | SelectionModel::Head)) requestFrame();
  });
  setRun(nullptr, -1, {});
}

QWidget* DistilPair::makeHeadRow() {
  auto* bar = new QWidget(this);
  auto* row = new QHBoxLayout(bar);
  row->setContentsMargins(0, 0, 0, 0);
  const auto box = [&](const QString& name, const QString& object) {
    auto* label = new QLabel(name, bar);
    auto* spin = new QSpinBox(bar);
    spin->setObjectName(object);
    spin->setAccessibleName(name);
    label->setBuddy(spin);
    row->addWidget(label);
    row->addWidget(spin);
    return spin;
  };
  m_layer = box(tr("Layer"), QStringLiteral("distilLayer"));
  m_head = box(tr("Head"), QStringLiteral("distilHead"));
  m_open = new QPushButton(tr("Open in Matrices"), bar);
  m_open->setObjectName(QStringLiteral("openInMatrices"));
  m_open->setToolTip(tr("All layers and heads of this step, with its scrubber"));
  row->addSpacing(8);
  row->addWidget(m_distance, 1);
  row->addWidget(m_open);
  connect(m_layer, &QSpinBox::valueChanged, this,
          [this](int layer) { m_workspace.selection().setLayer(layer); });
  connect(m_head, &QSpinBox::valueChanged, this, [this](int head) { m_workspace.selection().setHead(head); });
  connect(m_open, &QPushButton::clicked, this,
          [this] { emit openRequested(m_session, m_training, m_slider->snapshot()); });
  return bar;
}

void DistilPair::setRun(std::shared_ptr<tandem::Session> session, std::int64_t training,
                        const std::vector<tandem::SessionSnapshot>& snapshots) {
  const bool another = session != m_session || training != m_training;
  m_session = std::move(session);
  m_training = training;
  std::vector<tandem::SessionSnapshot> ofStudent;
  std::copy_if(snapshots.begin(), snapshots.end(), std::back_inserter(ofStudent),
               [](const tandem::SessionSnapshot& s) { return !s.of_teacher; });
  if (another) m_slider->setSnapshots({});
  m_slider->setSnapshots(std::move(ofStudent));
  const bool any = m_session != nullptr && !m_slider->isEmpty();
  for (QWidget* control : std::initializer_list<QWidget*>{m_layer, m_head, m_open}) control->setEnabled(any);
  if (any) return read();
  m_setTask.cancel();
  m_frameTask.cancel();
  m_reading = -1;
  m_set.reset();
  m_distance->clear();
  for (MatrixPlot* plot : {m_teacher, m_student})
    plot->setEmptyText(m_session == nullptr ? tr("The matrices of a probe text, while they are learned")
                                            : tr("This run kept no matrices"));
}

void DistilPair::choosePlace(std::int64_t stage, std::int64_t step) {
  m_slider->choosePlace(stage, step);
}

void DistilPair::stepBy(int count) {
  m_slider->stepBy(count);
}

/// One at a time, and then the latest that was asked for: dragging the slider shows frames on the way.
void DistilPair::read() {
  const std::int64_t wanted = m_slider->snapshot();
  if (m_session == nullptr || wanted < 0) return;
  if (m_setTask.running()) {
    m_again = true;
    return;
  }
  if (wanted == m_reading && m_set != nullptr) return;
  m_reading = wanted;
  m_setTask.start([session = m_session, training = m_training, wanted](std::stop_token) {
    return readTrainingSet(*session, training, wanted);
  });
}

void DistilPair::takeSet(const TrainingSet& taken) {
  m_set = taken.set;
  if (m_set == nullptr) {
    for (MatrixPlot* plot : {m_teacher, m_student}) plot->setEmptyText(taken.error);
  } else {
    for (MatrixPlot* plot : {m_teacher, m_student}) {
      plot->setEmptyText({});
      plot->setTokens(m_set->tokens);
    }
    SelectionModel& selection = m_workspace.selection();
    if (std::exchange(m_wantsHead, false) && selection.layer() == 0 && selection.head() == 0) {
      selection.setLayer(taken.telling.layer);
      selection.setHead(taken.telling.student);
    }
    requestFrame();
  }
  if (std::exchange(m_again, false)) read();
}

void DistilPair::refreshHeads() {
  const SelectionModel& selection = m_workspace.selection();
  const QSignalBlocker blockLayer(m_layer), blockHead(m_head);
  m_layer->setRange(0, std::max(0, m_set->teacher().layerCount() - 1));
  m_layer->setValue(selection.layer());
  m_head->setRange(0, std::max(0, m_set->teacher().heads(m_layer->value()) - 1));
  m_head->setValue(selection.head());
}

void DistilPair::requestFrame() {
  if (m_set == nullptr) return;
  refreshHeads();
  FrameRequest request;
  request.set = m_set;
  request.pair = {m_layer->value(), m_head->value(), m_head->value()};
  request.includeSkip = true;             // what stage 1 compares
  request.scale.mode = ScaleMode::Power;  // shows faint links as well as strong ones
  m_frameTask.start([request](std::stop_token) { return makeHeadFrame(request); });
}

void DistilPair::showFrame(const std::shared_ptr<HeadFrame>& frame) {
  m_teacher->setMap(frame->map(MapKind::Teacher));
  m_student->setMap(frame->map(MapKind::Student));
  const QString distance =
      frame->distance ? tr("relative distance <b>%1</b>").arg(formatNumber(frame->distance->relative))
                      : tr("this layer keeps its attention");
  m_distance->setText(distance);
  const QString summary =
      tr("%1, layer %2, head %3: %4")
          .arg(m_set->origin)
          .arg(m_layer->value())
          .arg(m_head->value())
          .arg(QString(distance).remove(QStringLiteral("<b>")).remove(QStringLiteral("</b>")));
  m_teacher->setSummary(summary);
  m_student->setSummary(summary);
}

QList<Plot*> DistilPair::plots() const {
  return {m_teacher, m_student};
}

}  // namespace tandem::ui
