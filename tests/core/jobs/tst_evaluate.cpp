// The evaluation job on the bundled models: what it stores, that it resumes, shards, stops and refuses.
#include <set>

#include <QTest>

#include "core/jobs/evaluate.h"
#include "tests/support/models.h"
#include "tests/support/session_fixture.h"

using namespace tandem;
using namespace tandem::test;

namespace {

/// Two models, three problems, three short completions each: a fraction of a second.
EvaluateRequest small_request() {
  EvaluateRequest request;
  request.models = {bundled("seed-teacher"), bundled("seed-llamba")};
  request.set = some_problems(3);
  request.settings.completions = 3;
  request.settings.max_new_tokens = 6;
  request.settings.threads = 1;
  return request;
}

/// Remembers the order of problems; stops when told to.
class Watcher final : public RunObserver {
 public:
  void on_plan(std::int64_t to_run, std::int64_t complete) override { plan = {to_run, complete}; }
  void on_problem(int side, const Problem& problem, std::int64_t, std::int64_t) override {
    started.emplace_back(side, problem.index);
  }
  void on_step(int, const StepSample&, std::span<const TokenEvent>) override {
    if (++steps == stop_at_step) stop.request_stop();
  }
  void on_completion(int, const SessionCompletion&) override { ++completions; }
  void on_problem_done(int, const ProblemTiming& timing) override {
    if (timing.complete && ++done == stop_after_problems) stop.request_stop();
  }

  std::stop_source stop;
  int stop_at_step = -1;
  int stop_after_problems = -1;
  std::pair<std::int64_t, std::int64_t> plan;
  std::vector<std::pair<int, std::int64_t>> started;
  int steps = 0;
  int completions = 0;
  int done = 0;
};

std::vector<std::vector<std::int32_t>> tokens_of(const Session& session) {
  std::vector<std::vector<std::int32_t>> tokens;
  const auto runs = session.runs();
  for (const SessionRun& run : *runs) {
    const auto rows = session.completions(run.id);
    for (const SessionCompletion& row : *rows) tokens.push_back(row.completion.tokens);
  }
  return tokens;
}

std::size_t complete_problems(const Session& session) {
  std::size_t count = 0;
  const auto runs = session.runs();
  for (const SessionRun& run : *runs) {
    const auto timings = session.timings(run.id);
    count += static_cast<std::size_t>(
        std::count_if(timings->begin(), timings->end(), [](const ProblemTiming& t) { return t.complete; }));
  }
  return count;
}

}  // namespace

class TestEvaluate : public QObject {
  Q_OBJECT

  std::shared_ptr<Session> m_session;

 private slots:
  void init() { m_session = *Session::in_memory(); }

  void takes_turns_in_alternating_order_and_stores_everything() {
    const EvaluateRequest request = small_request();
    Watcher watcher;
    REQUIRE_OK(evaluate(request, *m_session, &watcher));
    QVERIFY(watcher.plan == std::pair(std::int64_t{6}, std::int64_t{0}));
    const std::vector<std::pair<int, std::int64_t>> order = {{0, 0}, {1, 0}, {1, 1}, {0, 1}, {0, 2}, {1, 2}};
    QVERIFY(watcher.started == order);
    QCOMPARE(watcher.completions, 18);

    const auto runs = m_session->runs();
    QCOMPARE(runs->size(), 2U);
    const auto problems = m_session->problems();
    for (const SessionRun& run : *runs) {
      QVERIFY(run.finished);
      QVERIFY(run.device.find("1 thread") != std::string::npos);
      const auto rows = m_session->completions(run.id);
      QCOMPARE(rows->size(), 9U);
      for (const SessionCompletion& row : *rows) {
        const Verdict verdict =
            judge((*problems)[static_cast<std::size_t>(row.problem_id - 1)], row.completion);
        QVERIFY(row.answer == verdict.answer && row.correct == verdict.correct);
        QVERIFY(row.completion.first_token_s > 0 && row.completion.finish_s >= row.completion.first_token_s);
      }
      const auto timings = m_session->timings(run.id);
      QCOMPARE(timings->size(), 3U);
      for (const ProblemTiming& timing : *timings) {
        QVERIFY(timing.complete && timing.prompt_tokens > 0 && timing.prefill_s > 0 && timing.decode_s > 0);
        QVERIFY(timing.cache_bytes > 0);
        const auto samples = m_session->samples(run.id, timing.problem_id);
        QVERIFY(!samples->empty());
        // At most one every 50 ms, one for each change of occupancy, and the last.
        QVERIFY(static_cast<double>(samples->size()) <= timing.decode_s / 0.05 + 3 + 1);
        QCOMPARE(samples->back().step.time_s, timing.decode_s);
      }
    }
  }

