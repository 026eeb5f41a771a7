// The text as tokens, in lines. Marks the key and the query of the linked cell; under each token two bars say
// how much the query looks at it (teacher above, student below).
#pragma once

#include <QAbstractScrollArea>
#include <QRect>
#include <QStringList>
#include <QVector>

namespace tandem::ui {

class TokenStrip : public QAbstractScrollArea {
  Q_OBJECT
 public:
  explicit TokenStrip(QWidget* parent = nullptr);

  void setTokens(const QStringList& tokens);
  /// -1 = none.
  void setCell(int query, int key);
  /// Row of the query: |A| and |M| by key, each shown relative to its own largest. Empty = no bars.
  void setWeights(const QVector<double>& teacher, const QVector<double>& student);
  /// Token under a viewport position, or -1.
  int tokenAt(const QPoint& position) const;
  QRect tokenRect(int token) const;  // in viewport coordinates
  void ensureTokenVisible(int token);
  QSize sizeHint() const override;
  QSize minimumSizeHint() const override { return {100, sizeHint().height()}; }

 signals:
  void keyHovered(int token);
  void queryHovered(int token);                // with Shift
  void tokenClicked(int token, bool asQuery);  // asQuery: Shift held, or a double click
  void rangeSelected(int first, int last);     // drag over two tokens or more

 protected:
  void paintEvent(QPaintEvent* event) override;
  void resizeEvent(QResizeEvent* event) override;
  void changeEvent(QEvent* event) override;
  void mouseMoveEvent(QMouseEvent* event) override;
  void mousePressEvent(QMouseEvent* event) override;
  void mouseReleaseEvent(QMouseEvent* event) override;
  void mouseDoubleClickEvent(QMouseEvent* event) override;
  bool viewportEvent(QEvent* event) override;

 private:
  void arrange();
  void paintToken(QPainter& painter, int token) const;
  int lineHeight() const;
  int lineCount() const;

  QStringList m_tokens;
  QVector<QRect> m_rects;  // in content coordinates
  QVector<double> m_teacher, m_student;
  int m_query = -1, m_key = -1;
  int m_pressed = -1, m_dragged = -1;
};

}  // namespace tandem::ui
