#include "core/jobs/training_recorder.h"

#include <algorithm>
#include <chrono>
#include <filesystem>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "core/base/provenance.h"
#include "core/devices/devices.h"
#include "core/training/log.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;
using training::EventKind;
using training::TrainingUpdate;

/// The folder's absolute name, which tells runs apart.
std::string absolute(const std::string& folder) {
  std::error_code ignored;
  return fs::weakly_canonical(folder, ignored).string();
}

SessionTraining row_of(const training::Recipe& recipe, const std::string& folder) {
  SessionTraining row;
  row.folder = absolute(folder);
  row.name = fs::path(row.folder).filename().string();
  row.recipe = recipe.json;
  row.teacher = fs::path(recipe.teacher).filename().string();
  row.version = tandem_version();
  return row;
}

/// The latest run of that folder and recipe; 0 when there is none.
Result<std::int64_t> known_run(const Session& session, const SessionTraining& wanted) {
  TANDEM_TRY(const auto trainings, session.trainings());
  std::int64_t id = 0;
  for (const SessionTraining& row : trainings)
    if (row.folder == wanted.folder && row.recipe == wanted.recipe) id = row.id;
  return id;
}

/// When the run's folder was made, as its recipe.json tells.
std::string begin_of(const std::string& folder) {
  std::error_code error;
  const auto written = fs::last_write_time(fs::path(folder) / training::kRecipeName, error);
  if (error) return {};
  const auto seconds =
      std::chrono::time_point_cast<std::chrono::seconds>(std::chrono::file_clock::to_sys(written));
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::chrono::system_clock::to_time_t(seconds)));
}

const char* state_after(EventKind kind) {
  switch (kind) {
    case EventKind::Stopped:
      return "stopped";
    case EventKind::Finished:
      return "finished";
    case EventKind::Failed:
      return "failed";
    default:
      return "running";
  }
}

}  // namespace

TrainingRecorder::TrainingRecorder(Session& session, const training::Recipe& recipe,
                                   const training::TrainingOptions& options, training::TrainingObserver* next)
    : session_(session), recipe_(recipe), options_(options), next_(next) {}

Status TrainingRecorder::join(const training::TrainingStart& start) {
  SessionTraining row = row_of(recipe_, options_.folder);
  row.device = device_name(options_.device, options_.threads);
  row.started_utc = utc_now();
  if (!start.resumed) {
    TANDEM_TRY(id_, session_.add_training(row));
    return {};
  }
  TANDEM_TRY(id_, known_run(session_, row));
  if (id_ > 0) {
    TANDEM_RETURN_IF_ERROR(session_.cut_training(id_, start.stage, start.step));
  } else {
    row.started_utc = begin_of(options_.folder);
    TANDEM_TRY(id_, session_.add_training(row));
  }
  // A killed program may have logged updates that its session had not written yet.
  TANDEM_TRY(const std::vector<TrainingUpdate> updates, training::read_log(options_.folder, recipe_));
  return session_.add_training_updates(id_, updates);
}

void TrainingRecorder::on_sampled(std::int64_t done, std::int64_t problems) {
  if (next_ != nullptr) next_->on_sampled(done, problems);
}

Status TrainingRecorder::on_begin(const training::TrainingStart& start) {
  TANDEM_RETURN_IF_ERROR(join(start));
  TANDEM_RETURN_IF_ERROR(session_.flush());
  return next_ != nullptr ? next_->on_begin(start) : Status();
}

Status TrainingRecorder::on_update(const TrainingUpdate& update) {
  TANDEM_RETURN_IF_ERROR(session_.add_training_updates(id_, {&update, 1}));
  return next_ != nullptr ? next_->on_update(update) : Status();
}

Status TrainingRecorder::on_event(const training::TrainingEvent& event) {
  TANDEM_RETURN_IF_ERROR(session_.add_training_event(id_, event));
  TANDEM_RETURN_IF_ERROR(session_.set_training_state(id_, state_after(event.kind)));
  TANDEM_RETURN_IF_ERROR(session_.flush());
  return next_ != nullptr ? next_->on_event(event) : Status();
}

Status TrainingRecorder::on_snapshot(const training::TrainingSnapshot& snapshot) {
  TANDEM_RETURN_IF_ERROR(session_.add_training_snapshot(id_, snapshot));
  return next_ != nullptr ? next_->on_snapshot(snapshot) : Status();
}

Result<std::int64_t> import_training(Session& session, const std::string& folder) {
  TANDEM_TRY(const training::Recipe recipe,
             training::read_recipe((fs::path(folder) / training::kRecipeName).string()));
  SessionTraining row = row_of(recipe, folder);
  TANDEM_TRY(std::int64_t id, known_run(session, row));
  TANDEM_TRY(const std::vector<TrainingUpdate> updates, training::read_log(folder, recipe));
  const bool finished = !updates.empty() && updates.back().stage + 1 == std::ssize(recipe.stages) &&
                        updates.back().step == updates.back().steps;
  row.state = finished ? "finished" : "stopped";
  row.started_utc = begin_of(folder);
  if (id == 0) {
    TANDEM_TRY(id, session.add_training(row));
  } else {
    TANDEM_RETURN_IF_ERROR(session.set_training_state(id, row.state));
  }
  TANDEM_RETURN_IF_ERROR(session.add_training_updates(id, updates));
  TANDEM_RETURN_IF_ERROR(session.flush());
  return id;
}

}  // namespace tandem