  void a_problems_random_stream_does_not_depend_on_its_neighbours() {
    EvaluateRequest request = small_request();
    REQUIRE_OK(evaluate(request, *m_session));
    const auto alone = *Session::in_memory();
    request.problems = {2};
    request.models.erase(request.models.begin());
    request.record_samples = false;
    REQUIRE_OK(evaluate(request, *alone));
    const auto rows = m_session->completions(2, 3);
    const auto again = alone->completions(1);
    QCOMPARE(again->size(), rows->size());
    for (std::size_t i = 0; i < rows->size(); ++i)
      QCOMPARE((*again)[i].completion.tokens, (*rows)[i].completion.tokens);
    QVERIFY(alone->samples(1)->empty());
  }

  void stopped_between_problems_it_resumes() {
    const EvaluateRequest request = small_request();
    Watcher first;
    first.stop_after_problems = 2;
    REQUIRE_OK(evaluate(request, *m_session, &first, first.stop.get_token()));
    QCOMPARE(complete_problems(*m_session), 2U);
    QVERIFY(!m_session->runs()->front().finished);

    Watcher second;
    REQUIRE_OK(evaluate(request, *m_session, &second));
    QVERIFY(second.plan == std::pair(std::int64_t{4}, std::int64_t{2}));
    QCOMPARE(second.completions, 12);
    QCOMPARE(m_session->runs()->size(), 2U);
    QVERIFY(m_session->runs()->front().finished);
    const auto uninterrupted = *Session::in_memory();
    REQUIRE_OK(evaluate(request, *uninterrupted));
    QCOMPARE(tokens_of(*m_session), tokens_of(*uninterrupted));
  }

  void a_run_names_every_device_it_was_on() {
    if (devices().size() < 2) QSKIP("there is one device alone");
    EvaluateRequest request = small_request();
    Watcher first;
    first.stop_after_problems = 2;
    REQUIRE_OK(evaluate(request, *m_session, &first, first.stop.get_token()));
    const std::string cpu = m_session->runs()->front().device;
    Device* device = devices()[1].second;
    for (auto& model : request.models) model = bundled(model->info().name, device);
    REQUIRE_OK(evaluate(request, *m_session));
    REQUIRE_OK(evaluate(request, *m_session));  // has nothing left to do
    const std::string both = cpu + "; " + device->info().name + " (" + device->info().id + ")";
    const auto runs = m_session->runs();
    for (const SessionRun& run : *runs) QCOMPARE(run.device, both);
  }

  void stopped_inside_a_problem_it_runs_that_one_again() {
    const EvaluateRequest request = small_request();
    Watcher first;
    first.stop_at_step = 2;
    REQUIRE_OK(evaluate(request, *m_session, &first, first.stop.get_token()));
    QCOMPARE(complete_problems(*m_session), 0U);
    const auto cut = m_session->completions(1);
    QCOMPARE(cut->size(), 3U);
    QVERIFY(cut->front().completion.finish == FinishReason::Cancelled && !cut->front().answer);

    REQUIRE_OK(evaluate(request, *m_session));
    const auto rows = m_session->completions(1);
    QCOMPARE(rows->size(), 9U);
    for (const SessionCompletion& row : *rows) QVERIFY(!is_cut(row.completion.finish));
    std::set<double> times;  // samples of the interrupted attempt are gone: times rise within a problem
    const auto samples = m_session->samples(1, 1);
    for (const ThroughputSample& sample : *samples) QVERIFY(times.insert(sample.step.time_s).second);
  }

