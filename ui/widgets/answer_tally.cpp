#include "ui/widgets/answer_tally.h"

#include <algorithm>

#include <QHBoxLayout>

#include "ui/theme.h"

namespace tandem::ui {
namespace {

constexpr std::size_t kShown = 4;

}  // namespace

AnswerTally::AnswerTally(QWidget* parent)
    : QWidget(parent), m_caption(new QLabel(tr("Answers"), this)), m_rest(new QLabel(this)) {
  setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
  auto* layout = new QHBoxLayout(this);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->setSpacing(4);
  QSizePolicy kept = m_caption->sizePolicy();
  kept.setRetainSizeWhenHidden(true);  // what is below stays where it is when the first answer comes
  m_caption->setSizePolicy(kept);
  layout->addWidget(m_caption);
  for (std::size_t i = 0; i < kShown; ++i) {
    auto* button = new QToolButton(this);
    button->setObjectName(QStringLiteral("answer%1").arg(i));
    button->setCheckable(true);
    button->setVisible(false);
    button->setFont(Theme::monospace(9));
    connect(button, &QToolButton::clicked, this, [this, i](bool pressed) {
      setAnswer(pressed ? m_entries[i].answer : QString());
      emit answerChosen(m_answer);
    });
    m_buttons.push_back(button);
    layout->addWidget(button);
  }
  layout->addWidget(m_rest);
  layout->addStretch();
}

void AnswerTally::setVotes(const std::map<QString, CompletionModel::Vote>& votes) {
  m_entries.clear();
  for (const auto& [answer, vote] : votes) m_entries.push_back({answer, vote});
  std::stable_sort(m_entries.begin(), m_entries.end(),
                   [](const Entry& a, const Entry& b) { return a.vote.count > b.vote.count; });
  refresh();
}

void AnswerTally::setAnswer(const QString& answer) {
  m_answer = answer;
  refresh();
}

void AnswerTally::refresh() {
  for (std::size_t i = 0; i < kShown && i < m_entries.size(); ++i) {
    QToolButton* button = m_buttons[i];
    const Entry& entry = m_entries[i];
    const QString mark = entry.vote.correct ? QStringLiteral("✓ ") : QString();
    const QString shown =
        entry.answer.size() > 12 ? entry.answer.left(11) + QStringLiteral("…") : entry.answer;
    const QString text = QStringLiteral("%1%2 ×%3").arg(mark, shown).arg(entry.vote.count);
    if (button->text() != text) {
      button->setText(text);
      button->setAccessibleName(tr("Answer %1, completions: %2").arg(entry.answer).arg(entry.vote.count));
      button->setToolTip(tr("Show only the completions that answer %1").arg(entry.answer));
    }
    button->setChecked(!m_answer.isEmpty() && entry.answer == m_answer);
  }
  m_caption->setVisible(!m_entries.empty());
  fit();
}

/// Shows as many answers as there is room for, whole; the rest as a number.
void AnswerTally::fit() {
  const int gap = layout()->spacing();
  int room = width() - m_caption->sizeHint().width() - gap -
             fontMetrics().horizontalAdvance(tr("and %1 more").arg(99));
  std::size_t shown = 0;
  while (shown < kShown && shown < m_entries.size()) {
    room -= m_buttons[shown]->sizeHint().width() + gap;
    if (room < 0) break;
    ++shown;
  }
  for (std::size_t i = 0; i < kShown; ++i) m_buttons[i]->setVisible(i < shown);
  const std::size_t more = m_entries.size() - shown;
  m_rest->setText(more > 0 ? tr("and %1 more").arg(more) : QString());
}

void AnswerTally::resizeEvent(QResizeEvent* event) {
  QWidget::resizeEvent(event);
  fit();
}

}  // namespace tandem::ui
