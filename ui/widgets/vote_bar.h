// A person's preference between the two sides of a problem; apart from correctness.
#pragma once

#include <QButtonGroup>
#include <QLabel>
#include <QWidget>

namespace tandem::ui {

class VoteBar : public QWidget {
  Q_OBJECT
 public:
  /// What stands left in the window wins with Left, whichever model it is.
  enum class Choice { None = -1, BothBad = 0, Left = 1, Tie = 2, Right = 3 };
  explicit VoteBar(QWidget* parent = nullptr);
  void setNames(const QString& left, const QString& right);
  void setChoice(Choice choice);
  void choose(Choice choice);  // as if pressed

 signals:
  void voted(tandem::ui::VoteBar::Choice choice);

 private:
  QButtonGroup* m_buttons;
};

}  // namespace tandem::ui
