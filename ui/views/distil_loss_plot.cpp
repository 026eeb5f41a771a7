#include "ui/views/distil_loss_plot.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include <QMouseEvent>

#include "ui/format.h"
#include "ui/theme.h"
#include "ui/widgets/tickers.h"

namespace tandem::ui {
namespace {

constexpr double kRoom = 1.15;  // above and below the curves, on a logarithmic axis

QString axisLabel(CurveAxis axis) {
  switch (axis) {
    case CurveAxis::Updates:
      return DistilLossPlot::tr("updates");
    case CurveAxis::Tokens:
      return DistilLossPlot::tr("tokens");
    case CurveAxis::Seconds:
      return DistilLossPlot::tr("seconds of training");
  }
  return {};
}

void widen(QCPRange& range, const QVector<double>& values) {
  for (const double value : values)
    if (std::isfinite(value) && value > 0) range.expand(QCPRange(value, value));
}

}  // namespace

DistilLossPlot::DistilLossPlot(QWidget* parent)
    : Plot(QStringLiteral("distilLoss"), parent),
      m_raw(addGraph()),
      m_smooth(addGraph()),
      m_baseline(addGraph()),
      m_mark(new QCPItemStraightLine(this)) {
  setTitle(tr("Loss"));
  m_raw->setAntialiased(false);
  m_smooth->setName(tr("smoothed"));
  m_baseline->setName(tr("baseline"));
  m_mark->setVisible(false);
  tandem::ui::setLogarithmic(*xAxis, false);
  tandem::ui::setLogarithmic(*yAxis, true);
  setTableSource([this] { return numbers(); });
  connect(this, &Plot::themeApplied, this, &DistilLossPlot::applyColors);
  applyColors();
}

void DistilLossPlot::applyColors() {
  const Colors& colors = Theme::instance().colors();
  QColor faint = colors.student;
  faint.setAlpha(colors.dark ? 90 : 70);
  m_raw->setPen(QPen(faint, 1));
  m_smooth->setPen(QPen(colors.student, 2));
  m_baseline->setPen(QPen(colors.secondaryText, 1.5, Qt::DashLine));
  m_mark->setPen(QPen(colors.focus, 1));
  for (QCPItemStraightLine* line : m_boundaries) line->setPen(QPen(colors.border, 1, Qt::DashLine));
  for (QCPItemText* name : m_stageNames) {
    name->setColor(colors.secondaryText);
    name->setFont(Theme::body(9));
  }
}

void DistilLossPlot::setRun(const DistilRun* run, const DistilRun* baseline) {
  m_curve = run != nullptr ? lossCurve(*run, m_axis, m_smoothing) : LossCurve();
  m_reference =
      baseline != nullptr && baseline != run ? lossCurve(*baseline, m_axis, m_smoothing) : LossCurve();
  m_raw->setData(m_curve.x, m_curve.raw, /*alreadySorted=*/true);
  m_smooth->setData(m_curve.x, m_curve.smooth, true);
  m_baseline->setData(m_reference.x, m_reference.smooth, true);
  m_places.clear();
  m_updateX.clear();
  for (QCPItemStraightLine* line : std::as_const(m_boundaries)) removeItem(line);
  for (QCPItemText* name : std::as_const(m_stageNames)) removeItem(name);
  m_boundaries.clear();
  m_stageNames.clear();
  m_mark->setVisible(false);
  if (run != nullptr) {
    for (const tandem::training::TrainingUpdate& update : run->updates)
      m_places.emplace_back(update.stage, update.step);
    for (qsizetype i = 0; i < m_curve.x.size(); ++i)
      if (!std::isnan(m_curve.raw[i])) m_updateX << m_curve.x[i];
    drawBoundaries(*run);
    drawMark(*run);
    fitAxes(*run);
  }
  applyColors();
  replot(QCustomPlot::rpQueuedReplot);
}

/// A line where a stage begins, and its name and unit beside it.
void DistilLossPlot::drawBoundaries(const DistilRun& run) {
  QVector<double> begins = stageBoundaries(run, m_axis);
  for (const double x : begins) {
    auto* line = new QCPItemStraightLine(this);
    line->point1->setCoords(x, 1);
    line->point2->setCoords(x, 2);
    m_boundaries << line;
  }
  begins.prepend(0);
  for (qsizetype s = 0; s < begins.size() && s < std::ssize(run.stages); ++s) {
    auto* name = new QCPItemText(this);
    name->position->setTypeX(QCPItemPosition::ptPlotCoords);
    name->position->setTypeY(QCPItemPosition::ptAxisRectRatio);
    name->position->setCoords(begins[s], 0);
    name->setPositionAlignment(Qt::AlignLeft | Qt::AlignTop);
    name->setPadding(QMargins(4, 2, 0, 0));
    name->setText(tr("%1 · %2").arg(s + 1).arg(lossUnit(run.stages[static_cast<std::size_t>(s)].goal)));
    m_stageNames << name;
  }
}

void DistilLossPlot::drawMark(const DistilRun& run) {
  m_mark->setVisible(m_markStage >= 0);
  if (m_markStage < 0) return;
  const double x = axisPosition(run, m_axis, m_markStage, m_markStep);
  m_mark->point1->setCoords(x, 1);
  m_mark->point2->setCoords(x, 2);
}

void DistilLossPlot::fitAxes(const DistilRun& run) {
  xAxis->setLabel(axisLabel(m_axis));
  yAxis->setLabel(tr("loss"));
  double right = m_axis == CurveAxis::Updates ? static_cast<double>(run.totalSteps()) : 0;
  for (const LossCurve* curve : {&m_curve, &m_reference})
    if (!curve->x.isEmpty()) right = std::max(right, curve->x.last());
  xAxis->setRange(0, std::max(right, 1.0));
  QCPRange range;
  range.lower = std::numeric_limits<double>::max();
  range.upper = std::numeric_limits<double>::lowest();
  widen(range, m_curve.raw);
  widen(range, m_reference.smooth);
  if (range.upper < range.lower) return;
  const bool log = yAxis->scaleType() == QCPAxis::stLogarithmic;
  // Room for the stages' names above the curves.
  yAxis->setRange(log ? range.lower / kRoom : 0, range.upper * (log ? std::pow(kRoom, 3) : kRoom));
}

void DistilLossPlot::setAxis(CurveAxis axis) {
  m_axis = axis;
  emit settingsChanged();
}

void DistilLossPlot::setSmoothing(double smoothing) {
  m_smoothing = smoothing;
  emit settingsChanged();
}

void DistilLossPlot::setLogarithmic(bool logarithmic) {
  tandem::ui::setLogarithmic(*yAxis, logarithmic);
  emit settingsChanged();
}

void DistilLossPlot::setMark(std::int64_t stage, std::int64_t step) {
  m_markStage = stage;
  m_markStep = step;
  emit settingsChanged();
}

void DistilLossPlot::mouseReleaseEvent(QMouseEvent* event) {
  Plot::mouseReleaseEvent(event);
  if (event->button() != Qt::LeftButton || m_updateX.isEmpty()) return;
  if (!axisRect()->rect().contains(event->pos())) return;
  const double x = xAxis->pixelToCoord(event->pos().x());
  const auto at = std::lower_bound(m_updateX.begin(), m_updateX.end() - 1, x) - m_updateX.begin();
  const auto& [stage, step] = m_places[static_cast<std::size_t>(at)];
  emit clicked(stage, step);
}

PlotTable DistilLossPlot::numbers() const {
  PlotTable table;
  table.headers << tr("series") << axisLabel(m_axis) << tr("loss") << tr("smoothed loss");
  const auto add = [&](const QString& name, const LossCurve& curve) {
    for (qsizetype i = 0; i < curve.x.size(); ++i)
      if (!std::isnan(curve.raw[i]))
        table.rows << QStringList{name, QString::number(curve.x[i], 'g', 9),
                                  QString::number(curve.raw[i], 'g', 7),
                                  QString::number(curve.smooth[i], 'g', 7)};
  };
  add(QStringLiteral("run"), m_curve);
  add(QStringLiteral("baseline"), m_reference);
  return table;
}

}  // namespace tandem::ui
