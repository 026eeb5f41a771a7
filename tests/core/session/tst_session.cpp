// Everything that is written comes back, before and after the file is closed; what must be refused is.
#include <cmath>

#include <sqlite3.h>

#include <QFile>
#include <QTemporaryDir>
#include <QTest>

#include "tests/support/session_fixture.h"

using namespace tandem;
using namespace tandem::test;

namespace {

Capture some_capture() {
  Capture capture;
  capture.ids = {3, 1, 4};
  LayerMatrices layer;
  layer.layer = 2;
  layer.kind = MixerKind::HybridMamba2;
  layer.heads = {0, 3};
  for (Tensor* stack : {&layer.matrix, &layer.decay, &layer.content}) *stack = Tensor({2, 3, 3});
  for (std::int64_t i = 0; i < 18; ++i) {
    layer.matrix.f32()[i] = static_cast<float>(i) / 7.0F;
    layer.decay.f32()[i] = 0.25F * static_cast<float>(i);
    layer.content.f32()[i] = -static_cast<float>(i);
  }
  capture.layers.push_back(std::move(layer));
  return capture;
}

RunSettings unusual_settings() {
  RunSettings settings;
  settings.sampling = {0.7F, 40, 0.95F};
  settings.completions = 3;
  settings.batch = 2;
  settings.max_new_tokens = 77;
  settings.time_budget_s = 2.5;
  settings.seed = 0xFFFFFFFFFFFFFFFFULL;
  settings.mode = "together";
  settings.weights = "bf16";
  settings.threads = 5;
  return settings;
}

/// Writes one of everything.
void fill(Session& session) {
  const ProblemSet set = some_problems(2);
  const auto model = session.add_model(some_model("teacher", MixerKind::Attention));
  REQUIRE_OK(model);
  const auto problem = session.add_problem(set, set.problems[1]);
  REQUIRE_OK(problem);
  const auto run = session.add_run(*model, unusual_settings(), "a processor, 5 threads");
  REQUIRE_OK(run);
  SessionCompletion row = graded(*run, stored(set, 1, *problem), some_completion(2, "2", 1.5));
  row.score = 0.75;
  REQUIRE_OK(session.add_completion(row));
  REQUIRE_OK(session.add_completion(
      graded(*run, stored(set, 1, *problem), some_completion(0, "5", 2.5, FinishReason::Budget))));
  REQUIRE_OK(session.add_timing({*run, *problem, 21, 0.125, 2.5, 4096, true}));
  const ThroughputSample samples[] = {{*run, *problem, {0.5, 0.25, 3, 22.5}},
                                      {*run, *problem, {1, 0.5, 2, 24}}};
  REQUIRE_OK(session.add_samples(samples));
  REQUIRE_OK(session.add_matrices(*model, some_capture()));
  REQUIRE_OK(session.add_vote({*problem, "student", true, "clearer"}));
  REQUIRE_OK(session.set_note("title", "première"));
  REQUIRE_OK(session.add_benchmark("{\"bars\": []}"));
  REQUIRE_OK(session.finish_run(*run));
}

void check_rows_of_a_run(const Session& session) {
  const auto runs = session.runs();
  REQUIRE_OK(runs);
  QCOMPARE(runs->size(), 1U);
  const SessionRun& run = runs->front();
  QVERIFY(run.settings == unusual_settings());
  QCOMPARE(run.device, std::string("a processor, 5 threads"));
  QCOMPARE(run.grader, std::string(kGraderVersion));
  QCOMPARE(run.started_utc.size(), 20U);
  QVERIFY(run.finished);

  const auto completions = session.completions(run.id);
  REQUIRE_OK(completions);
  QCOMPARE(completions->size(), 2U);
  const SessionCompletion& cut = (*completions)[0];
  QVERIFY(cut.completion.finish == FinishReason::Budget);
  QVERIFY(!cut.answer && !cut.score && !cut.override_correct);
  const SessionCompletion& whole = (*completions)[1];
  const Completion expected = some_completion(2, "2", 1.5);
  QCOMPARE(whole.completion.index, 2);
  QCOMPARE(whole.completion.tokens, expected.tokens);
  QCOMPARE(whole.completion.logprobs, expected.logprobs);
  QCOMPARE(whole.completion.text, expected.text);
  QCOMPARE(whole.completion.first_token_s, expected.first_token_s);
  QCOMPARE(whole.completion.finish_s, expected.finish_s);
  QCOMPARE(whole.answer.value_or("none"), std::string("2"));
  QVERIFY(whole.correct);
  QCOMPARE(whole.score.value_or(-1), 0.75);
  QVERIFY(session.completions(run.id, whole.problem_id + 1)->empty());

  const auto timings = session.timings(run.id);
  REQUIRE_OK(timings);
  QCOMPARE(timings->size(), 1U);
  const ProblemTiming& timing = timings->front();
  QVERIFY(timing.prompt_tokens == 21 && timing.prefill_s == 0.125 && timing.decode_s == 2.5 &&
          timing.cache_bytes == 4096 && timing.complete);
  const auto samples = session.samples(run.id, timing.problem_id);
  REQUIRE_OK(samples);
  QCOMPARE(samples->size(), 2U);
  QVERIFY((*samples)[1].step.time_s == 1 && (*samples)[1].step.occupied == 2 &&
          (*samples)[0].step.mean_context == 22.5);
}

void check_the_rest(const Session& session) {
  const auto models = session.models();
  REQUIRE_OK(models);
  const auto info = model_info(models->front());
  REQUIRE_OK(info);
  QCOMPARE(to_json(*info), to_json(some_model("teacher", MixerKind::Attention)));
  QCOMPARE(info->config_json, std::string(R"({"model_type": "test"})"));

  const auto problems = session.problems();
  REQUIRE_OK(problems);
  QCOMPARE(problems->size(), 1U);
  QCOMPARE(problems->front().problem.index, 1);
  QCOMPARE(problems->front().problem.answer, std::string("2"));

  const auto matrices = session.matrices(models->front().id);
  REQUIRE_OK(matrices);
  QCOMPARE(matrices->size(), 6U);
  const StoredMatrix& first = matrices->front();
  QVERIFY(first.what == "matrix" && first.layer == 2 && first.head == 0 && first.ids.size() == 3);
  QCOMPARE(first.kind, std::string(mixer_kind_name(MixerKind::HybridMamba2)));
  for (std::int64_t i = 0; i < 9; ++i) {
    const float written = static_cast<float>(i) / 7.0F;
    QVERIFY(std::abs(first.values.f32()[i] - written) <=
            written / 2048);  // half a unit in the last place of f16
  }
  QCOMPARE(matrices->back().head, 3);

  const auto votes = session.votes();
  REQUIRE_OK(votes);
  QVERIFY(votes->size() == 1 && votes->front().preference == "student" && votes->front().blind);
  QCOMPARE(session.notes()->at("title"), std::string("première"));
  QCOMPARE(session.benchmarks()->front(), std::string("{\"bars\": []}"));
}

}  // namespace

