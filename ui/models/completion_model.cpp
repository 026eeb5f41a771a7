#include "ui/models/completion_model.h"

#include <algorithm>
#include <utility>

namespace tandem::ui {
namespace {

Verdict verdictOf(const tandem::SessionCompletion& stored, bool graded) {
  if (tandem::is_cut(stored.completion.finish)) return Verdict::Cut;
  if (!graded) return Verdict::Ungraded;
  return stored.override_correct.value_or(stored.correct) ? Verdict::Correct : Verdict::Wrong;
}

/// Everything of a card but its spans.
CompletionCard cardWithoutSpans(const tandem::SessionCompletion& stored, bool graded) {
  const tandem::Completion& completion = stored.completion;
  CompletionCard card;
  card.index = completion.index;
  card.text = QString::fromStdString(completion.text);
  card.verdict = verdictOf(stored, graded);
  card.finish = completion.finish;
  if (stored.override_correct) card.overrideNote = QString::fromStdString(stored.override_note);
  if (stored.answer) card.answer = QString::fromStdString(*stored.answer);
  card.tokens = static_cast<int>(completion.tokens.size());
  card.firstTokenS = completion.first_token_s;
  card.finishS = completion.finish_s;
  return card;
}

}  // namespace

CompletionCard makeCard(const tandem::SessionCompletion& stored, bool graded,
                        const tandem::Tokenizer* tokenizer) {
  CompletionCard card = cardWithoutSpans(stored, graded);
  if (tokenizer == nullptr) return card;
  tandem::StreamDecoder decoder(*tokenizer);
  const tandem::Completion& completion = stored.completion;
  for (std::size_t i = 0; i < completion.tokens.size() && i < completion.logprobs.size(); ++i) {
    const QString text = QString::fromStdString(decoder.push(completion.tokens[i]));
    card.spans.append({static_cast<int>(text.size()), completion.logprobs[i]});
  }
  return card;
}

CompletionCard cardAt(const CompletionCard& finished, double seconds) {
  if (seconds >= finished.finishS) return finished;
  CompletionCard card;
  card.index = finished.index;
  if (seconds < finished.firstTokenS || finished.tokens == 0) return card;
  const double span = finished.finishS - finished.firstTokenS;
  const double share = span > 0 ? (seconds - finished.firstTokenS) / span : 1;
  card.verdict = Verdict::Streaming;
  card.firstTokenS = finished.firstTokenS;
  card.tokens = 1 + static_cast<int>(share * (finished.tokens - 1));
  qsizetype length = static_cast<qsizetype>(share * static_cast<double>(finished.text.size()));
  if (!finished.spans.isEmpty()) {
    card.spans = finished.spans.first(std::min<qsizetype>(card.tokens, finished.spans.size()));
    length = 0;
    for (const TokenSpan& token : std::as_const(card.spans)) length += token.length;
  }
  card.text = finished.text.left(length);
  return card;
}

int CompletionModel::rowCount(const QModelIndex& parent) const {
  return parent.isValid() ? 0 : static_cast<int>(m_cards.size());
}

QVariant CompletionModel::data(const QModelIndex& index, int role) const {
  if (!checkIndex(index, CheckIndexOption::IndexIsValid)) return {};
  const CompletionCard& card = m_cards[index.row()];
  switch (role) {
    case Qt::DisplayRole:
    case TextRole:
      return card.text;
    case IndexRole:
      return card.index;
    case VerdictRole:
      return static_cast<int>(card.verdict);
    case AnswerRole:
      return card.answer;
    case TokensRole:
      return card.tokens;
    case FirstTokenRole:
      return card.tokens > 0 ? QVariant(card.firstTokenS) : QVariant();
    case FinishRole:
      return card.finished() ? QVariant(card.finishS) : QVariant();  // sorts behind the others
    case FinishReasonRole:
      return card.finished() ? QString::fromLatin1(tandem::finish_reason_name(card.finish)) : QString();
    case OverriddenRole:
      return !card.overrideNote.isEmpty();
    case Qt::ToolTipRole:
      return card.overrideNote.isEmpty() ? QVariant() : tr("Verdict by hand: %1").arg(card.overrideNote);
    case Qt::AccessibleTextRole:
      return tr("Completion %1, answer %2")
          .arg(card.index + 1)
          .arg(card.answer.isEmpty() ? tr("none") : card.answer);
    default:
      return {};
  }
}

QHash<int, QByteArray> CompletionModel::roleNames() const {
  QHash<int, QByteArray> names = QAbstractListModel::roleNames();
  names.insert({{IndexRole, "index"},
                {TextRole, "text"},
                {VerdictRole, "verdict"},
                {AnswerRole, "answer"},
                {TokensRole, "tokens"},
                {FirstTokenRole, "firstToken"},
                {FinishRole, "finish"},
                {FinishReasonRole, "finishReason"},
                {OverriddenRole, "overridden"}});
  return names;
}

void CompletionModel::begin(int count, bool graded) {
  QVector<CompletionCard> cards(count);
  for (int i = 0; i < count; ++i) cards[i].index = i;
  setCards(std::move(cards));
  m_graded = graded;
}

void CompletionModel::setCards(QVector<CompletionCard> cards) {
  beginResetModel();
  m_cards = std::move(cards);
  m_firstDirty = m_lastDirty = -1;
  recount();
  endResetModel();
}

void CompletionModel::updateCards(QVector<CompletionCard> cards) {
  if (cards.size() != m_cards.size()) return setCards(std::move(cards));
  for (int row = 0; row < static_cast<int>(cards.size()); ++row) {
    const CompletionCard& old = m_cards[row];
    const CompletionCard& now = cards[row];
    if (old.index != now.index || old.tokens != now.tokens || old.verdict != now.verdict) touch(row);
  }
  m_cards = std::move(cards);
  recount();
  flush();
}

int CompletionModel::rowOf(int index) const {
  if (index >= 0 && index < m_cards.size() && m_cards[index].index == index) return index;  // the usual case
  const auto found =
      std::find_if(m_cards.begin(), m_cards.end(), [&](const auto& c) { return c.index == index; });
  return found == m_cards.end() ? -1 : static_cast<int>(found - m_cards.begin());
}

void CompletionModel::add(int side, const LiveBatch& batch) {
  for (const LiveToken& token : batch.tokens) {
    const int row = token.side == side ? rowOf(token.completion) : -1;
    if (row < 0 || m_cards[row].finished()) continue;
    CompletionCard& card = m_cards[row];
    card.verdict = Verdict::Streaming;
    card.text += token.text;
    card.spans.append({static_cast<int>(token.text.size()), token.logprob});
    ++card.tokens;
    touch(row);
  }
  for (const auto& [completionSide, stored] : batch.completions) {
    const int row = completionSide == side ? rowOf(stored.completion.index) : -1;
    if (row < 0 || m_cards[row].finished()) continue;
    QVector<TokenSpan> spans = std::move(m_cards[row].spans);
    m_cards[row] = cardWithoutSpans(stored, m_graded);
    m_cards[row].spans = std::move(spans);
    count(m_cards[row]);
    touch(row);
  }
}

void CompletionModel::replace(CompletionCard card) {
  const int row = rowOf(card.index);
  if (row < 0) return;
  card.spans = std::move(m_cards[row].spans);
  m_cards[row] = std::move(card);
  recount();
  touch(row);
  flush();
}

void CompletionModel::flush() {
  if (m_firstDirty < 0) return;
  emit dataChanged(index(m_firstDirty), index(m_lastDirty));
  m_firstDirty = m_lastDirty = -1;
}

void CompletionModel::touch(int row) {
  m_firstDirty = m_firstDirty < 0 ? row : std::min(m_firstDirty, row);
  m_lastDirty = std::max(m_lastDirty, row);
}

void CompletionModel::recount() {
  m_tally = {};
  for (const CompletionCard& card : std::as_const(m_cards)) count(card);
}

void CompletionModel::count(const CompletionCard& card) {
  if (!card.finished()) return;
  ++m_tally.done;
  m_tally.correct += card.verdict == Verdict::Correct;
  m_tally.wrong += card.verdict == Verdict::Wrong;
  m_tally.cut += card.verdict == Verdict::Cut;
  if (card.answer.isEmpty()) return;
  Vote& vote = m_tally.votes[card.answer];
  ++vote.count;
  vote.correct |= card.verdict == Verdict::Correct;
}

}  // namespace tandem::ui
