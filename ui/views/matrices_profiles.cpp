#include "ui/views/matrices_profiles.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <QHBoxLayout>
#include <QToolButton>

#include "ui/theme.h"

namespace tandem::ui {
namespace {

constexpr double kSmallestWeight = 1e-6;  // floor of the logarithmic weight axis
constexpr double kLegendPixels = 26;      // kept free above the data for the legend's one line

const QString kMarkerLayer = QStringLiteral("marker");

QCPItemStraightLine* addMarker(Plot* plot) {
  plot->addLayer(kMarkerLayer);
  plot->layer(kMarkerLayer)->setMode(QCPLayer::lmBuffered);
  auto* line = new QCPItemStraightLine(plot);
  line->setLayer(kMarkerLayer);
  line->setVisible(false);
  return line;
}

void moveMarker(Plot* plot, QCPItemStraightLine* line, double x) {
  line->setVisible(x >= 0);
  line->point1->setCoords(x, 0);
  line->point2->setCoords(x, 1);
  plot->layer(kMarkerLayer)->replot();
}

QCPGraph* addSide(Plot* plot, Side side) {
  QCPGraph* graph = plot->addGraph();
  graph->setName(sideGlyph(side) + QLatin1Char(' ') + sideName(side));
  return graph;
}

/// Legend at the top right, in one line above the data: see headroom().
void placeLegend(Plot* plot) {
  plot->legend->setVisible(true);
  plot->legend->setBorderPen(Qt::NoPen);
  plot->legend->setFillOrder(QCPLayoutGrid::foColumnsFirst);  // one line
  plot->legend->setMargins(QMargins(4, 0, 4, 0));
  plot->axisRect()->insetLayout()->setMargins(QMargins(2, 2, 2, 0));
  plot->axisRect()->insetLayout()->setInsetAlignment(0, Qt::AlignTop | Qt::AlignRight);
}

/// What to add above the data, relative to the data's height, so that the legend has its line.
double headroom(const Plot* plot) {
  const double share = std::min(0.6, kLegendPixels / std::max(1, plot->axisRect()->height()));
  return share / (1 - share);
}

void recolorSides(Plot* plot, QCPGraph* teacher, QCPGraph* student, QCPItemStraightLine* marker) {
  teacher->setPen(Plot::sidePen(static_cast<int>(Side::Teacher)));
  student->setPen(Plot::sidePen(static_cast<int>(Side::Student)));
  marker->setPen(QPen(Theme::instance().colors().secondaryText, 1, Qt::DotLine));
  plot->legend->setBorderPen(Qt::NoPen);
}

QString plain(double value) {
  return std::isfinite(value) ? QString::number(value, 'g', 9) : QString();
}

}  // namespace

RowProfile::RowProfile(QWidget* parent) : Plot(QStringLiteral("rowProfile"), parent) {
  m_teacher = addSide(this, Side::Teacher);
  m_student = addSide(this, Side::Student);
  m_keyLine = addMarker(this);
  m_ticker.reset(new TokenTicker(xAxis));
  xAxis->setTicker(m_ticker);
  xAxis->setTickLabelRotation(90);
  yAxis->ticker()->setTickCount(4);
  setTitle(tr("Weights of the query"));
  setMinimumSize(180, 150);
  placeLegend(this);
  setInteractions(QCP::iRangeDrag | QCP::iRangeZoom);
  axisRect()->setRangeDrag(Qt::Horizontal);
  axisRect()->setRangeZoom(Qt::Horizontal);
  setTableSource([this] {
    PlotTable table{{tr("key j"), tr("key token"), tr("teacher A"), tr("student M")}, {}};
    for (int key = 0; key < m_tokens.size(); ++key) {
      const auto at = [key](const QCPGraph* graph) {
        return key < graph->data()->size() ? plain(graph->data()->at(key)->value) : QString();
      };
      table.rows.append({QString::number(key), m_tokens[key], at(m_teacher), at(m_student)});
    }
    return table;
  });
  connect(this, &Plot::themeApplied, this, &RowProfile::recolor);
  recolor();
}

void RowProfile::setTokens(const QStringList& tokens) {
  m_tokens = tokens;
  m_ticker->setTokens(tokens);
  xAxis->setRange(-0.5, static_cast<double>(tokens.size()) - 0.5);
  setRow(-1, {}, {});
}

void RowProfile::setRow(int query, const QVector<double>& teacher, const QVector<double>& student) {
  const auto fill = [](QCPGraph* graph, const QVector<double>& weights) {
    QVector<double> keys(weights.size());
    for (int key = 0; key < weights.size(); ++key) keys[key] = key;
    graph->setData(keys, weights, true);
  };
  fill(m_teacher, teacher);
  fill(m_student, student);
  fitWeights();
  const bool shown = query >= 0;
  setTitle(shown ? tr("Weights of query i = %1 “%2”").arg(query).arg(m_tokens.value(query))
                 : tr("Weights of the query"));
  setEmptyText(shown ? QString() : tr("Point at a cell to see its row."));
  legend->setVisible(shown);
  setSummary(shown ? tr("Weights of query %1 on its %2 keys, teacher and student").arg(query).arg(query + 1)
                   : tr("No query chosen"));
  replot(rpQueuedReplot);
}

void RowProfile::fitWeights() {
  bool found = false;
  QCPRange range(0, 0);
  for (const QCPGraph* graph : {m_teacher, m_student}) {
    const QCPRange own = graph->getValueRange(found);
    if (found) range.expand(own);
  }
  const double height = std::max(range.size(), 1e-9);
  yAxis->setRange(range.lower - (range.lower < 0 ? 0.06 * height : 0), range.upper + headroom(this) * height);
}

void RowProfile::resizeEvent(QResizeEvent* event) {
  Plot::resizeEvent(event);
  fitWeights();
}

void RowProfile::setKey(int key) {
  moveMarker(this, m_keyLine, key);
}

void RowProfile::recolor() {
  recolorSides(this, m_teacher, m_student, m_keyLine);
  xAxis->setTickLabelFont(Theme::monospace(9));
}

LagProfile::LagProfile(QWidget* parent) : Plot(QStringLiteral("lagProfile"), parent) {
  m_teacher = addSide(this, Side::Teacher);
  m_student = addSide(this, Side::Student);
  m_lagLine = addMarker(this);
  xAxis->setLabel(tr("lag i − j, tokens"));
  yAxis->ticker()->setTickCount(4);
  setTitle(tr("Mean |weight| by lag"));
  setMinimumSize(180, 150);
  placeLegend(this);
  m_logWeight = addToggle(QStringLiteral("logWeight"), tr("log y"),
                          tr("Logarithmic weight: an exponential decay is a straight line"));
  m_logLag = addToggle(QStringLiteral("logLag"), tr("log x"),
                       tr("Logarithmic lag: with a logarithmic weight, a power law is a straight line"));
  connect(m_logWeight, &QToolButton::toggled, this, &LagProfile::setLogWeight);
  connect(m_logLag, &QToolButton::toggled, this, &LagProfile::setLogLag);
  setTableSource([this] {
    PlotTable table{{tr("lag, tokens"), tr("teacher mean |A|"), tr("student mean |M|")}, {}};
    const std::size_t rows = std::max(m_teacherLags.size(), m_studentLags.size());
    const auto at = [](const std::vector<double>& lags, std::size_t lag) {
      return lag < lags.size() ? plain(lags[lag]) : QString();
    };
    for (std::size_t lag = 0; lag < rows; ++lag)
      table.rows.append({QString::number(lag), at(m_teacherLags, lag), at(m_studentLags, lag)});
    return table;
  });
  connect(this, &Plot::themeApplied, this, &LagProfile::recolor);
  recolor();
  setLogWeight(true);
}

QToolButton* LagProfile::addToggle(const QString& name, const QString& text, const QString& tip) {
  auto* button = new QToolButton(this);
  button->setObjectName(name);
  button->setText(text);
  button->setToolTip(tip);
  button->setAccessibleName(tip);
  button->setCheckable(true);
  button->setFont(Theme::body(9));
  return button;
}

void LagProfile::resizeEvent(QResizeEvent* event) {
  Plot::resizeEvent(event);
  fitAxes();
  int right = width() - 6;
  for (QToolButton* button : {m_logWeight, m_logLag}) {
    button->adjustSize();
    button->move(right - button->width(), 1);
    right -= button->width() + 4;
  }
}

void LagProfile::setProfiles(const std::vector<double>& teacher, const std::vector<double>& student) {
  m_teacherLags = teacher;
  m_studentLags = student;
  refill();
}

void LagProfile::setLogWeight(bool on) {
  m_logWeight->setChecked(on);
  yAxis->setScaleType(on ? QCPAxis::stLogarithmic : QCPAxis::stLinear);
  yAxis->setTicker(on ? QSharedPointer<QCPAxisTicker>(new QCPAxisTickerLog)
                      : QSharedPointer<QCPAxisTicker>(new QCPAxisTicker));
  yAxis->setNumberFormat(on ? QStringLiteral("ebc") : QStringLiteral("gb"));
  yAxis->setNumberPrecision(on ? 0 : 3);
  refill();
}

void LagProfile::setLogLag(bool on) {
  m_logLag->setChecked(on);
  xAxis->setScaleType(on ? QCPAxis::stLogarithmic : QCPAxis::stLinear);
  xAxis->setTicker(on ? QSharedPointer<QCPAxisTicker>(new QCPAxisTickerLog)
                      : QSharedPointer<QCPAxisTicker>(new QCPAxisTicker));
  refill();
}

void LagProfile::setLag(int lag) {
  moveMarker(this, m_lagLine, lag);
}

void LagProfile::refill() {
  const bool logWeight = m_logWeight->isChecked(), logLag = m_logLag->isChecked();
  const auto fill = [&](QCPGraph* graph, const std::vector<double>& lags) {
    QVector<double> x, y;
    for (std::size_t lag = logLag ? 1 : 0; lag < lags.size(); ++lag) {
      x.append(static_cast<double>(lag));
      y.append(logWeight && lags[lag] < kSmallestWeight ? std::numeric_limits<double>::quiet_NaN()
                                                        : lags[lag]);
    }
    graph->setData(x, y, true);
  };
  fill(m_teacher, m_teacherLags);
  fill(m_student, m_studentLags);
  fitAxes();
  const std::size_t count = std::max(m_teacherLags.size(), m_studentLags.size());
  setEmptyText(count > 0 ? QString() : tr("No matrix here."));
  legend->setVisible(count > 0);
  setSummary(count > 0 ? tr("Mean weight at lags 0 to %1, teacher and student").arg(count - 1)
                       : tr("No matrix"));
  replot(rpQueuedReplot);
}

void LagProfile::fitAxes() {
  const std::size_t count = std::max(m_teacherLags.size(), m_studentLags.size());
  xAxis->setRange(m_logLag->isChecked() ? 1 : 0, std::max(2.0, static_cast<double>(count) - 1));
  double smallest = std::numeric_limits<double>::infinity(), largest = kSmallestWeight;
  for (const auto* lags : {&m_teacherLags, &m_studentLags})
    for (const double weight : *lags) {
      if (weight >= kSmallestWeight) smallest = std::min(smallest, weight);
      largest = std::max(largest, weight);
    }
  smallest = std::min(smallest, largest / 10);
  if (m_logWeight->isChecked())
    yAxis->setRange(smallest / 1.5, largest * std::pow(1.5 * largest / smallest, headroom(this)));
  else
    yAxis->setRange(0, largest * (1 + headroom(this)));
}

void LagProfile::recolor() {
  recolorSides(this, m_teacher, m_student, m_lagLine);
}

}  // namespace tandem::ui
