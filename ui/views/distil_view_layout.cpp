// The Distil view's widgets: where they are and what they are connected to.
#include <QComboBox>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QLabel>
#include <QListWidget>
#include <QSlider>
#include <QSplitter>
#include <QTableView>
#include <QVBoxLayout>

#include "ui/theme.h"
#include "ui/views/distil_heat_plot.h"
#include "ui/views/distil_loss_plot.h"
#include "ui/views/distil_pair.h"
#include "ui/views/distil_view.h"
#include "ui/widgets/action_button.h"
#include "ui/widgets/stage_rail.h"

namespace tandem::ui {
namespace {

constexpr int kRowHeight = 22;
constexpr int kTablesHeight = 132, kLeastTablesHeight = 84;
constexpr int kHeatHeight = 190, kPairHeight = 340;  // to begin with

}  // namespace

void DistilView::buildLayout() {
  m_controls = new DistilControls(m_workspace, this);
  m_rail = new StageRail(this);
  m_loss = new DistilLossPlot(this);
  m_heat = new DistilHeatPlot(this);
  m_pair = new DistilPair(m_workspace, this);

  auto* right = new QSplitter(Qt::Vertical, this);
  right->addWidget(m_heat);
  right->addWidget(m_pair);
  right->setSizes({kHeatHeight, kPairHeight});
  right->setStretchFactor(0, 1);
  right->setStretchFactor(1, 2);
  right->setChildrenCollapsible(false);
  auto* left = new QWidget(this);
  auto* leftLayout = new QVBoxLayout(left);
  leftLayout->setContentsMargins(0, 0, 0, 0);
  leftLayout->setSpacing(4);
  leftLayout->addWidget(makeTools());
  leftLayout->addWidget(m_loss, 1);
  auto* across = new QSplitter(Qt::Horizontal, this);
  across->addWidget(left);
  across->addWidget(right);
  across->setStretchFactor(0, 1);
  across->setStretchFactor(1, 1);
  across->setChildrenCollapsible(false);

  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(12, 12, 12, 12);
  column->setSpacing(8);
  column->addWidget(m_controls);
  column->addWidget(m_rail);
  column->addWidget(across, 6);
  column->addWidget(makeTables(), 1);  // in a low window it gives way to the plots
}

QWidget* DistilView::makeTools() {
  auto* bar = new QWidget(this);
  auto* row = new QHBoxLayout(bar);
  row->setContentsMargins(0, 0, 0, 0);
  auto* axis = new QComboBox(bar);
  axis->setObjectName(QStringLiteral("distilAxis"));
  axis->setAccessibleName(tr("Horizontal axis of the loss"));
  axis->addItems({tr("by update"), tr("by tokens"), tr("by time")});  // in the order of CurveAxis
  connect(axis, &QComboBox::currentIndexChanged, this,
          [this](int item) { m_loss->setAxis(static_cast<CurveAxis>(item)); });
  QAction* nextAxis = addViewAction(*this, tr("Next axis"), QStringLiteral("distilNextAxis"),
                                    tr("Updates, tokens or time"), Qt::Key_X, false);
  connect(nextAxis, &QAction::triggered, axis,
          [axis] { axis->setCurrentIndex((axis->currentIndex() + 1) % axis->count()); });
  auto* smoothing = new QSlider(Qt::Horizontal, bar);
  smoothing->setObjectName(QStringLiteral("distilSmoothing"));
  smoothing->setRange(0, 99);
  smoothing->setValue(static_cast<int>(m_loss->smoothing() * 100));
  smoothing->setMaximumWidth(120);
  auto* smoothingLabel = new QLabel(tr("Smoothing"), bar);
  smoothingLabel->setBuddy(smoothing);
  smoothing->setAccessibleName(smoothingLabel->text());
  smoothing->setToolTip(tr("How much of the smoothed curve comes from earlier updates"));
  connect(smoothing, &QSlider::valueChanged, this, [this](int percent) {
    m_loss->setSmoothing(percent / 100.0);
    m_model.setSmoothing(percent / 100.0);
  });
  row->addWidget(axis);
  addToggles(*row);
  row->addStretch(1);
  row->addWidget(smoothingLabel);
  row->addWidget(smoothing);
  return bar;
}

void DistilView::addToggles(QHBoxLayout& row) {
  QAction* logarithmic = addViewAction(*this, tr("Logarithmic"), QStringLiteral("distilLogarithmic"),
                                       tr("Logarithmic or linear loss"), Qt::Key_Y, true);
  logarithmic->setChecked(true);
  connect(logarithmic, &QAction::toggled, m_loss, &DistilLossPlot::setLogarithmic);
  m_pin = addViewAction(*this, tr("Pin as baseline"), QStringLiteral("distilPin"),
                        tr("The chosen run is what the others are compared with"), Qt::Key_P, true);
  connect(m_pin, &QAction::triggered, this, &DistilView::pinBaseline);
  for (QAction* action : {logarithmic, m_pin}) row.addWidget(new ActionButton(action));
  QAction* run = addViewAction(*this, tr("Start or pause"), QStringLiteral("distilStartPause"),
                               tr("Starts the recipe, or pauses the run"), Qt::Key_S, false);
  connect(run, &QAction::triggered, this, [this] { isTraining() ? pause() : start(); });
  QAction* back = addViewAction(*this, tr("Earlier snapshot"), QStringLiteral("distilBack"),
                                tr("Earlier snapshot of the matrices"), Qt::Key_BracketLeft, false);
  connect(back, &QAction::triggered, this, [this] { m_pair->stepBy(-1); });
  QAction* forward = addViewAction(*this, tr("Later snapshot"), QStringLiteral("distilForward"),
                                   tr("Later snapshot of the matrices"), Qt::Key_BracketRight, false);
  connect(forward, &QAction::triggered, this, [this] { m_pair->stepBy(1); });
}

QWidget* DistilView::makeTables() {
  m_table = new QTableView(this);
  m_table->setObjectName(QStringLiteral("distilRuns"));
  m_table->setAccessibleName(tr("Training runs of the session"));
  m_table->setModel(&m_model);
  m_table->setSelectionBehavior(QAbstractItemView::SelectRows);
  m_table->setSelectionMode(QAbstractItemView::SingleSelection);
  m_table->verticalHeader()->hide();
  m_table->verticalHeader()->setDefaultSectionSize(kRowHeight);
  m_table->horizontalHeader()->setSectionResizeMode(QHeaderView::ResizeToContents);
  m_table->horizontalHeader()->setSectionResizeMode(DistilRunModel::Name, QHeaderView::Stretch);
  m_table->setFont(Theme::monospace(9));
  m_events = new QListWidget(this);
  m_events->setObjectName(QStringLiteral("distilEvents"));
  m_events->setAccessibleName(tr("Events of the run; choosing one goes to its step"));
  m_events->setFont(Theme::monospace(9));
  m_events->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  auto* tables = new QSplitter(Qt::Horizontal, this);
  tables->addWidget(m_table);
  tables->addWidget(m_events);
  tables->setStretchFactor(0, 3);
  tables->setStretchFactor(1, 2);
  tables->setChildrenCollapsible(false);
  for (QWidget* table : std::initializer_list<QWidget*>{m_table, m_events}) {
    table->setMinimumHeight(kLeastTablesHeight);
    table->setMaximumHeight(kTablesHeight);
  }
  return tables;
}

void DistilView::connectControls() {
  connect(m_controls, &DistilControls::startRequested, this, &DistilView::start);
  connect(m_controls, &DistilControls::pauseRequested, this, &DistilView::pause);
  connect(m_controls, &DistilControls::resumeRequested, this, &DistilView::resume);
  connect(m_controls, &DistilControls::importRequested, this, &DistilView::import);
  connect(m_controls, &DistilControls::recipeChanged, this, &DistilView::showRun);
  connect(m_loss, &DistilLossPlot::settingsChanged, this, &DistilView::drawCurves);
  connect(m_loss, &DistilLossPlot::clicked, this, &DistilView::choosePlace);
  connect(m_heat, &DistilHeatPlot::clicked, this, [this](int layer, std::int64_t stage, std::int64_t step) {
    m_workspace.selection().setLayer(layer);
    choosePlace(stage, step);
  });
  connect(m_pair, &DistilPair::placeChosen, this, [this](std::int64_t stage, std::int64_t step) {
    m_heat->setMark(stage, step);
    m_loss->setMark(stage, step);
  });
  connect(m_pair, &DistilPair::openRequested, this, &DistilView::matricesWanted);
  connect(m_table->selectionModel(), &QItemSelectionModel::currentRowChanged, this,
          [this](const QModelIndex& index) {
            if (index.isValid()) chooseRun(index.data(DistilRunModel::IdRole).toLongLong());
          });
  const auto jump = [this](const QListWidgetItem* item) {
    const QPoint place = item->data(Qt::UserRole).toPoint();  // x: stage, y: step
    choosePlace(place.x(), place.y());
  };
  connect(m_events, &QListWidget::itemClicked, this, jump);
  connect(m_events, &QListWidget::itemActivated, this, jump);
}

}  // namespace tandem::ui