  void a_time_budget_cuts_and_is_complete() {
    EvaluateRequest request = small_request();
    request.settings.max_new_tokens = 400;
    request.settings.time_budget_s = 1e-6;
    REQUIRE_OK(evaluate(request, *m_session));
    QCOMPARE(complete_problems(*m_session), 6U);
    QVERIFY(m_session->completions(1)->front().completion.finish == FinishReason::Budget);
  }

  void shards_share_the_problems_out() {
    EvaluateRequest request = small_request();
    request.shards = 2;
    std::multiset<std::int64_t> seen;
    for (request.shard = 0; request.shard < 2; ++request.shard) {
      Watcher watcher;
      REQUIRE_OK(evaluate(request, **Session::in_memory(), &watcher));
      for (const auto& [side, index] : watcher.started)
        if (side == 0) seen.insert(index);
    }
    QVERIFY(seen == (std::multiset<std::int64_t>{0, 1, 2}));
  }

  void together_gives_the_same_completions() {
    EvaluateRequest request = small_request();
    REQUIRE_OK(evaluate(request, *m_session));
    request.settings.mode = "together";
    const auto together = *Session::in_memory();
    REQUIRE_OK(evaluate(request, *together));
    QCOMPARE(complete_problems(*together), 6U);
    QCOMPARE(tokens_of(*together), tokens_of(*m_session));
    QCOMPARE(together->runs()->front().settings.mode, std::string("together"));
  }

  void other_settings_are_refused_by_name() {
    EvaluateRequest request = small_request();
    request.problems = {0};
    REQUIRE_OK(evaluate(request, *m_session));
    request.settings.seed = 9;
    request.settings.time_budget_s = 2;
    const Status refused = evaluate(request, *m_session);
    QVERIFY(!refused && refused.error().code == ErrorCode::Mismatch);
    const QString message = QString::fromStdString(refused.error().message);
    QVERIFY2(message.endsWith("time budget none there, 2 s asked for; seed 0 there, 9 asked for"),
             qPrintable(message));
    QVERIFY(message.contains("seed-teacher"));
  }

  void other_problems_under_the_same_name_are_refused() {
    EvaluateRequest request = small_request();
    REQUIRE_OK(evaluate(request, *m_session));
    request.set.problems[1].question = "What is nothing?";
    const Status refused = evaluate(request, *m_session);
    QVERIFY(!refused && refused.error().code == ErrorCode::Mismatch);
  }

  void bad_requests_data() {
    QTest::addColumn<QString>("fault");
    QTest::addColumn<QString>("sentence");
    QTest::newRow("models") << "models"
                            << "no model";
    QTest::newRow("twice") << "twice"
                           << "seed-teacher was named twice";
    QTest::newRow("empty") << "empty"
                           << "'numbers' is empty";
    QTest::newRow("index") << "index"
                           << "problems 0 to 2";
    QTest::newRow("shard") << "shard"
                           << "shard 2 of 2";
    QTest::newRow("threads") << "threads"
                             << "-1 threads";
    QTest::newRow("mode") << "mode"
                          << "'apart'";
    QTest::newRow("completions") << "completions"
                                 << "problem 'numbers-0': 0 completions";
  }

  void bad_requests() {
    QFETCH(QString, fault);
    QFETCH(QString, sentence);
    EvaluateRequest request = small_request();
    if (fault == "models") request.models.clear();
    if (fault == "twice") request.models[1] = request.models[0];
    if (fault == "empty") request.set.problems.clear();
    if (fault == "index") request.problems = {3};
    if (fault == "shard") request.shard = request.shards = 2;
    if (fault == "threads") request.settings.threads = -1;
    if (fault == "mode") request.settings.mode = "apart";
    if (fault == "completions") request.settings.completions = 0;
    const Status refused = evaluate(request, *m_session);
    QVERIFY(!refused && refused.error().code == ErrorCode::InvalidArgument);
    QVERIFY2(QString::fromStdString(refused.error().message).contains(sentence),
             refused.error().message.c_str());
  }
};

QTEST_GUILESS_MAIN(TestEvaluate)
#include "tst_evaluate.moc"
