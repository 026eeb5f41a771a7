#include "ui/views/race_side.h"

#include <algorithm>
#include <utility>

#include <QHBoxLayout>
#include <QVBoxLayout>

#include "ui/format.h"

namespace tandem::ui {

RaceSide::RaceSide(Side side, QWidget* parent)
    : QWidget(parent),
      m_side(side),
      m_delegate(side),
      m_name(new QLabel(this)),
      m_model(new QLabel(this)),
      m_rate(new QLabel(this)),
      m_first(new QLabel(this)),
      m_counts(new QLabel(this)),
      m_tally(new AnswerTally(this)),
      m_grid(new CardGrid(this)) {
  setObjectName(side == Side::Teacher ? QStringLiteral("teacherSide") : QStringLiteral("studentSide"));
  m_name->setFont(Theme::body(13, QFont::DemiBold));
  m_rate->setFont(Theme::monospace(13));
  m_first->setFont(Theme::monospace(9));
  m_counts->setFont(Theme::monospace(10));
  m_first->setToolTip(tr("Time to first token: reading the problem and one decode step"));
  m_rate->setToolTip(
      tr("Generated tokens per second of decoding, all completions together; reading the problem is apart"));

  auto* title = new QHBoxLayout;
  title->setSpacing(8);
  title->addWidget(m_name);
  title->addWidget(m_model, 1);
  title->addWidget(m_first);
  title->addWidget(m_rate);
  auto* figures = new QHBoxLayout;
  figures->setSpacing(16);
  figures->addWidget(m_counts);
  figures->addWidget(m_tally, 1);
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(8, 4, 8, 0);
  layout->setSpacing(4);
  layout->addLayout(title);
  layout->addLayout(figures);
  layout->addWidget(m_grid, 1);

  m_grid->setObjectName(side == Side::Teacher ? QStringLiteral("teacherGrid")
                                              : QStringLiteral("studentGrid"));
  m_grid->setAccessibleName(tr("%1 completions").arg(sideName(side)));
  m_grid->setItemDelegate(&m_delegate);
  m_filter.setSourceModel(&m_stored.model);
  m_grid->setModel(&m_filter);
  connect(m_grid->selectionModel(), &QItemSelectionModel::currentChanged, this, &RaceSide::selectionChanged);
  m_grid->setContextMenuPolicy(Qt::CustomContextMenu);
  connect(m_grid, &QWidget::customContextMenuRequested, this, [this](QPoint at) {
    const QModelIndex card = m_grid->indexAt(at);
    if (!card.isValid()) return;
    emit menuRequested(card.data(CompletionModel::IndexRole).toInt(), m_grid->viewport()->mapToGlobal(at));
  });
  connect(m_tally, &AnswerTally::answerChosen, &m_filter, &CompletionFilter::setAnswer);
  connect(&Theme::instance(), &Theme::changed, this, &RaceSide::applyTheme);
  applyTheme();
  refreshHeader();
}

void RaceSide::setModelName(const QString& name) {
  m_modelName = name;
  m_model->setText(m_alias.isEmpty() ? name : QString());
}

void RaceSide::setPlaceholder(const QString& text) {
  m_grid->setPlaceholder(text);
}

void RaceSide::setShared(bool shared) {
  m_shared = shared;
  refreshHeader();
}

void RaceSide::setBlind(const QString& alias) {
  m_alias = alias;
  m_delegate.setBlind(!alias.isEmpty());
  setModelName(m_modelName);
  applyTheme();
  refreshHeader();
  m_grid->viewport()->update();
}

void RaceSide::setOrder(CompletionFilter::Order order) {
  m_filter.setOrder(order);
}

void RaceSide::beginLive(int completions, bool graded) {
  m_live.model.begin(completions, graded);
  m_live.speed = {};
  if (showsLive()) refreshHeader();
}

void RaceSide::addLive(const LiveBatch& batch) {
  const int mine = static_cast<int>(m_side);
  m_live.speed.add(mine, batch);
  m_live.model.add(mine, batch);
}

void RaceSide::setStored(StoredSide stored) {
  m_stored.model.setCards(std::move(stored.cards));
  m_stored.speed = stored.speed;
  if (!showsLive()) refreshHeader();
}

void RaceSide::showLive(bool live) {
  m_source = live ? &m_live : &m_stored;
  showSet(*m_source);
}

double RaceSide::duration() const {
  double last = 0;
  for (const CompletionCard& card : source().cards()) {
    if (!card.finished()) return 0;
    last = std::max(last, card.finishS);
  }
  return last > 0 ? std::max(0.0, m_source->speed.prefillS) + last : 0;
}

void RaceSide::showMoment(double seconds) {
  if (seconds < 0) return showSet(*m_source);
  const double decoding = seconds - std::max(0.0, m_source->speed.prefillS);
  QVector<CompletionCard> cards;
  m_past.speed = {m_source->speed.prefillS, m_source->speed.firstStepS, decoding, 0};
  for (const CompletionCard& card : source().cards()) {
    cards.append(cardAt(card, decoding));
    m_past.speed.tokens += cards.back().tokens;
  }
  m_past.model.updateCards(std::move(cards));
  showSet(m_past);
  refreshHeader();
}

void RaceSide::showSet(Completions& set) {
  if (m_shown == &set) return;
  const int chosen = selected();
  m_shown = &set;
  m_tally->setAnswer(QString());
  m_filter.setAnswer(QString());
  m_filter.setSourceModel(&set.model);
  if (chosen >= 0) select(chosen);
  refreshHeader();
}

void RaceSide::refresh() {
  m_live.model.flush();
  refreshHeader();
}

int RaceSide::selected() const {
  const QModelIndex current = m_grid->currentIndex();
  return current.isValid() ? current.data(CompletionModel::IndexRole).toInt() : -1;
}

void RaceSide::select(int completion) {
  const int row = m_shown->model.rowOf(completion);
  const QModelIndex index = row < 0 ? QModelIndex() : m_filter.mapFromSource(m_shown->model.index(row));
  m_grid->setCurrentIndex(index);
  if (index.isValid()) m_grid->scrollTo(index);
}

void RaceSide::replace(CompletionCard card) {
  m_source->model.replace(std::move(card));
  refreshHeader();
}

void RaceSide::applyTheme() {
  const Colors& c = Theme::instance().colors();
  const QColor ink = m_alias.isEmpty() ? c.side(m_side) : c.text;
  const auto paint = [](QLabel* label, const QColor& color) {
    QPalette palette = label->palette();
    palette.setColor(QPalette::WindowText, color);
    label->setPalette(palette);
  };
  paint(m_name, ink);
  paint(m_rate, ink);
  for (QLabel* label : {m_model, m_first}) paint(label, c.secondaryText);
  refreshHeader();
}

void RaceSide::refreshHeader() {
  const Colors& c = Theme::instance().colors();
  const bool blind = !m_alias.isEmpty();
  m_name->setText(blind ? m_alias : QStringLiteral("%1 %2").arg(sideGlyph(m_side), sideName(m_side)));
  const SideSpeed& speed = m_shown->speed;
  const bool known = !blind && speed.tokens > 0;
  QString rate = known ? formatRate(speed.tokensPerSecond()) : QString();
  if (known && m_shared) rate += tr(" (shared device)");
  m_rate->setText(rate);
  m_first->setText(known && speed.timeToFirstToken() >= 0
                       ? tr("TTFT %1").arg(formatSeconds(speed.timeToFirstToken()))
                       : QString());
  const CompletionModel::Tally& tally = m_shown->model.tally();
  const int total = m_shown->model.rowCount();
  if (total == 0) {
    m_counts->clear();
  } else {
    m_counts->setText(
        QStringLiteral("%1 / %2  <span style='color:%3'>✓ %4</span>  <span style='color:%5'>✗ %6</span>")
            .arg(tally.done)
            .arg(total)
            .arg(c.correct.name())
            .arg(tally.correct)
            .arg(c.wrong.name())
            .arg(tally.wrong) +
        (tally.cut > 0 ? QStringLiteral("  ✂ %1").arg(tally.cut) : QString()));
  }
  m_counts->setAccessibleName(tr("%1 of %2 done, %3 correct, %4 wrong")
                                  .arg(tally.done)
                                  .arg(total)
                                  .arg(tally.correct)
                                  .arg(tally.wrong));
  m_tally->setVotes(tally.votes);
}

}  // namespace tandem::ui
