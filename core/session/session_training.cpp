// Training runs: their rows written and read.
#include <array>

#include <fmt/format.h>

#include "core/base/provenance.h"
#include "core/session/half_cells.h"
#include "core/session/session.h"
#include "core/session/session_state.h"

namespace tandem {
namespace {

using sqlite::Database;
using sqlite::Row;
using training::EventKind;
using training::TrainingUpdate;

constexpr std::array kKinds = {EventKind::Started,    EventKind::Resumed, EventKind::Stage,
                               EventKind::Checkpoint, EventKind::Stopped, EventKind::Finished,
                               EventKind::Failed};
constexpr std::array kMixers = {MixerKind::Attention, MixerKind::DiscreteMamba2, MixerKind::HybridMamba2};

/// The value whose name is stored; the first one for a name that only a later version knows.
template <typename Values, typename Name>
auto named(const Values& values, Name name, const std::string& wanted) {
  for (const auto value : values)
    if (wanted == name(value)) return value;
  return values.front();
}

std::vector<float> to_floats(const std::vector<double>& values) {
  return {values.begin(), values.end()};
}

std::vector<double> doubles(const Row& row, int column) {
  const std::vector<float> values = row.array<float>(column);
  return {values.begin(), values.end()};
}

Status insert_stack(Database& database, std::int64_t snapshot_id, const LayerMatrices& layer) {
  std::vector<float> skip(layer.skip.f32(), layer.skip.f32() + layer.skip.elements());
  return database.run(
      "INSERT INTO training_matrix(snapshot_id, layer, heads, kind, cells, skip) VALUES(?, ?, ?, ?, ?, ?)",
      snapshot_id, layer.layer, layer.matrix.shape()[0], mixer_kind_name(layer.kind),
      sqlite::blob_of(to_half(layer.matrix.f32(), layer.matrix.elements())), sqlite::blob_of(skip));
}

LayerMatrices stack_of(const Row& row, std::int64_t seqlen) {
  LayerMatrices layer;
  layer.layer = row.integer(0);
  const std::int64_t heads = row.integer(1);
  for (std::int64_t h = 0; h < heads; ++h) layer.heads.push_back(h);
  layer.kind = named(kMixers, mixer_kind_name, row.text(2));
  layer.matrix = Tensor({heads, seqlen, seqlen});
  from_half(row.array<std::uint16_t>(3), layer.matrix);
  const std::vector<float> skip = row.array<float>(4);
  if (skip.empty()) return layer;
  layer.skip = Tensor({std::ssize(skip)});
  std::copy(skip.begin(), skip.end(), layer.skip.f32());
  return layer;
}

TrainingUpdate update_of(const Row& row) {
  TrainingUpdate update;
  update.stage = row.integer(0);
  update.goal = training::goal_from_name(row.text(1)).value_or(training::Goal::Tokens);
  update.step = row.integer(2);
  update.steps = row.integer(3);
  update.tokens = row.integer(4);
  update.loss = row.real(5);
  update.learning_rate = row.real(6);
  update.gradient_norm = row.real(7);
  update.tokens_per_s = row.real(8);
  update.distances = doubles(row, 9);
  update.relative = doubles(row, 10);
  return update;
}

/// Files of schema 1, opened read-only, have no such tables.
Result<bool> knows_training(Database& database) {
  TANDEM_TRY(const std::int64_t tables,
             database.query_integer("SELECT count(*) FROM sqlite_schema WHERE name = 'training'"));
  return tables > 0;
}

}  // namespace

Result<std::int64_t> Session::add_training(const SessionTraining& training) {
  return state_->write([&](Database& database) -> Result<std::int64_t> {
    TANDEM_RETURN_IF_ERROR(database.run(
        "INSERT INTO training(name, recipe, folder, teacher, device, version, started_utc, state) "
        "VALUES(?, ?, ?, ?, ?, ?, ?, ?)",
        training.name, training.recipe, training.folder, training.teacher, training.device, training.version,
        training.started_utc, training.state));
    return database.last_insert_id();
  });
}

Status Session::set_training_state(std::int64_t training_id, const std::string& state) {
  return state_->write([&](Database& database) {
    return database.run("UPDATE training SET state = ? WHERE id = ?", state, training_id);
  });
}

Status Session::add_training_updates(std::int64_t training_id, std::span<const TrainingUpdate> updates) {
  return state_->write([&](Database& database) -> Status {
    for (const TrainingUpdate& update : updates)
      TANDEM_RETURN_IF_ERROR(database.run(
          "INSERT OR REPLACE INTO training_update(training_id, stage, goal, step, steps, tokens, loss, "
          "learning_rate, gradient_norm, tokens_per_s, distances, relative) "
          "VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
          training_id, update.stage, training::goal_name(update.goal), update.step, update.steps,
          update.tokens, update.loss, update.learning_rate, update.gradient_norm, update.tokens_per_s,
          sqlite::blob_of(to_floats(update.distances)), sqlite::blob_of(to_floats(update.relative))));
    return {};
  });
}

Status Session::add_training_event(std::int64_t training_id, const training::TrainingEvent& event) {
  return state_->write([&](Database& database) {
    return database.run(
        "INSERT OR REPLACE INTO training_event(training_id, time_utc, kind, stage, step, text) "
        "VALUES(?, ?, ?, ?, ?, ?)",
        training_id, utc_now(), training::event_kind_name(event.kind), event.stage, event.step, event.text);
  });
}

Status Session::add_training_snapshot(std::int64_t training_id, const training::TrainingSnapshot& snapshot) {
  return state_->write([&](Database& database) -> Status {
    TANDEM_RETURN_IF_ERROR(database.run(
        "INSERT INTO training_snapshot(training_id, of_teacher, stage, step, ids) VALUES(?, ?, ?, ?, ?)",
        training_id, snapshot.of_teacher, snapshot.stage, snapshot.step,
        sqlite::blob_of(snapshot.matrices->ids)));
    const std::int64_t id = database.last_insert_id();
    for (const LayerMatrices& layer : snapshot.matrices->layers)
      TANDEM_RETURN_IF_ERROR(insert_stack(database, id, layer));
    return {};
  });
}

Status Session::cut_training(std::int64_t training_id, std::int64_t stage, std::int64_t step) {
  return state_->write([&](Database& database) -> Status {
    for (const char* sql :
         {"DELETE FROM training_update WHERE training_id = ? AND (stage, step) > (?, ?)",
          "DELETE FROM training_matrix WHERE snapshot_id IN (SELECT id FROM training_snapshot "
          "WHERE training_id = ? AND (stage, step) > (?, ?))",
          "DELETE FROM training_snapshot WHERE training_id = ? AND (stage, step) > (?, ?)"})
      TANDEM_RETURN_IF_ERROR(database.run(sql, training_id, stage, step));
    return {};
  });
}

Result<std::vector<SessionTraining>> Session::trainings() const {
  return state_->read([](Database& database) -> Result<std::vector<SessionTraining>> {
    TANDEM_TRY(const bool known, knows_training(database));
    if (!known) return std::vector<SessionTraining>();
    return sqlite::collect<SessionTraining>(
        database,
        "SELECT id, name, recipe, folder, teacher, device, version, started_utc, state FROM training "
        "ORDER BY id",
        [](const Row& row) {
          return SessionTraining{row.integer(0), row.text(1), row.text(2), row.text(3), row.text(4),
                                 row.text(5),    row.text(6), row.text(7), row.text(8)};
        });
  });
}

Result<std::vector<TrainingUpdate>> Session::training_updates(std::int64_t training_id) const {
  return state_->read([&](Database& database) {
    return sqlite::collect<TrainingUpdate>(
        database,
        "SELECT stage, goal, step, steps, tokens, loss, learning_rate, gradient_norm, tokens_per_s, "
        "distances, relative FROM training_update WHERE training_id = ? ORDER BY stage, step",
        update_of, training_id);
  });
}

Result<std::vector<SessionTrainingEvent>> Session::training_events(std::int64_t training_id) const {
  return state_->read([&](Database& database) {
    return sqlite::collect<SessionTrainingEvent>(
        database,
        "SELECT time_utc, kind, stage, step, text FROM training_event WHERE training_id = ? ORDER BY rowid",
        [](const Row& row) {
          return SessionTrainingEvent{row.text(0),
                                      {named(kKinds, training::event_kind_name, row.text(1)), row.integer(2),
                                       row.integer(3), row.text(4)}};
        },
        training_id);
  });
}

Result<std::vector<SessionSnapshot>> Session::training_snapshots(std::int64_t training_id) const {
  return state_->read([&](Database& database) {
    return sqlite::collect<SessionSnapshot>(
        database,
        "SELECT id, of_teacher, stage, step FROM training_snapshot WHERE training_id = ? "
        "ORDER BY of_teacher DESC, stage, step",
        [](const Row& row) {
          return SessionSnapshot{row.integer(0), row.integer(1) != 0, row.integer(2), row.integer(3)};
        },
        training_id);
  });
}

Result<Capture> Session::training_matrices(std::int64_t snapshot_id) const {
  return state_->read([&](Database& database) -> Result<Capture> {
    std::optional<Capture> capture;
    TANDEM_RETURN_IF_ERROR(database.query(
        "SELECT ids FROM training_snapshot WHERE id = ?",
        [&](const Row& row) { capture.emplace().ids = row.array<std::int32_t>(0); }, snapshot_id));
    if (!capture)
      return Error{ErrorCode::NotFound, fmt::format("{} has no training snapshot {}", path(), snapshot_id)};
    const std::int64_t seqlen = std::ssize(capture->ids);
    TANDEM_RETURN_IF_ERROR(database.query(
        "SELECT layer, heads, kind, cells, skip FROM training_matrix WHERE snapshot_id = ? ORDER BY layer",
        [&](const Row& row) { capture->layers.push_back(stack_of(row, seqlen)); }, snapshot_id));
    return std::move(*capture);
  });
}

}  // namespace tandem
