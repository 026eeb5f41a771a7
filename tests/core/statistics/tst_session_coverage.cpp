// The report of a session against values worked by hand, its sentences, and its speed at full size.
#include <cmath>
#include <ctime>

#include <QTemporaryDir>
#include <QTest>

#include "core/statistics/selection.h"
#include "core/statistics/session_coverage.h"
#include "tests/support/session_fixture.h"

using namespace tandem;
using namespace tandem::test;

namespace {

/// What the completions of one problem did: right or wrong, and when they ended.
struct Outcome {
  bool right = false;
  double finish_s = 1;
  FinishReason finish = FinishReason::Eos;
  int wrong = 1000;  // the answer where it is not right
};

/// Adds a run whose problem i has the completions outcomes[i]; an empty list is a problem that was not run.
std::int64_t add_run(Session& session, const ModelInfo& model,
                     const std::vector<std::vector<Outcome>>& outcomes,
                     const std::string& mode = "take turns") {
  const ProblemSet set = some_problems(static_cast<int>(outcomes.size()));
  RunSettings settings;
  settings.mode = mode;
  settings.completions = static_cast<int>(outcomes[0].size());
  const auto run = session.add_run(*session.add_model(model), settings, "test");
  TANDEM_CHECK(run.ok(), "the run was not added");
  for (std::size_t p = 0; p < outcomes.size(); ++p) {
    if (outcomes[p].empty()) continue;
    const auto id = session.add_problem(set, set.problems[p]);
    TANDEM_CHECK(id.ok(), "the problem was not added");
    double decode_s = 0;
    for (std::size_t i = 0; i < outcomes[p].size(); ++i) {
      const Outcome& outcome = outcomes[p][i];
      const std::string answer = outcome.right ? set.problems[p].answer : std::to_string(outcome.wrong);
      const Completion completion =
          some_completion(static_cast<int>(i), answer, outcome.finish_s, outcome.finish);
      TANDEM_CHECK(session.add_completion(graded(*run, stored(set, p, *id), completion)).ok(), "not added");
      decode_s = std::max(decode_s, outcome.finish_s);
    }
    TANDEM_CHECK(session.add_timing({*run, *id, 20, 0.1, decode_s, 0, true}).ok(), "not added");
  }
  return *run;
}

const ModelInfo kTeacher = some_model("teacher", MixerKind::Attention);
const ModelInfo kStudent = some_model("student", MixerKind::DiscreteMamba2);

/// n completions, the first c of them right, one ending every `step_s`.
std::vector<Outcome> right_first(int n, int c, double step_s) {
  std::vector<Outcome> outcomes;
  for (int i = 0; i < n; ++i) outcomes.push_back({i < c, step_s * (i + 1)});
  return outcomes;
}

/// `problems` problems of which `solved` have one right completion of one, ending after finish_s.
std::vector<std::vector<Outcome>> solved_of(int problems, int solved, double finish_s) {
  std::vector<std::vector<Outcome>> outcomes;
  for (int i = 0; i < problems; ++i) outcomes.push_back({{i < solved, finish_s}});
  return outcomes;
}

CoverageReport report_of(const Session& session, const CoverageOptions& options = {}) {
  auto report = coverage_report(session, options);
  TANDEM_CHECK(report.ok(), report ? "" : report.error().message);
  return *std::move(report);
}

#define COMPARE_NEAR(actual, expected) \
  QVERIFY2(std::abs((actual) - (expected)) < 1e-12, qPrintable(QString::number(actual, 'g', 15)))

}  // namespace

class TestSessionCoverage : public QObject {
  Q_OBJECT

  std::shared_ptr<Session> m_session;

 private slots:
  void init() { m_session = *Session::in_memory(); }

  void coverage_at_k_is_the_mean_over_problems() {
    // n = 8, c = 0, 2, 8: 5/12, 41/84, 25/42, 2/3 at k = 1, 2, 4, 8.
    add_run(*m_session, kTeacher, {right_first(8, 0, 1), right_first(8, 2, 1), right_first(8, 8, 1)});
    const CoverageReport report = report_of(*m_session);
    QCOMPARE(report.k, (std::vector<std::int64_t>{1, 2, 4, 8}));
    const RunCoverage& run = report.runs.front();
    QVERIFY(run.is_teacher);
    QCOMPARE(run.n, 8);
    COMPARE_NEAR(run.coverage_k[0].mean, 5.0 / 12);
    COMPARE_NEAR(run.coverage_k[1].mean, 41.0 / 84);
    COMPARE_NEAR(run.coverage_k[2].mean, 25.0 / 42);
    COMPARE_NEAR(run.coverage_k[3].mean, 2.0 / 3);
    QVERIFY(!run.coverage_k[0].has_band);
    QCOMPARE(run.pass_at_1, (std::vector<double>{0, 0.25, 1}));
    QVERIFY(run.weighted_k.empty());
    // All 8 vote: 0 right, 2 against 6, 8 right.
    COMPARE_NEAR(run.majority_k[3].mean, 1.0 / 3);
    QVERIFY(report.differences.empty());
  }