class TestSession : public QObject {
  Q_OBJECT

  QTemporaryDir m_folder;
  std::string path(const char* name) const { return m_folder.filePath(name).toStdString(); }

 private slots:
  void pending_rows_are_seen() {
    const auto session = Session::create(path("pending.tandem"));
    REQUIRE_OK(session);
    fill(**session);
    check_rows_of_a_run(**session);
    check_the_rest(**session);
  }

  void round_trip_through_the_file() {
    {
      const auto session = Session::create(path("a.tandem"));
      REQUIRE_OK(session);
      fill(**session);
    }
    for (const bool read_only : {false, true}) {
      const auto session = Session::open(path("a.tandem"), read_only);
      REQUIRE_OK(session);
      QCOMPARE((*session)->read_only(), read_only);
      check_rows_of_a_run(**session);
      check_the_rest(**session);
    }
    QCOMPARE(verify_session(path("a.tandem"))->size(), 0U);
  }

  void a_file_name_with_uri_characters() {
    const std::string name = path("50% of #3?.tandem");
    {
      const auto session = Session::create(name);
      REQUIRE_OK(session);
      fill(**session);
    }
    QVERIFY(QFile::exists(QString::fromStdString(name)));
    const auto session = Session::open(name, true);
    REQUIRE_OK(session);
    check_rows_of_a_run(**session);
  }

  void the_same_rows_are_found_again() {
    const auto session = Session::create(path("again.tandem"));
    REQUIRE_OK(session);
    const ProblemSet set = some_problems(2);
    const ModelInfo model = some_model("teacher", MixerKind::Attention);
    const auto first = (*session)->add_model(model);
    QCOMPARE(*(*session)->add_model(model), *first);
    QVERIFY(*(*session)->add_model(some_model("student", MixerKind::DiscreteMamba2)) != *first);
    const auto problem = (*session)->add_problem(set, set.problems[0]);
    QCOMPARE(*(*session)->add_problem(set, set.problems[0]), *problem);

    Problem other = set.problems[0];
    other.answer = "17";
    const auto refused = (*session)->add_problem(set, other);
    QVERIFY(!refused);
    QVERIFY(refused.error().code == ErrorCode::Mismatch);
    QVERIFY(refused.error().message.find("problem 0 of the set 'numbers'") != std::string::npos);
  }

