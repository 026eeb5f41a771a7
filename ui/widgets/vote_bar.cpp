#include "ui/widgets/vote_bar.h"

#include <QHBoxLayout>
#include <QPushButton>

namespace tandem::ui {

VoteBar::VoteBar(QWidget* parent) : QWidget(parent), m_buttons(new QButtonGroup(this)) {
  auto* layout = new QHBoxLayout(this);
  layout->setContentsMargins(8, 0, 8, 0);
  layout->addWidget(new QLabel(tr("Which side reasons better?"), this));
  for (const Choice choice : {Choice::Left, Choice::Tie, Choice::Right, Choice::BothBad}) {
    auto* button = new QPushButton(this);
    button->setCheckable(true);
    button->setObjectName(QStringLiteral("vote%1").arg(static_cast<int>(choice)));
    m_buttons->addButton(button, static_cast<int>(choice));
    layout->addWidget(button);
  }
  layout->addStretch();
  m_buttons->button(static_cast<int>(Choice::Tie))->setText(tr("Tie (2)"));
  m_buttons->button(static_cast<int>(Choice::BothBad))->setText(tr("Both bad (0)"));
  connect(m_buttons, &QButtonGroup::idClicked, this, [this](int id) { emit voted(static_cast<Choice>(id)); });
}

void VoteBar::setNames(const QString& left, const QString& right) {
  m_buttons->button(static_cast<int>(Choice::Left))->setText(tr("%1 (1)").arg(left));
  m_buttons->button(static_cast<int>(Choice::Right))->setText(tr("%1 (3)").arg(right));
}

void VoteBar::setChoice(Choice choice) {
  m_buttons->setExclusive(false);  // an exclusive group cannot be left without a pressed button
  for (QAbstractButton* button : m_buttons->buttons()) {
    button->setChecked(m_buttons->id(button) == static_cast<int>(choice));
  }
  m_buttons->setExclusive(true);
}

void VoteBar::choose(Choice choice) {
  if (isEnabled()) m_buttons->button(static_cast<int>(choice))->click();
}

}  // namespace tandem::ui