  void coverage_at_seconds_is_the_measured_order() {
    // Right completions end at 4 (problem 0) and at 1 (problem 1).
    add_run(*m_session, kTeacher, {{{false, 1}, {true, 4}}, {{true, 1}, {false, 2}}});
    const CoverageReport report = report_of(*m_session, {.k = {}, .seconds = {0.5, 1, 3.9, 4}});
    const RunCoverage& run = report.runs.front();
    const std::vector<double> expected = {0, 0.5, 0.5, 1};
    for (std::size_t i = 0; i < expected.size(); ++i) QCOMPARE(run.coverage_t[i].mean, expected[i]);
    // Votes: nobody; wrong and right; the same at 3.9; then a tie in both problems.
    const std::vector<double> votes = {0, 0.5, 0.25, 0.5};
    for (std::size_t i = 0; i < votes.size(); ++i) QCOMPARE(run.majority_t[i].mean, votes[i]);
    QCOMPARE(run.median_finished_t, (std::vector<double>{0, 1, 1.5, 2}));
  }

  void default_seconds_run_from_the_first_finish_to_the_last() {
    add_run(*m_session, kTeacher, {{{true, 0.5}, {false, 8}}});
    add_run(*m_session, kStudent, {{{true, 0.25}, {false, 2}}});
    const CoverageReport report = report_of(*m_session);
    QCOMPARE(report.seconds.size(), 60U);
    QCOMPARE(report.seconds.front(), 0.25);
    QCOMPARE(report.seconds.back(), 8.0);
    QCOMPARE(report.runs[0].median_finished_t.back(), 2.0);
  }

  void teachers_come_first_and_only_common_problems_count() {
    add_run(*m_session, kStudent, {right_first(2, 2, 1), right_first(2, 0, 1), right_first(2, 1, 1)});
    add_run(*m_session, kTeacher, {right_first(2, 1, 1), {}, right_first(2, 2, 1)});
    const CoverageReport report = report_of(*m_session);
    QCOMPARE(report.runs[0].model, std::string("teacher"));
    QCOMPARE(report.problem_ids.size(), 2U);
    QCOMPARE(report.left_out, 1);
    QCOMPARE(report.runs[0].pass_at_1, (std::vector<double>{0.5, 1}));
    QCOMPARE(report.runs[1].pass_at_1, (std::vector<double>{1, 0.5}));
  }

  void cut_completions_are_not_part_of_n() {
    // Two of four finished, one of them right; the one cut by the budget would have been right.
    add_run(*m_session, kTeacher,
            {{{true, 1}, {false, 2}, {true, 3, FinishReason::Budget}, {false, 3, FinishReason::Budget}},
             {{true, 1}, {true, 2}, {false, 3, FinishReason::Length}, {false, 3, FinishReason::Budget}}});
    const CoverageReport report = report_of(*m_session);
    const RunCoverage& run = report.runs.front();
    QCOMPARE(run.n, 2);
    QCOMPARE(report.k, (std::vector<std::int64_t>{1, 2}));
    QCOMPARE(run.pass_at_1[0], 0.5);
    COMPARE_NEAR(run.pass_at_1[1], 2.0 / 3);  // the token limit counts as finished
    QCOMPARE(run.cut_fraction, 3.0 / 8);
    const auto beyond = coverage_report(*m_session, {.k = {3}, .seconds = {}});
    QVERIFY(!beyond);
    QVERIFY(beyond.error().code == ErrorCode::InvalidArgument);
    QVERIFY(beyond.error().message.find("k is 1 to 2") != std::string::npos);
  }

  void a_persons_verdict_goes_before_the_graders() {
    const auto run = add_run(*m_session, kTeacher, {{{false, 1}, {false, 2}}});
    QCOMPARE(report_of(*m_session).runs.front().pass_at_1.front(), 0.0);
    REQUIRE_OK(m_session->set_override(run, 1, 1, true, "means the same"));
    QCOMPARE(report_of(*m_session).runs.front().pass_at_1.front(), 0.5);
  }

  void scores_weigh_votes() {
    const auto run = add_run(*m_session, kTeacher, {{{true, 1}, {false, 2}, {false, 3}}});
    auto rows = m_session->completions(run);
    const double scores[] = {0.9, 0.3, 0.3};
    for (std::size_t i = 0; i < 3; ++i) {
      (*rows)[i].score = scores[i];
      REQUIRE_OK(m_session->add_completion((*rows)[i]));
    }
    const CoverageReport report = report_of(*m_session, {.k = {3}, .seconds = {}});
    QCOMPARE(report.runs.front().majority_k.front().mean, 0.0);
    QCOMPARE(report.runs.front().weighted_k.front().mean, 1.0);
  }

