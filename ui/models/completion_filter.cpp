#include "ui/models/completion_filter.h"

#include "ui/models/completion_model.h"

namespace tandem::ui {

CompletionFilter::CompletionFilter(QObject* parent) : QSortFilterProxyModel(parent) {
  setDynamicSortFilter(true);
  setOrder(Order::Index);
}

void CompletionFilter::setAnswer(const QString& answer) {
  if (answer == m_answer) return;
  m_answer = answer;
  invalidateFilter();
}

void CompletionFilter::setOrder(Order order) {
  switch (order) {
    case Order::Index:
      setSortRole(CompletionModel::IndexRole);
      break;
    case Order::Finish:
      setSortRole(CompletionModel::FinishRole);
      break;
    case Order::Length:
      setSortRole(CompletionModel::TokensRole);
      break;
    case Order::Verdict:
      setSortRole(CompletionModel::VerdictRole);
      break;
    case Order::Answer:
      setSortRole(CompletionModel::AnswerRole);
      break;
  }
  sort(0);
}

bool CompletionFilter::filterAcceptsRow(int row, const QModelIndex& parent) const {
  return m_answer.isEmpty() ||
         sourceModel()->index(row, 0, parent).data(CompletionModel::AnswerRole).toString() == m_answer;
}

}  // namespace tandem::ui
