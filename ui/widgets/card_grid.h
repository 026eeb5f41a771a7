// The grid of cards: an item view in icon mode that says what to do while it is empty.
#pragma once

#include <QListView>

namespace tandem::ui {

class CardGrid : public QListView {
  Q_OBJECT
 public:
  explicit CardGrid(QWidget* parent = nullptr);
  void setPlaceholder(const QString& text);
  QString placeholder() const { return m_placeholder; }
  /// Width of a card of at least `minimum`, such that whole cards fill the rows.
  int cardWidth(int minimum) const;

 protected:
  void paintEvent(QPaintEvent* event) override;

 private:
  QString m_placeholder;
};

}  // namespace tandem::ui
