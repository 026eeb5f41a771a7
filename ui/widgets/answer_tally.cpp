#include "ui/widgets/answer_tally.h"

#include <algorithm>

#include <QHBoxLayout>

#include "ui/theme.h"

namespace tandem::ui {
namespace {

constexpr std::size_t kShown = 4;

}  // namespace

AnswerTally::AnswerTally(QWidget* parent) : QWidget(parent), m_rest(new QLabel(this)) {
  auto* layout = new QHBoxLayout(this);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->setSpacing(4);
  auto* caption = new QLabel(tr("Answers"), this);
  layout->addWidget(caption);
  for (std::size_t i = 0; i < kShown; ++i) {
    auto* button = new QPushButton(this);
    button->setObjectName(QStringLiteral("answer%1").arg(i));
    button->setCheckable(true);
    button->setVisible(false);
    button->setFont(Theme::monospace(9));
    connect(button, &QPushButton::clicked, this, [this, i](bool pressed) {
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
  for (std::size_t i = 0; i < kShown; ++i) {
    QPushButton* button = m_buttons[i];
    button->setVisible(i < m_entries.size());
    if (i >= m_entries.size()) continue;
    const Entry& entry = m_entries[i];
    const QString mark = entry.vote.correct ? QStringLiteral("✓ ") : QString();
    const QString shown =
        entry.answer.size() > 12 ? entry.answer.left(11) + QStringLiteral("…") : entry.answer;
    const QString text = QStringLiteral("%1%2 ×%3").arg(mark, shown).arg(entry.vote.count);
    if (button->text() != text) {
      button->setText(text);
      button->setAccessibleName(
          tr("Answer %1, completions: %2").arg(entry.answer).arg(entry.vote.count));
      button->setToolTip(tr("Show only the completions that answer %1").arg(entry.answer));
    }
    button->setChecked(!m_answer.isEmpty() && entry.answer == m_answer);
  }
  const auto more = static_cast<int>(m_entries.size()) - static_cast<int>(kShown);
  m_rest->setText(more > 0 ? tr("and %n more", nullptr, more) : QString());
}

}  // namespace tandem::ui
