#include "ui/models/training_set.h"

#include <algorithm>
#include <filesystem>
#include <limits>

#include <QCoreApplication>

#include "core/tokenizer/tokenizer.h"

namespace tandem::ui {
namespace {

QString tr(const char* text) {
  return QCoreApplication::translate("TrainingSet", text);
}

QStringList tokenNames(const std::vector<std::int32_t>& ids, const std::string& folder) {
  const auto tokenizer = tandem::read_tokenizer((std::filesystem::path(folder) / "tokenizer.json").string());
  QStringList names;
  for (const std::int32_t id : ids)
    names << (tokenizer ? visibleToken(QString::fromStdString((*tokenizer)->piece(id)))
                        : QStringLiteral("#%1").arg(id));
  return names;
}

MatrixSide sideOf(const std::string& name, int layers, tandem::Capture capture) {
  return {QString::fromStdString(name), layers, std::move(capture)};
}

tandem::Result<MatrixSetPtr> read(const tandem::Session& session, std::int64_t training,
                                  std::int64_t snapshot) {
  TANDEM_TRY(const auto rows, session.trainings());
  TANDEM_TRY(const auto snapshots, session.training_snapshots(training));
  const auto row = std::find_if(rows.begin(), rows.end(),
                                [training](const tandem::SessionTraining& r) { return r.id == training; });
  const auto wanted = std::find_if(snapshots.begin(), snapshots.end(),
                                   [snapshot](const tandem::SessionSnapshot& s) { return s.id == snapshot; });
  if (row == rows.end() || wanted == snapshots.end() || !snapshots.front().of_teacher)
    return tandem::Error{
        tandem::ErrorCode::NotFound,
        tr("The session has no such snapshot, or not the teacher's to compare it with").toStdString()};
  TANDEM_TRY(tandem::Capture teacher, session.training_matrices(snapshots.front().id));
  TANDEM_TRY(tandem::Capture student, session.training_matrices(snapshot));
  auto set = std::make_shared<MatrixSet>();
  set->ids = teacher.ids;
  set->tokens = tokenNames(teacher.ids, row->folder);
  set->recorded = true;
  set->origin = tr("training %1, stage %2, update %3")
                    .arg(QString::fromStdString(row->name))
                    .arg(wanted->stage + 1)
                    .arg(wanted->step);
  const int layers = teacher.layers.empty() ? 0 : static_cast<int>(teacher.layers.back().layer) + 1;
  set->sides = {sideOf(row->teacher, layers, std::move(teacher)),
                sideOf(row->name, layers, std::move(student))};
  return MatrixSetPtr(std::move(set));
}

}  // namespace

HeadPair tellingHead(const MatrixSet& set) {
  constexpr double kLeastReach = 1;  // tokens; below, a head looks at its own token only
  HeadPair telling;
  double shortest = std::numeric_limits<double>::max();
  for (const tandem::LayerMatrices& layer : set.student().capture().layers) {
    const int index = static_cast<int>(layer.layer);
    for (int head = 0; head < set.teacher().heads(index); ++head) {
      const double reach = tandem::matrix_summary(set.teacher().matrix(index, head)).mean_lag;
      if (reach < kLeastReach || reach >= shortest) continue;
      shortest = reach;
      telling = {index, head, head};
    }
  }
  return telling;
}

TrainingSet readTrainingSet(const tandem::Session& session, std::int64_t training, std::int64_t snapshot) {
  auto set = read(session, training, snapshot);
  if (!set) return {snapshot, nullptr, {}, QString::fromStdString(set.error().message)};
  return {snapshot, *set, tellingHead(**set), {}};
}

tandem::Result<std::vector<ScrubbableRun>> scrubbableRuns(const tandem::Session& session) {
  TANDEM_TRY(const auto rows, session.trainings());
  std::vector<ScrubbableRun> runs;
  for (const tandem::SessionTraining& row : rows) {
    TANDEM_TRY(auto snapshots, session.training_snapshots(row.id));
    std::erase_if(snapshots, [](const tandem::SessionSnapshot& s) { return s.of_teacher; });
    if (!snapshots.empty()) runs.push_back({row.id, QString::fromStdString(row.name), std::move(snapshots)});
  }
  return runs;
}

}  // namespace tandem::ui