  void completions_are_replaced_and_cleared() {
    const auto session = Session::create(path("replace.tandem"));
    REQUIRE_OK(session);
    fill(**session);
    const std::int64_t run = (*session)->runs()->front().id;
    const auto problem = (*session)->problems()->front();
    REQUIRE_OK((*session)->add_completion(graded(run, problem, some_completion(2, "9", 4))));
    QCOMPARE((*session)->completions(run)->size(), 2U);
    QVERIFY(!(*session)->completions(run)->back().correct);
    REQUIRE_OK((*session)->clear_problem(run, problem.id));
    QVERIFY((*session)->completions(run)->empty());
    QVERIFY((*session)->samples(run)->empty());
    QVERIFY((*session)->timings(run)->empty());
  }

  void a_persons_verdict_stands_beside_the_graders() {
    const auto session = Session::create(path("override.tandem"));
    REQUIRE_OK(session);
    fill(**session);
    const std::int64_t run = (*session)->runs()->front().id;
    const std::int64_t problem = (*session)->problems()->front().id;
    REQUIRE_OK((*session)->set_override(run, problem, 2, false, "no unit"));
    const SessionCompletion row = (*session)->completions(run)->back();
    QVERIFY(row.correct);
    QVERIFY(row.override_correct.has_value() && !*row.override_correct);
    QCOMPARE(row.override_note, std::string("no unit"));
    const Status missing = (*session)->set_override(run, problem, 63, true, "");
    QVERIFY(!missing && missing.error().code == ErrorCode::NotFound);
  }

  void scores_are_given_and_cleared() {
    const auto session = Session::in_memory();
    REQUIRE_OK(session);
    fill(**session);
    const std::int64_t run = (*session)->runs()->front().id;
    const std::int64_t problem = (*session)->problems()->front().id;
    REQUIRE_OK((*session)->set_score(run, problem, 2, 0.625));
    QCOMPARE((*session)->completions(run)->back().score, std::optional<double>(0.625));
    REQUIRE_OK((*session)->clear_scores());
    QVERIFY(!(*session)->completions(run)->back().score.has_value());
    const Status missing = (*session)->set_score(run, problem, 63, 0.5);
    QVERIFY(!missing && missing.error().code == ErrorCode::NotFound);
  }

  void unknown_ids_are_refused() {
    const auto session = Session::create(path("ids.tandem"));
    REQUIRE_OK(session);
    fill(**session);
    const Status refused = (*session)->add_timing({99, 1, 1, 0, 0, 0, true});
    QVERIFY(!refused);
    QVERIFY(refused.error().code == ErrorCode::InvalidArgument);
    REQUIRE_OK((*session)->set_note("still", "writable"));
  }

  void create_refuses_an_existing_file() {
    const std::string name = path("mine.txt");
    QFile file(QString::fromStdString(name));
    QVERIFY(file.open(QIODevice::WriteOnly));
    file.write("precious");
    file.close();
    const auto session = Session::create(name);
    QVERIFY(!session);
    QVERIFY(session.error().code == ErrorCode::InvalidArgument);
    QVERIFY(file.open(QIODevice::ReadOnly));
    QCOMPARE(file.readAll(), QByteArray("precious"));
  }

  void create_names_a_folder_that_is_not_there() {
    const auto session = Session::create(path("nowhere/a.tandem"));
    QVERIFY(!session);
    QVERIFY(session.error().code == ErrorCode::Io);
    QVERIFY(session.error().message.find("nowhere/a.tandem") != std::string::npos);
  }

  void open_names_a_missing_file() {
    const auto session = Session::open(path("missing.tandem"));
    QVERIFY(!session);
    QVERIFY(session.error().code == ErrorCode::NotFound);
    QVERIFY(!QFile::exists(m_folder.filePath("missing.tandem")));
  }

  void read_only_leaves_no_trace() {
    const QString name = m_folder.filePath("quiet.tandem");
    {
      const auto session = Session::create(name.toStdString());
      REQUIRE_OK(session);
      fill(**session);
    }
    QVERIFY(!QFile::exists(name + "-wal"));
    const auto session = Session::open(name.toStdString(), true);
    REQUIRE_OK(session);
    check_rows_of_a_run(**session);
    QVERIFY(!QFile::exists(name + "-wal"));
    QVERIFY(!QFile::exists(name + "-shm"));
    const Status refused = (*session)->set_note("a", "b");
    QVERIFY(!refused);
    QVERIFY(refused.error().code == ErrorCode::InvalidArgument);
  }

