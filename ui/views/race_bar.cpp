#include "ui/views/race_bar.h"

#include <algorithm>
#include <cmath>

#include <QMouseEvent>

#include "ui/format.h"
#include "ui/theme.h"

namespace tandem::ui {
namespace {

/// The middle of a side's lane: the teacher's above the student's.
double middle(Side side) {
  return side == Side::Teacher ? 1 : 0;
}

/// Marks of one lane are spread over a few rows, so that completions that end together stay countable.
double rowOf(Side side, int completion) {
  constexpr int kRows = 5;
  constexpr double kRowHeight = 0.13;
  return middle(side) + kRowHeight * (completion % kRows - kRows / 2);
}

QString verdictWord(Verdict verdict) {
  switch (verdict) {
    case Verdict::Correct:
      return QStringLiteral("correct");
    case Verdict::Wrong:
      return QStringLiteral("wrong");
    case Verdict::Cut:
      return QStringLiteral("cut");
    default:
      return QStringLiteral("ungraded");
  }
}

}  // namespace

RaceBar::RaceBar(QWidget* parent) : Plot(QStringLiteral("raceBar"), parent) {
  setTitle(tr("Finished completions, by seconds since the model began to read the problem"));
  setEmptyText(tr("Each finished completion leaves a mark here"));
  setMinimumHeight(124);
  setTableSource([this] { return numbers(); });
  yAxis->setRange(-1, 2);
  auto ticker = QSharedPointer<QCPAxisTickerText>::create();
  for (Side side : {Side::Teacher, Side::Student}) {
    ticker->addTick(middle(side), sideGlyph(side) + QLatin1Char(' ') + sideName(side));
  }
  yAxis->setTicker(ticker);
  yAxis->setSubTicks(false);
  yAxis->grid()->setVisible(false);
  for (Side side : {Side::Teacher, Side::Student}) addLane(side);
  addMoment();
  connect(this, &Plot::themeApplied, this, &RaceBar::recolour);
  recolour();
}

void RaceBar::addLane(Side side) {
  Lane& lane = m_lanes[static_cast<int>(side)];
  for (QCPGraph** graph : {&lane.bad, &lane.good}) {
    *graph = addGraph();
    (*graph)->setLineStyle(QCPGraph::lsNone);
  }
  lane.line = new QCPItemLine(this);
  lane.label = new QCPItemText(this);
  lane.label->setPadding(QMargins(4, 0, 4, 0));
  lane.label->setFont(Theme::body(9));
  lane.line->setVisible(false);
  lane.label->setVisible(false);
}

/// On a layer of its own: while it moves, nothing else is painted.
void RaceBar::addMoment() {
  addLayer(QStringLiteral("moment"), layer(QStringLiteral("overlay")), limAbove);
  layer(QStringLiteral("moment"))->setMode(QCPLayer::lmBuffered);
  m_momentLine = new QCPItemLine(this);
  m_momentLabel = new QCPItemText(this);
  m_momentLabel->setFont(Theme::monospace(9));
  m_momentLabel->setPadding(QMargins(4, 1, 4, 1));
  for (QCPAbstractItem* item :
       {static_cast<QCPAbstractItem*>(m_momentLine), static_cast<QCPAbstractItem*>(m_momentLabel)}) {
    item->setLayer(QStringLiteral("moment"));
    item->setVisible(false);
  }
}

void RaceBar::setMoment(double seconds, const QString& label) {
  const bool shown = seconds >= 0;
  m_momentLine->setVisible(shown);
  m_momentLabel->setVisible(shown);
  m_momentLine->start->setCoords(seconds, yAxis->range().lower);
  m_momentLine->end->setCoords(seconds, yAxis->range().upper);
  const bool farRight = seconds > xAxis->range().center();
  m_momentLabel->position->setCoords(seconds, yAxis->range().lower);
  m_momentLabel->setPositionAlignment(Qt::AlignBottom | (farRight ? Qt::AlignRight : Qt::AlignLeft));
  m_momentLabel->setText(label);
  layer(QStringLiteral("moment"))->replot();
}

void RaceBar::recolour() {
  const Colors& c = Theme::instance().colors();
  m_momentLine->setPen(QPen(c.text));
  m_momentLabel->setColor(c.text);
  m_momentLabel->setBrush(c.background);
  for (Side side : {Side::Teacher, Side::Student}) {
    Lane& lane = m_lanes[static_cast<int>(side)];
    const auto shape = side == Side::Teacher ? QCPScatterStyle::ssDisc : QCPScatterStyle::ssTriangle;
    lane.good->setScatterStyle(QCPScatterStyle(shape, QPen(c.side(side), 1), c.side(side), 9));
    lane.bad->setScatterStyle(QCPScatterStyle(QCPScatterStyle::ssCross, QPen(c.wrong, 1.5), Qt::NoBrush, 7));
    lane.line->setPen(sidePen(static_cast<int>(side)));
    lane.label->setColor(c.side(side));
  }
}

void RaceBar::setSide(Side side, const QVector<CompletionCard>& cards, double prefillS) {
  Lane& lane = m_lanes[static_cast<int>(side)];
  QVector<Finish> finishes;
  for (const CompletionCard& card : cards) {
    if (!card.finished()) continue;
    finishes.append({card.index, std::max(prefillS, 0.0) + card.finishS, card.verdict, card.answer});
  }
  if (finishes == lane.finishes) return;
  lane.finishes = std::move(finishes);
  QVector<double> goodX, goodY, badX, badY;
  lane.firstCorrect = -1;
  for (const Finish& finish : std::as_const(lane.finishes)) {
    const bool bad = finish.verdict == Verdict::Wrong || finish.verdict == Verdict::Cut;
    (bad ? badX : goodX).append(finish.seconds);
    (bad ? badY : goodY).append(rowOf(side, finish.completion));
    const bool first = lane.firstCorrect < 0 || finish.seconds < lane.firstCorrect;
    if (finish.verdict == Verdict::Correct && first) lane.firstCorrect = finish.seconds;
  }
  lane.good->setData(goodX, goodY);
  lane.bad->setData(badX, badY);
  labelLane(side);
  m_dirty = true;
}

void RaceBar::labelLane(Side side) {
  Lane& lane = m_lanes[static_cast<int>(side)];
  const double y = middle(side);
  const bool solved = lane.firstCorrect >= 0;
  lane.line->setVisible(solved);
  lane.label->setVisible(solved);
  if (!solved) return;
  const double outward =
      side == Side::Teacher ? 1 : -1;  // labels stand outside, clear of the other lane's marks
  lane.line->start->setCoords(lane.firstCorrect, y - 0.4 * outward);
  lane.line->end->setCoords(lane.firstCorrect, y + 0.9 * outward);
  lane.label->position->setCoords(lane.firstCorrect, y + 0.35 * outward);
  lane.label->setText(tr("first correct %1").arg(formatSeconds(lane.firstCorrect)));
}

void RaceBar::refresh() {
  if (!m_dirty) return;
  m_dirty = false;
  double last = 0;
  for (const Lane& lane : m_lanes) {
    for (const Finish& finish : lane.finishes) last = std::max(last, finish.seconds);
  }
  setEmptyText(last > 0 ? QString() : tr("Each finished completion leaves a mark here"));
  xAxis->setRange(0, last > 0 ? last * 1.04 : 1);
  for (Side side : {Side::Teacher, Side::Student}) {
    const Lane& lane = m_lanes[static_cast<int>(side)];
    const bool farRight = lane.firstCorrect > 0.8 * last;  // no room for the label right of its line
    lane.label->setPositionAlignment((farRight ? Qt::AlignRight : Qt::AlignLeft) |
                                     (side == Side::Teacher ? Qt::AlignBottom : Qt::AlignTop));
  }
  summarise();
  replot(rpQueuedReplot);
}

void RaceBar::summarise() {
  QStringList parts;
  for (Side side : {Side::Teacher, Side::Student}) {
    const Lane& lane = m_lanes[static_cast<int>(side)];
    parts << (lane.firstCorrect < 0
                  ? tr("%1: %2 finished, none correct").arg(sideName(side)).arg(lane.finishes.size())
                  : tr("%1: %2 finished, first correct after %3")
                        .arg(sideName(side))
                        .arg(lane.finishes.size())
                        .arg(formatSeconds(lane.firstCorrect)));
  }
  setSummary(parts.join(QStringLiteral("; ")));
}

PlotTable RaceBar::numbers() const {
  PlotTable table{{tr("side"), tr("completion"), tr("seconds"), tr("verdict"), tr("answer")}, {}};
  for (Side side : {Side::Teacher, Side::Student}) {
    for (const Finish& finish : m_lanes[static_cast<int>(side)].finishes) {
      table.rows.append({sideName(side), QString::number(finish.completion + 1),
                         QString::number(finish.seconds, 'g', 9), verdictWord(finish.verdict),
                         finish.answer});
    }
  }
  return table;
}

void RaceBar::mouseMoveEvent(QMouseEvent* event) {
  Plot::mouseMoveEvent(event);
  if (event->buttons() == Qt::LeftButton) emit momentDragged(xAxis->pixelToCoord(event->position().x()));
}

void RaceBar::mousePressEvent(QMouseEvent* event) {
  Plot::mousePressEvent(event);
  if (event->button() != Qt::LeftButton) return;
  constexpr double kReach = 10;  // pixels
  double nearest = kReach;
  int side = -1, completion = -1;
  for (Side lane : {Side::Teacher, Side::Student}) {
    for (const Finish& finish : std::as_const(m_lanes[static_cast<int>(lane)].finishes)) {
      const double distance =
          std::hypot(xAxis->coordToPixel(finish.seconds) - event->position().x(),
                     yAxis->coordToPixel(rowOf(lane, finish.completion)) - event->position().y());
      if (distance >= nearest) continue;
      nearest = distance;
      side = static_cast<int>(lane);
      completion = finish.completion;
    }
  }
  if (side >= 0) emit completionClicked(side, completion);
}

}  // namespace tandem::ui
