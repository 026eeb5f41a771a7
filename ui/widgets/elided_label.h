// A line of text that gives way: what does not fit ends in "…", and the tip has the whole of it.
#pragma once

#include <QLabel>

namespace tandem::ui {

class ElidedLabel : public QLabel {
  Q_OBJECT
 public:
  using QLabel::QLabel;
  QSize minimumSizeHint() const override;

 protected:
  bool event(QEvent* event) override;
  void paintEvent(QPaintEvent* event) override;
};

}  // namespace tandem::ui
