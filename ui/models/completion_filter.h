// The completions of one answer, in a chosen order.
#pragma once

#include <QSortFilterProxyModel>
#include <QString>

namespace tandem::ui {

class CompletionFilter : public QSortFilterProxyModel {
  Q_OBJECT
 public:
  enum class Order { Index, Finish, Length, Verdict, Answer };
  explicit CompletionFilter(QObject* parent = nullptr);

  /// Empty: all completions.
  void setAnswer(const QString& answer);
  QString answer() const { return m_answer; }
  void setOrder(Order order);

 protected:
  bool filterAcceptsRow(int row, const QModelIndex& parent) const override;

 private:
  QString m_answer;
};

}  // namespace tandem::ui
