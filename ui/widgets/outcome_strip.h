// One cell per problem: which side solved it, by shape and colour. Wraps into a few rows; click or arrow keys
// choose.
#pragma once

#include <QRect>
#include <QString>
#include <QVector>
#include <QWidget>

namespace tandem::ui {

struct OutcomeCell {
  enum class Solved { None, TeacherOnly, StudentOnly, Both };
  Solved solved = Solved::None;
  QString tip;
};

class OutcomeStrip : public QWidget {
  Q_OBJECT
 public:
  explicit OutcomeStrip(const QString& objectName, QWidget* parent = nullptr);

  void setCells(QVector<OutcomeCell> cells);  // in reading order
  const QVector<OutcomeCell>& cells() const { return m_cells; }
  int current() const { return m_current; }  // -1 = none
  void setCurrent(int cell);                 // emits nothing
  QRect cellRect(int cell) const;

  QSize sizeHint() const override;
  QSize minimumSizeHint() const override;
  bool hasHeightForWidth() const override { return true; }
  int heightForWidth(int width) const override;

  /// The shape of an outcome, filling about two thirds of `rect`: both a square, teacher a disc, student a
  /// triangle, none a dot.
  static void paintGlyph(QPainter& painter, const QRectF& rect, OutcomeCell::Solved solved);

 signals:
  void activated(int cell);  // by the user

 protected:
  void paintEvent(QPaintEvent* event) override;
  void mousePressEvent(QMouseEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;
  void focusInEvent(QFocusEvent* event) override;
  void focusOutEvent(QFocusEvent* event) override;
  bool event(QEvent* event) override;  // tool tips

 private:
  int cellSize(int width) const;
  int columns(int width) const;
  int cellAt(const QPoint& position) const;
  void choose(int cell);

  QVector<OutcomeCell> m_cells;
  int m_current = -1;
};

}  // namespace tandem::ui
