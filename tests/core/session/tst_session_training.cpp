// Training runs in sessions: rows round trip, older files gain the tables, shards join, verify finds holes.
#include <sqlite3.h>

#include <QTemporaryDir>
#include <QTest>

#include "tests/support/session_fixture.h"

using namespace tandem;
using namespace tandem::test;
using training::EventKind;
using training::Goal;
using training::TrainingSnapshot;
using training::TrainingUpdate;

namespace {

const std::string kRecipe = R"({"model": {}, "teacher": "t", "corpus": {"seed": 1}, "stages": [
  {"goal": "matrices", "sequences": 1, "tokens": 8, "schedule": {"peak": 0.1, "steps": 3}},
  {"goal": "logits", "sequences": 1, "tokens": 8, "schedule": {"peak": 0.1, "steps": 2}}]})";

SessionTraining some_training(const std::string& folder) {
  SessionTraining training;
  training.name = "look";
  training.recipe = kRecipe;
  training.folder = folder;
  training.teacher = "t";
  training.device = "machine A";
  training.version = "1";
  training.started_utc = "2025-01-31T12:00:00Z";
  return training;
}

TrainingUpdate some_update(std::int64_t stage, std::int64_t step) {
  TrainingUpdate update;
  update.stage = stage;
  update.goal = stage == 0 ? Goal::Matrices : Goal::Logits;
  update.step = step;
  update.steps = stage == 0 ? 3 : 2;
  update.tokens = 8 * (3 * stage + step);
  update.loss = 10.0 / static_cast<double>(step);
  update.learning_rate = 0.1;
  update.gradient_norm = 2;
  update.tokens_per_s = 100;
  if (stage == 0) update.distances = {2, 0}, update.relative = {0.5, 0};
  return update;
}

TrainingSnapshot some_snapshot(bool of_teacher, std::int64_t stage, std::int64_t step) {
  auto capture = std::make_shared<Capture>();
  capture->ids = {3, 1, 4};
  LayerMatrices layer;
  layer.layer = 1;
  layer.kind = of_teacher ? MixerKind::Attention : MixerKind::DiscreteMamba2;
  layer.heads = {0, 1};
  layer.matrix = Tensor({2, 3, 3});
  for (int i = 0; i < 18; ++i) layer.matrix.f32()[i] = 0.25F * static_cast<float>(i + step);
  if (!of_teacher) {
    layer.skip = Tensor({2});
    layer.skip.f32()[1] = -1.5F;
  }
  capture->layers.push_back(std::move(layer));
  return {of_teacher, stage, step, std::move(capture)};
}

/// All updates of the recipe, with snapshots of the teacher, the beginning and the end of stage 1.
std::int64_t fill(Session& session, const std::string& folder) {
  const auto id = session.add_training(some_training(folder));
  if (!id) return -1;
  bool good = session.add_training_snapshot(*id, some_snapshot(true, 0, 0)).ok();
  good = good && session.add_training_snapshot(*id, some_snapshot(false, 0, 0)).ok();
  for (const auto& [stage, step] : {std::pair{0, 1}, {0, 2}, {0, 3}, {1, 1}, {1, 2}}) {
    const TrainingUpdate update = some_update(stage, step);
    good = good && session.add_training_updates(*id, {&update, 1}).ok();
  }
  good = good && session.add_training_snapshot(*id, some_snapshot(false, 0, 3)).ok();
  good = good && session.add_training_event(*id, {EventKind::Stage, 1, 0, "Stage 2 begins"}).ok();
  good = good && session.set_training_state(*id, "finished").ok();
  return good ? *id : -1;
}

}  // namespace

class TestSessionTraining : public QObject {
  Q_OBJECT

  QTemporaryDir m_folder;
  std::string path(const char* name) const { return m_folder.filePath(name).toStdString(); }

  static void execute(const std::string& file, const char* sql) {
    sqlite3* connection = nullptr;
    QCOMPARE(sqlite3_open(file.c_str(), &connection), SQLITE_OK);
    QCOMPARE(sqlite3_exec(connection, sql, nullptr, nullptr, nullptr), SQLITE_OK);
    sqlite3_close(connection);
  }
  std::string filled(const char* name, const std::string& folder) const {
    const auto session = Session::create(path(name));
    if (!session || fill(**session, folder) < 0) return {};
    return path(name);
  }
  static std::vector<std::string> findings(const std::string& file) {
    const auto found = verify_session(file);
    return found ? *found : std::vector<std::string>{found.error().message};
  }

 private slots:
  void rows_read_back() {
    const auto session = Session::in_memory();
    REQUIRE_OK(session);
    const std::int64_t id = fill(**session, "/runs/look");
    QVERIFY(id > 0);
    const auto trainings = (*session)->trainings();
    REQUIRE_OK(trainings);
    QCOMPARE(trainings->size(), std::size_t{1});
    QCOMPARE(trainings->front().recipe, kRecipe);
    QCOMPARE(trainings->front().state, std::string("finished"));
    const auto updates = (*session)->training_updates(id);
    REQUIRE_OK(updates);
    QCOMPARE(updates->size(), std::size_t{5});
    QCOMPARE(updates->front().relative, (std::vector<double>{0.5, 0}));
    QVERIFY(updates->back().goal == Goal::Logits && updates->back().distances.empty());
    QCOMPARE(updates->back().tokens, std::int64_t{40});
    const auto events = (*session)->training_events(id);
    REQUIRE_OK(events);
    QVERIFY(events->front().event.kind == EventKind::Stage && !events->front().time_utc.empty());
  }

