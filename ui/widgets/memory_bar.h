// What a model would take of the memory that is free, as a bar: its weights, then what is needed on top.
#pragma once

#include <QWidget>

#include "core/models/memory_plan.h"

namespace tandem::ui {

class MemoryBar : public QWidget {
  Q_OBJECT
 public:
  explicit MemoryBar(QWidget* parent = nullptr);
  /// `available`: bytes; 0 when unknown.
  void setPlan(const tandem::MemoryPlan& plan, std::int64_t available);
  QSize sizeHint() const override;

 protected:
  void paintEvent(QPaintEvent* event) override;

 private:
  tandem::MemoryPlan m_plan;
  std::int64_t m_available = 0;
};

}  // namespace tandem::ui
