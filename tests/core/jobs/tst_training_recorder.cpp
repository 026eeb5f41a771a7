// Real runs of a tiny recipe, recorded: a resumed run goes on in its row, a run folder can be taken in later.
#include <QDir>
#include <QTemporaryDir>
#include <QTest>

#include "core/jobs/training_recorder.h"
#include "tests/support/recipes.h"
#include "tests/support/session_fixture.h"

using namespace tandem;
using namespace tandem::test;
using namespace tandem::training;

namespace {

/// A Llamba student of the bundled teacher: three updates in each of two stages.
const std::string kRecipe = seedStudentRecipe(2, R"(
    {"goal": "matrices", "sequences": 1, "tokens": 32, "schedule": {"peak": 0.001, "steps": 3}},
    {"goal": "hidden", "sequences": 1, "tokens": 32, "schedule": {"peak": 0.001, "steps": 3}})");

/// Stops the run after some updates.
struct Stopper final : TrainingObserver {
  explicit Stopper(int count) : left(count) {}
  Status on_update(const TrainingUpdate& /*update*/) override {
    if (--left == 0) stop.request_stop();
    return {};
  }
  int left;
  std::stop_source stop;
};

QStringList kinds(const Session& session, std::int64_t id) {
  QStringList list;
  const auto events = session.training_events(id);
  for (const SessionTrainingEvent& row : *events) list << event_kind_name(row.event.kind);
  return list;
}

}  // namespace

class TestTrainingRecorder : public QObject {
  Q_OBJECT

  QTemporaryDir m_folder;
  std::shared_ptr<Session> m_session;
  const Recipe m_recipe = *parse_recipe(kRecipe, "recipe.json");

  std::string path(const char* name) const { return m_folder.filePath(name).toStdString(); }

  /// Runs, with the session when there is one, until `updates` are done in this call.
  void run(const char* folder, bool resume, int updates) {
    const TrainingOptions options{path(folder), resume, 1};
    Stopper stopper(updates);
    if (m_session) {
      TrainingRecorder recorder(*m_session, m_recipe, options, &stopper);
      REQUIRE_OK(run_training(m_recipe, options, recorder, stopper.stop.get_token()));
    } else {
      REQUIRE_OK(run_training(m_recipe, options, stopper, stopper.stop.get_token()));
    }
  }
  SessionTraining only_training() const {
    const auto trainings = m_session->trainings();
    return trainings && trainings->size() == 1 ? trainings->front() : SessionTraining{};
  }
  void check_whole(std::int64_t id) const {
    const auto updates = m_session->training_updates(id);
    REQUIRE_OK(updates);
    QCOMPARE(updates->size(), std::size_t{6});
    for (std::size_t i = 0; i < updates->size(); ++i) {
      QCOMPARE(updates->at(i).stage, static_cast<std::int64_t>(i / 3));
      QCOMPARE(updates->at(i).step, static_cast<std::int64_t>(i % 3 + 1));
    }
  }

 private slots:
  void init() { m_session = *Session::in_memory(); }

  void a_resumed_run_goes_on_in_its_row() {
    run("pieces", false, 2);
    const SessionTraining stopped = only_training();
    QCOMPARE(stopped.state, std::string("stopped"));
    QCOMPARE(stopped.name, std::string("pieces"));
    QCOMPARE(stopped.teacher, std::string("seed-teacher"));
    run("pieces", true, 100);
    QCOMPARE(only_training().state, std::string("finished"));
    check_whole(stopped.id);
    QCOMPARE(kinds(*m_session, stopped.id).front(), QString("started"));
    QVERIFY(kinds(*m_session, stopped.id).contains("resumed"));
    QCOMPARE(kinds(*m_session, stopped.id).count("stage"), 1);
    const auto snapshots = m_session->training_snapshots(stopped.id);
    QCOMPARE(snapshots->size(), std::size_t{1 + 1 + 6});  // the teacher, the beginning, every update
  }

  void updates_after_the_checkpoint_are_not_doubled() {
    run("killed", false, 2);
    const std::int64_t id = only_training().id;
    TrainingUpdate lost;  // as if the process had been killed after one more update
    lost.step = 3, lost.steps = 3, lost.loss = 77;
    REQUIRE_OK(m_session->add_training_updates(id, {&lost, 1}));
    run("killed", true, 100);
    check_whole(id);
    QVERIFY(m_session->training_updates(id)->at(2).loss != 77);
  }

  void a_run_begun_without_a_session_joins() {
    const auto session = std::exchange(m_session, nullptr);
    run("joins", false, 4);
    m_session = session;
    run("joins", true, 100);
    check_whole(only_training().id);
  }

  void a_run_folder_is_taken_in() {
    const auto session = std::exchange(m_session, nullptr);
    run("folder", false, 4);
    m_session = session;
    const auto id = import_training(*m_session, path("folder"));
    REQUIRE_OK(id);
    QCOMPARE(only_training().state, std::string("stopped"));
    QVERIFY(QString::fromStdString(only_training().started_utc).startsWith("20"));
    QCOMPARE(m_session->training_updates(*id)->size(), std::size_t{4});
    run("folder", true, 100);
    QCOMPARE(*import_training(*m_session, path("folder")), *id);  // once more: the same row
    QCOMPARE(only_training().state, std::string("finished"));
    check_whole(*id);
    QVERIFY(import_training(*m_session, path("nothing")).error().code == ErrorCode::NotFound);
  }

  void a_session_that_cannot_be_written_ends_the_run() {
    const std::string file = path("locked.tandem");
    *Session::create(file);
    m_session = *Session::open(file, /*read_only=*/true);
    const TrainingOptions options{path("locked"), false, 1};
    TrainingRecorder recorder(*m_session, m_recipe, options);
    const auto result = run_training(m_recipe, options, recorder);
    QVERIFY(!result.ok());
    QVERIFY(result.error().message.find("read-only") != std::string::npos);
  }
};

QTEST_GUILESS_MAIN(TestTrainingRecorder)
#include "tst_training_recorder.moc"
