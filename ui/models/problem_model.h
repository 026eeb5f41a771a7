// The workspace's problems as a list: number, question, and what the filter of the problem dock searches.
#pragma once

#include <QAbstractListModel>

#include "ui/workspace.h"

namespace tandem::ui {

/// A problem that the user typed, without a known answer.
tandem::Problem typedProblem(const QString& question);

class ProblemModel : public QAbstractListModel {
  Q_OBJECT
 public:
  enum Role {
    QuestionRole = Qt::UserRole + 1,
    AnswerRole,
    IdRole,
  };
  explicit ProblemModel(Workspace& workspace, QObject* parent = nullptr);
  int rowCount(const QModelIndex& parent = {}) const override;
  QVariant data(const QModelIndex& index, int role = Qt::DisplayRole) const override;
  QHash<int, QByteArray> roleNames() const override;

 private:
  void reload();
  Workspace& m_workspace;
  int m_count = 0;  // rows that views know of
};

}  // namespace tandem::ui
