#include "ui/models/problem_model.h"

namespace tandem::ui {
namespace {

/// A typed problem's index comes from its text, so that the same text draws the same completions.
std::int64_t textIndex(const std::string& text) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;  // FNV-1a
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return static_cast<std::int64_t>(hash & 0x7fffffff);
}

}  // namespace

tandem::Problem typedProblem(const QString& question) {
  tandem::Problem problem;
  problem.question = question.simplified().toStdString();
  problem.index = textIndex(problem.question);
  problem.id = "typed-" + std::to_string(problem.index);
  return problem;
}

ProblemModel::ProblemModel(Workspace& workspace, QObject* parent)
    : QAbstractListModel(parent), m_workspace(workspace) {
  connect(&m_workspace, &Workspace::problemsChanged, this, &ProblemModel::reload);
  reload();
}

void ProblemModel::reload() {
  beginResetModel();
  m_count = static_cast<int>(m_workspace.problems().problems.size());
  endResetModel();
}

int ProblemModel::rowCount(const QModelIndex& parent) const {
  return parent.isValid() ? 0 : m_count;
}

QVariant ProblemModel::data(const QModelIndex& index, int role) const {
  if (!checkIndex(index, CheckIndexOption::IndexIsValid)) return {};
  const tandem::Problem& problem = m_workspace.problems().problems[static_cast<std::size_t>(index.row())];
  switch (role) {
    case Qt::DisplayRole:
      return QStringLiteral("%1  %2").arg(index.row() + 1).arg(QString::fromStdString(problem.question));
    case QuestionRole:
      return QString::fromStdString(problem.question);
    case AnswerRole:
      return QString::fromStdString(problem.answer);
    case IdRole:
      return QString::fromStdString(problem.id);
    default:
      return {};
  }
}

QHash<int, QByteArray> ProblemModel::roleNames() const {
  QHash<int, QByteArray> names = QAbstractListModel::roleNames();
  names.insert({{QuestionRole, "question"}, {AnswerRole, "answer"}, {IdRole, "id"}});
  return names;
}

}  // namespace tandem::ui