  void a_copy_holds_pending_rows_and_the_original_goes_on() {
    const auto session = Session::create(path("original.tandem"));
    REQUIRE_OK(session);
    fill(**session);
    REQUIRE_OK((*session)->copy_to(path("copy.tandem")));
    REQUIRE_OK((*session)->set_note("later", "yes"));
    const Status refused = (*session)->copy_to(path("copy.tandem"));
    QVERIFY(!refused && refused.error().code == ErrorCode::InvalidArgument);

    const auto copy = Session::open(path("copy.tandem"));
    REQUIRE_OK(copy);
    check_rows_of_a_run(**copy);
    check_the_rest(**copy);
    QCOMPARE((*copy)->notes()->count("later"), 0U);
    REQUIRE_OK((*copy)->copy_to(path("copy of a copy.tandem")));
    const auto read_only = Session::open(path("copy.tandem"), true);
    REQUIRE_OK(read_only);
    REQUIRE_OK((*read_only)->copy_to(path("copy of a reader.tandem")));
  }

  void read_only_sees_what_a_writer_committed() {
    const auto writer = Session::create(path("shared.tandem"));
    REQUIRE_OK(writer);
    fill(**writer);
    REQUIRE_OK((*writer)->flush());
    const auto reader = Session::open(path("shared.tandem"), true);
    REQUIRE_OK(reader);
    check_rows_of_a_run(**reader);
    REQUIRE_OK((*writer)->set_note("later", "yes"));
    QCOMPARE((*reader)->notes()->count("later"), 0U);
    QTRY_COMPARE_WITH_TIMEOUT((*reader)->notes()->count("later"), 1U,
                              2000);  // without flush(): within a second
  }

  void a_newer_schema_opens_only_read_only() {
    {
      const auto session = Session::create(path("newer.tandem"));
      REQUIRE_OK(session);
      fill(**session);
    }
    sqlite3* connection = nullptr;
    QCOMPARE(sqlite3_open(path("newer.tandem").c_str(), &connection), SQLITE_OK);
    QCOMPARE(sqlite3_exec(connection, "PRAGMA user_version = 3; ALTER TABLE run ADD COLUMN novelty TEXT",
                          nullptr, nullptr, nullptr),
             SQLITE_OK);
    sqlite3_close(connection);

    const auto refused = Session::open(path("newer.tandem"));
    QVERIFY(!refused);
    QVERIFY(refused.error().code == ErrorCode::Unsupported);
    const auto session = Session::open(path("newer.tandem"), true);
    REQUIRE_OK(session);
    check_rows_of_a_run(**session);
  }

  void a_session_without_prompts_has_the_default_ones() {
    {
      const auto session = Session::create(path("older.tandem"));
      REQUIRE_OK(session);
      fill(**session);
    }
    sqlite3* connection = nullptr;
    QCOMPARE(sqlite3_open(path("older.tandem").c_str(), &connection), SQLITE_OK);
    QCOMPARE(sqlite3_exec(connection,
                          "ALTER TABLE run DROP COLUMN prompt; ALTER TABLE run DROP COLUMN prompt_date",
                          nullptr, nullptr, nullptr),
             SQLITE_OK);
    sqlite3_close(connection);

    const std::string inputs[] = {path("older.tandem")};
    REQUIRE_OK(merge_sessions(inputs, path("merged.tandem")));
    for (const char* name : {"merged.tandem", "older.tandem"}) {
      for (const bool read_only : {true, false}) {  // opened to write, the file gets the columns
        const auto session = Session::open(path(name), read_only);
        REQUIRE_OK(session);
        QCOMPARE((*session)->runs()->front().settings.prompt, "model");
        QCOMPARE((*session)->runs()->front().settings.prompt_date, kTemplateDate);
        check_rows_of_a_run(**session);
      }
    }
    RunSettings settings;
    settings.prompt = "gsm8k";
    QVERIFY((*Session::open(path("older.tandem")))->add_run(1, settings, "device").ok());
    QCOMPARE((*Session::open(path("older.tandem"), true))->runs()->back().settings.prompt, "gsm8k");
  }
};

QTEST_GUILESS_MAIN(TestSession)
#include "tst_session.moc"