  void snapshots_read_back_in_half_precision() {
    const auto session = Session::in_memory();
    REQUIRE_OK(session);
    const auto snapshots = (*session)->training_snapshots(fill(**session, "/runs/look"));
    REQUIRE_OK(snapshots);
    QCOMPARE(snapshots->size(), std::size_t{3});
    QVERIFY(snapshots->front().of_teacher);
    QCOMPARE(snapshots->back().step, std::int64_t{3});
    const auto capture = (*session)->training_matrices(snapshots->back().id);
    REQUIRE_OK(capture);
    QCOMPARE(capture->ids, (std::vector<std::int32_t>{3, 1, 4}));
    const LayerMatrices& layer = capture->layers.front();
    QCOMPARE(layer.layer, std::int64_t{1});
    QVERIFY(layer.kind == MixerKind::DiscreteMamba2);
    QCOMPARE(layer.matrix.f32()[17], 5.0F);
    QCOMPARE(layer.skip.f32()[1], -1.5F);
    QVERIFY((*session)->training_matrices(99).error().code == ErrorCode::NotFound);
  }

  void what_is_done_again_is_forgotten_first() {
    const auto session = Session::in_memory();
    REQUIRE_OK(session);
    const std::int64_t id = fill(**session, "/runs/look");
    REQUIRE_OK((*session)->cut_training(id, 0, 2));
    QCOMPARE((*session)->training_updates(id)->size(), std::size_t{2});
    QCOMPARE((*session)->training_snapshots(id)->size(), std::size_t{2});
    REQUIRE_OK((*session)->add_training_snapshot(id, some_snapshot(false, 0, 3)));
  }

  void a_file_of_version_1_gains_the_tables() {
    const std::string file = filled("old.tandem", "/runs/look");
    execute(file,
            "DROP TABLE training_matrix; DROP TABLE training_snapshot; DROP TABLE training_event;"
            "DROP TABLE training_update; DROP TABLE training; PRAGMA user_version = 1;"
            "INSERT INTO note(key, text) VALUES('kept', 'yes')");
    {
      const auto reader = Session::open(file, /*read_only=*/true);
      REQUIRE_OK(reader);
      QVERIFY((*reader)->trainings()->empty());
    }
    QVERIFY(findings(file).empty());
    const std::string inputs[] = {file};
    REQUIRE_OK(merge_sessions(inputs, path("joined_old.tandem")));
    const auto session = Session::open(file);
    REQUIRE_OK(session);
    QCOMPARE((*session)->notes()->at("kept"), std::string("yes"));
    QVERIFY(fill(**session, "/runs/look") > 0);
  }

  void sessions_join_and_a_run_in_both_is_taken_once() {
    const std::string inputs[] = {filled("a.tandem", "/runs/one"), filled("b.tandem", "/runs/one"),
                                  filled("c.tandem", "/runs/two")};
    REQUIRE_OK(merge_sessions(inputs, path("joined.tandem")));
    QVERIFY(findings(path("joined.tandem")).empty());
    const auto session = Session::open(path("joined.tandem"));
    REQUIRE_OK(session);
    const auto trainings = (*session)->trainings();
    QCOMPARE(trainings->size(), std::size_t{2});
    for (const SessionTraining& training : *trainings) {
      QCOMPARE((*session)->training_updates(training.id)->size(), std::size_t{5});
      const auto snapshots = (*session)->training_snapshots(training.id);
      QCOMPARE(snapshots->size(), std::size_t{3});
      QCOMPARE((*session)->training_matrices(snapshots->back().id)->layers.front().matrix.f32()[17], 5.0F);
    }
  }

  void two_courses_of_one_run_do_not_join() {
    const std::string inputs[] = {filled("first.tandem", "/runs/one"), filled("second.tandem", "/runs/one")};
    execute(inputs[1], "UPDATE training_update SET loss = 99 WHERE stage = 1");
    const Status status = merge_sessions(inputs, path("refused.tandem"));
    QVERIFY(!status.ok());
    QVERIFY(status.error().message.find("another course of a training run") != std::string::npos);
  }

  void verify_finds_what_is_missing() {
    const std::string file = filled("holes.tandem", "/runs/look");
    QVERIFY(findings(file).empty());
    execute(file,
            "DELETE FROM training_update WHERE stage = 0 AND step = 2; DELETE FROM training_matrix;"
            "UPDATE training SET recipe = '{}'");
    const auto found = findings(file);
    QCOMPARE(found.size(), std::size_t{5});
    QVERIFY(found[0].find("training run 1") != std::string::npos);
    QVERIFY(found[1].find("update 3 does not follow update 1") != std::string::npos);
    QVERIFY(found[2].find("has no matrices") != std::string::npos);
  }
};

QTEST_GUILESS_MAIN(TestSessionTraining)
#include "tst_session_training.moc"
