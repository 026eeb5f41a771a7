// Shards joined into one file, what forbids joining, and what verify_session finds.
#include <algorithm>

#include <sqlite3.h>

#include <QFile>
#include <QTemporaryDir>
#include <QTest>

#include "tests/support/session_fixture.h"

using namespace tandem;
using namespace tandem::test;

namespace {

constexpr int kProblems = 5;
constexpr int kCompletions = 3;

RunSettings few_completions() {
  RunSettings settings;
  settings.completions = kCompletions;
  return settings;
}

struct ShardOptions {
  int shard = 0;
  int shards = 2;
  RunSettings settings = few_completions();
  std::string device = "machine A";
  ProblemSet set = some_problems(kProblems);
};

void add_run(Session& session, const ModelInfo& model, const ShardOptions& options) {
  const auto model_id = session.add_model(model);
  REQUIRE_OK(model_id);
  const auto run = session.add_run(*model_id, options.settings, options.device);
  REQUIRE_OK(run);
  for (const Problem& problem : options.set.problems) {
    if (problem.index % options.shards != options.shard) continue;
    const auto problem_id = session.add_problem(options.set, problem);
    REQUIRE_OK(problem_id);
    const SessionProblem row{*problem_id, options.set.name, problem, options.set.kind};
    for (int i = 0; i < kCompletions; ++i)
      REQUIRE_OK(session.add_completion(
          graded(*run, row, some_completion(i, std::to_string(problem.index + i), 1.0 + i))));
    REQUIRE_OK(session.add_timing({*run, *problem_id, 10 + problem.index, 0.1, 3, 100, true}));
    const ThroughputSample sample{*run, *problem_id, {0.5, 0.1, kCompletions, 11}};
    REQUIRE_OK(session.add_samples({&sample, 1}));
  }
  REQUIRE_OK(session.finish_run(*run));
}

void write_shard(const std::string& path, const ShardOptions& options) {
  const auto session = Session::create(path);
  REQUIRE_OK(session);
  add_run(**session, some_model("teacher", MixerKind::Attention), options);
  add_run(**session, some_model("student", MixerKind::DiscreteMamba2), options);
  REQUIRE_OK((*session)->set_note("shard", std::to_string(options.shard)));
}

}  // namespace

class TestSessionMerge : public QObject {
  Q_OBJECT

  QTemporaryDir m_folder;
  std::vector<std::string> m_inputs;
  std::string m_output;

  void execute(const char* sql) const {
    sqlite3* connection = nullptr;
    QCOMPARE(sqlite3_open(m_output.c_str(), &connection), SQLITE_OK);
    QCOMPARE(sqlite3_exec(connection, sql, nullptr, nullptr, nullptr), SQLITE_OK);
    sqlite3_close(connection);
  }

 private slots:
  void init() {
    const QString name = QTest::currentTestFunction();
    m_inputs = {m_folder.filePath(name + "-0.tandem").toStdString(),
                m_folder.filePath(name + "-1.tandem").toStdString()};
    m_output = m_folder.filePath(name + ".tandem").toStdString();
  }

  void shards_become_one_run_per_model() {
    write_shard(m_inputs[0], {.shard = 0});
    write_shard(m_inputs[1], {.shard = 1, .device = "machine B"});
    REQUIRE_OK(merge_sessions(m_inputs, m_output));
    QCOMPARE(verify_session(m_output)->size(), 0U);

    const auto session = Session::open(m_output, true);
    REQUIRE_OK(session);
    QCOMPARE((*session)->models()->size(), 2U);
    QCOMPARE((*session)->problems()->size(), static_cast<std::size_t>(kProblems));
    const auto runs = (*session)->runs();
    REQUIRE_OK(runs);
    QCOMPARE(runs->size(), 2U);
    std::map<std::int64_t, SessionProblem> problems;
    const auto rows = (*session)->problems();
    for (const SessionProblem& problem : *rows) problems.emplace(problem.id, problem);
    for (const SessionRun& run : *runs) {
      QVERIFY(run.finished);
      QCOMPARE(run.device, std::string("machine A; machine B"));
      QCOMPARE((*session)->samples(run.id)->size(), static_cast<std::size_t>(kProblems));
      const auto timings = (*session)->timings(run.id);
      QCOMPARE(timings->size(), static_cast<std::size_t>(kProblems));
      for (const ProblemTiming& timing : *timings)
        QCOMPARE(timing.prompt_tokens, 10 + problems.at(timing.problem_id).problem.index);
      const auto completions = (*session)->completions(run.id);
      QCOMPARE(completions->size(), static_cast<std::size_t>(kProblems * kCompletions));
      for (const SessionCompletion& row : *completions)  // problem i asks for i + 1: completion 1 is right
        QCOMPARE(row.correct, row.completion.index == 1);
    }
    QCOMPARE((*session)->notes()->at("shard"), std::string("0\n1"));
    QVERIFY(!QFile::exists(QString::fromStdString(m_inputs[0] + "-wal")));
  }

