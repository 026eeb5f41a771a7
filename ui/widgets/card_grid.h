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

 protected:
  void paintEvent(QPaintEvent* event) override;

 private:
  QString m_placeholder;
};

}  // namespace tandem::ui