  void resampled_orders_need_step_times_that_fit() {
    // 4 completions of 3 tokens and a stop token, all at once, 0.25 s a step: all end after 1 s.
    const auto run = add_run(*m_session, kTeacher, {{{true, 1}, {false, 1}, {false, 1}, {false, 1}}});
    CoverageReport report = report_of(*m_session, {.k = {}, .seconds = {0.9, 1}});
    QVERIFY(report.runs.front().resampled_t.empty());
    QVERIFY(report.runs.front().resampled_note.find("no step times") != std::string::npos);

    const ThroughputSample sample{run, 1, {0.25, 0.25, 4, 21}};
    REQUIRE_OK(m_session->add_samples({&sample, 1}));
    report = report_of(*m_session, {.k = {}, .seconds = {0.9, 1}});
    QCOMPARE(report.runs.front().resampled_t, (std::vector<double>{0, 1}));
    QVERIFY(report.runs.front().resampled_note.empty());

    const ThroughputSample slower{run, 1, {0.5, 0.35, 4, 21}};  // 0.3 s a step on average: 20 % off
    REQUIRE_OK(m_session->add_samples({&slower, 1}));
    report = report_of(*m_session, {.k = {}, .seconds = {0.9, 1}});
    QVERIFY(report.runs.front().resampled_t.empty());
    QVERIFY(report.runs.front().resampled_note.find("20 %") != std::string::npos);
  }

  void throughput_counts_stop_tokens() {
    // 3 tokens each; the first has a stop token too. 7 tokens in 2 s.
    add_run(*m_session, kTeacher, {{{true, 1}, {true, 2, FinishReason::Length}}});
    const RunCoverage run = report_of(*m_session).runs.front();
    QCOMPARE(run.tokens_per_s, 3.5);
    QCOMPARE(run.mean_tokens, 3.0);
  }

  void differences_are_paired() {
    // Student 1, 1/2, 0, 1; teacher 1/2, 1/2, 0, 1/4: mean difference 5/16.
    add_run(*m_session, kTeacher,
            {right_first(4, 2, 1), right_first(4, 2, 1), right_first(4, 0, 1), right_first(4, 1, 1)});
    add_run(*m_session, kStudent,
            {right_first(4, 4, 1), right_first(4, 2, 1), right_first(4, 0, 1), right_first(4, 4, 1)});
    const CoverageReport report = report_of(*m_session);
    COMPARE_NEAR(report.differences.front().k.front().mean, 5.0 / 16);
  }

  void the_leader_is_named_only_where_the_interval_excludes_zero() {
    add_run(*m_session, kTeacher, solved_of(100, 50, 2));
    add_run(*m_session, kStudent, solved_of(100, 65, 1));
    const CoverageReport report = report_of(*m_session, {.k = {}, .seconds = {0.5, 1, 1.5, 2}});
    const QString at_k = QString::fromStdString(leader_sentence_at_k(report, 1));
    QVERIFY2(at_k.startsWith("With 1 completion per problem the student leads: 0.65 [0.5"), qPrintable(at_k));
    QVERIFY2(at_k.contains("against 0.50 [0.4") && at_k.contains("difference +0.15 [+0.0"), qPrintable(at_k));
    QVERIFY(at_k.endsWith("over 100 problems."));  // one k: no range
    const QString at_t = QString::fromStdString(leader_sentence_at_seconds(report, 1.7));
    QVERIFY2(at_t.startsWith("With 1.50 s per problem the student leads: 0.65"), qPrintable(at_t));
    QVERIFY2(at_t.endsWith("This holds from 1.00 s to 2.00 s."), qPrintable(at_t));
    const QString early = QString::fromStdString(leader_sentence_at_seconds(report, 0.1));
    QVERIFY2(early.contains("is no difference that 100 problems can show."), qPrintable(early));
  }

  void the_teacher_can_lead_too() {
    add_run(*m_session, kTeacher, solved_of(100, 70, 1));
    add_run(*m_session, kStudent, solved_of(100, 40, 1));
    const QString text = QString::fromStdString(leader_sentence_at_k(report_of(*m_session), 1));
    QVERIFY2(text.contains("the teacher leads: 0.70") && text.contains("difference +0.30 [+0.2"),
             qPrintable(text));
  }

  void few_problems_name_no_leader() {
    add_run(*m_session, kTeacher, solved_of(9, 0, 1));
    add_run(*m_session, kStudent, solved_of(9, 9, 1));
    const std::string text = leader_sentence_at_k(report_of(*m_session), 1);
    QCOMPARE(text,
             std::string("With 1 completion per problem the student covers 1.00 and the teacher 0.00 of 9 "
                         "problems: too few problems to say who leads."));
  }