  void joining_the_same_rows_twice_changes_nothing() {
    write_shard(m_inputs[0], {.shard = 0});
    QVERIFY(QFile::copy(QString::fromStdString(m_inputs[0]), QString::fromStdString(m_inputs[1])));
    REQUIRE_OK(merge_sessions(m_inputs, m_output));
    const auto session = Session::open(m_output, true);
    REQUIRE_OK(session);
    const std::int64_t run = (*session)->runs()->front().id;
    QCOMPARE((*session)->completions(run)->size(), 3U * kCompletions);
    QCOMPARE((*session)->samples(run)->size(), 3U);
  }

  void different_models_are_joined() {
    for (const bool teacher : {true, false}) {
      const auto session = Session::create(m_inputs[teacher ? 0 : 1]);
      REQUIRE_OK(session);
      add_run(**session,
              teacher ? some_model("teacher", MixerKind::Attention)
                      : some_model("student", MixerKind::DiscreteMamba2),
              {.shards = 1});
    }
    REQUIRE_OK(merge_sessions(m_inputs, m_output));
    QCOMPARE((*Session::open(m_output, true))->runs()->size(), 2U);
  }

  void refusals_data() {
    QTest::addColumn<QString>("difference");
    QTest::addColumn<QString>("sentence");
    QTest::newRow("settings") << "seed"
                              << "other settings";
    QTest::newRow("problem") << "problem"
                             << "another problem";
    QTest::newRow("completion") << "completion"
                                << "a completion that differs";
  }

  void refusals() {
    QFETCH(QString, difference);
    QFETCH(QString, sentence);
    for (const auto& name : m_inputs) QFile::remove(QString::fromStdString(name));
    write_shard(m_inputs[0], {.shard = 0});
    ShardOptions other{.shard = 1};
    if (difference == "seed") other.settings.seed = 1;
    if (difference == "problem") {
      other.shard = 0;
      other.set.problems[2].question = "Something else?";
    }
    if (difference == "completion") other.shard = 0;
    write_shard(m_inputs[1], other);
    if (difference == "completion") {
      const auto session = Session::open(m_inputs[1]);
      REQUIRE_OK(session);
      SessionCompletion row = (*session)->completions(1)->front();
      row.completion.tokens = {1};
      row.completion.logprobs = {-1};
      REQUIRE_OK((*session)->add_completion(row));
    }
    const Status status = merge_sessions(m_inputs, m_output);
    QVERIFY(!status);
    QVERIFY(status.error().code == ErrorCode::Mismatch);
    QVERIFY2(status.error().message.find(sentence.toStdString()) != std::string::npos,
             status.error().message.c_str());
    QVERIFY(status.error().message.find(m_inputs[1]) != std::string::npos);
    QVERIFY(!QFile::exists(QString::fromStdString(m_output)));
  }

  void inputs_and_output_are_checked() {
    QVERIFY(merge_sessions({}, m_output).error().code == ErrorCode::InvalidArgument);
    QVERIFY(merge_sessions(m_inputs, m_output).error().code == ErrorCode::NotFound);
    write_shard(m_inputs[0], {.shard = 0});
    write_shard(m_inputs[1], {.shard = 1});
    QVERIFY(merge_sessions(m_inputs, m_inputs[0]).error().code == ErrorCode::InvalidArgument);
    QCOMPARE(verify_session(m_inputs[0])->size(), 0U);
  }

  void verify_finds_what_is_wrong_data() {
    QTest::addColumn<QByteArray>("change");
    QTest::addColumn<QString>("finding");
    QTest::newRow("verdict")
        << QByteArray("UPDATE completion SET correct = 1 WHERE completion_index = 0 AND run_id = 1")
        << "the grader finds";
    QTest::newRow("answer") << QByteArray("UPDATE completion SET answer = '99' WHERE completion_index = 0")
                            << "stored answer '99'";
    QTest::newRow("log-probabilities")
        << QByteArray("UPDATE completion SET logprobs = x''") << "0 log-probabilities";
    QTest::newRow("completion missing")
        << QByteArray("DELETE FROM completion WHERE completion_index = 2") << "2 of 3 completions";
    QTest::newRow("reference") << QByteArray("DELETE FROM problem WHERE id = 1") << "does not exist";
    QTest::newRow("grader") << QByteArray("UPDATE run SET grader = '0'") << "version 0 of the grader";
    QTest::newRow("model") << QByteArray("UPDATE model SET info_json = '{}'") << "'parameters'";
    QTest::newRow("times") << QByteArray("UPDATE completion SET finish_s = 0") << "before its first token";
  }

  void verify_finds_what_is_wrong() {
    QFETCH(QByteArray, change);
    QFETCH(QString, finding);
    QFile::remove(QString::fromStdString(m_output));
    write_shard(m_output, {.shards = 1});
    execute(change.constData());
    const auto findings = verify_session(m_output);
    REQUIRE_OK(findings);
    QVERIFY(std::any_of(findings->begin(), findings->end(), [&](const std::string& sentence) {
      return QString::fromStdString(sentence).contains(finding);
    }));
  }
};

QTEST_GUILESS_MAIN(TestSessionMerge)
#include "tst_session_merge.moc"