  void one_run_and_several_students() {
    add_run(*m_session, kTeacher, solved_of(2, 1, 1));
    QCOMPARE(leader_sentence_at_k(report_of(*m_session), 1),
             std::string("With 1 completion per problem teacher covers 0.50 of 2 problems."));
    add_run(*m_session, kStudent, solved_of(2, 1, 1), "together");
    add_run(*m_session, some_model("hybrid", MixerKind::HybridMamba2), solved_of(2, 1, 1));
    const QString text = QString::fromStdString(leader_sentence_at_seconds(report_of(*m_session), 1));
    QVERIFY2(text.contains("student covers") && text.contains("hybrid covers"), qPrintable(text));
    QVERIFY2(text.contains("no measurement"), qPrintable(text));
  }

  void the_crossing_is_where_the_lead_changes_for_good() {
    // The student solves 20 of 100 problems at 1 s; the teacher none before 4 s, then 80.
    add_run(*m_session, kTeacher, solved_of(100, 80, 4));
    add_run(*m_session, kStudent, solved_of(100, 20, 1));
    const std::vector<double> wanted = {4.0};
    QCOMPARE(report_of(*m_session).differences.front().crossings_s, wanted);
    QCOMPARE(report_of(*m_session, {.k = {}, .seconds = {3}}).differences.front().crossings_s, wanted);
  }

  void no_crossing_without_a_confirmed_change() {
    add_run(*m_session, kTeacher, solved_of(100, 21, 4));
    add_run(*m_session, kStudent,
            solved_of(100, 20, 1));  // ends 1 problem behind: nothing 100 problems can show
    QVERIFY(report_of(*m_session).differences.front().crossings_s.empty());
  }

  void noise_before_the_first_confirmed_lead_is_no_crossing() {
    // One problem of 100 goes to the teacher first: nothing a band confirms. Then the student leads, for
    // good.
    add_run(*m_session, kTeacher, solved_of(100, 1, 0.5));
    add_run(*m_session, kStudent, solved_of(100, 60, 1));
    QVERIFY(report_of(*m_session).differences.front().crossings_s.empty());
  }

  void errors() {
    const auto empty = coverage_report(*m_session, {});
    QVERIFY(!empty && empty.error().code == ErrorCode::NotFound);
    add_run(*m_session, kTeacher, {right_first(2, 1, 1), {}});
    add_run(*m_session, kStudent, {{}, right_first(2, 1, 1)});
    const auto disjoint = coverage_report(*m_session, {});
    QVERIFY(!disjoint && disjoint.error().code == ErrorCode::NotFound);
  }

  void bad_options_data() {
    QTest::addColumn<qint64>("k");
    QTest::addColumn<double>("seconds");
    QTest::newRow("k 0") << qint64{0} << 1.0;
    QTest::newRow("k beyond n") << qint64{3} << 1.0;
    QTest::newRow("no time") << qint64{1} << 0.0;
    QTest::newRow("not a time") << qint64{1} << std::nan("");
  }

  void bad_options() {
    QFETCH(qint64, k);
    QFETCH(double, seconds);
    add_run(*m_session, kTeacher, {right_first(2, 1, 1)});
    const auto report = coverage_report(*m_session, {.k = {k}, .seconds = {seconds}});
    QVERIFY(!report && report.error().code == ErrorCode::InvalidArgument);
  }

  void full_size_takes_less_than_half_a_second() {
    constexpr int kProblems = 200;
    constexpr int kCompletions = 64;
    for (const ModelInfo& model : {kTeacher, kStudent}) {
      std::vector<std::vector<Outcome>> outcomes;
      for (int p = 0; p < kProblems; ++p) {
        outcomes.push_back(right_first(kCompletions, p % (kCompletions + 1), 0.01));
        for (int i = 0; i < kCompletions; ++i) outcomes.back()[static_cast<std::size_t>(i)].wrong += i % 12;
      }
      const auto run = add_run(*m_session, model, outcomes);
      std::vector<ThroughputSample> samples;
      for (int p = 1; p <= kProblems; ++p)
        for (int i = 0; i < 40; ++i) samples.push_back({run, p, {0.01 * i, 0.16, 64 - i, 20.0 + 0.1 * i}});
      REQUIRE_OK(m_session->add_samples(samples));
    }
    const std::clock_t start = std::clock();  // processor time: other programs do not count
    const CoverageReport report = report_of(*m_session);
    const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
    QCOMPARE(report.problem_ids.size(), static_cast<std::size_t>(kProblems));
    QVERIFY2(seconds < 0.5, qPrintable(QString::number(seconds)));
  }
};

QTEST_GUILESS_MAIN(TestSessionCoverage)
#include "tst_session_coverage.moc"
