// Curves and numbers of training runs, and the table that shows them.
#include <cmath>

#include <QAbstractItemModelTester>
#include <QTest>

#include "ui/models/distil_run_model.h"

using namespace tandem::ui;
using tandem::training::Goal;
using tandem::training::TrainingUpdate;

namespace {

/// Two stages of three and two updates, 10 tokens each; the first `count` updates are done. Losses are
/// 8, 4, 2 and then 1, 0.5, plus `more`.
DistilRun someRun(std::int64_t id, int count, double more = 0) {
  DistilRun run;
  run.row.id = id;
  run.row.name = "run " + std::to_string(id);
  run.row.state = count == 5 ? "finished" : "stopped";
  run.stages = {{Goal::Matrices, 3}, {Goal::Logits, 2}};
  for (int i = 0; i < count; ++i) {
    TrainingUpdate update;
    update.stage = i / 3;
    update.goal = run.stages[static_cast<std::size_t>(update.stage)].goal;
    update.step = i % 3 + 1;
    update.steps = run.stages[static_cast<std::size_t>(update.stage)].steps;
    update.tokens = 10 * (i + 1);
    update.loss = 8 * std::pow(0.5, i) + more;
    update.tokens_per_s = i < 3 ? 10 : 5;
    run.updates.push_back(update);
  }
  return run;
}

}  // namespace

class TestDistilRun : public QObject {
  Q_OBJECT
 private slots:
  void axesCountUpdatesTokensAndSeconds() {
    const DistilRun run = someRun(1, 5);
    // Between the stages is a gap, so no line leads from one unit to another.
    QCOMPARE(lossCurve(run, CurveAxis::Updates, 0).x, (QVector<double>{1, 2, 3, 4, 4, 5}));
    QCOMPARE(lossCurve(run, CurveAxis::Tokens, 0).x, (QVector<double>{10, 20, 30, 40, 40, 50}));
    QCOMPARE(lossCurve(run, CurveAxis::Seconds, 0).x, (QVector<double>{1, 2, 3, 5, 5, 7}));
    const LossCurve curve = lossCurve(run, CurveAxis::Updates, 0);
    QVERIFY(std::isnan(curve.raw[3]) && std::isnan(curve.smooth[3]));
    QCOMPARE(curve.raw[4], 1.0);
  }

  void smoothingForgetsAndBeginsAnewWithEachStage() {
    const LossCurve curve = lossCurve(someRun(1, 5), CurveAxis::Updates, 0.5);
    QCOMPARE(curve.smooth[0], 8.0);
    QCOMPARE(curve.smooth[1], (4 + 0.5 * 8) / 1.5);
    QCOMPARE(curve.smooth[4], 1.0);
    QCOMPARE(lossCurve(someRun(1, 5), CurveAxis::Updates, 0).smooth[2], 2.0);
  }

  void placesAndBoundaries() {
    const DistilRun run = someRun(1, 4);
    QCOMPARE(run.totalSteps(), std::int64_t{5});
    QCOMPARE(axisPosition(run, CurveAxis::Updates, 1, 2), 5.0);
    QCOMPARE(axisPosition(run, CurveAxis::Tokens, 0, 2), 20.0);
    QCOMPARE(axisPosition(run, CurveAxis::Tokens, 1, 2), 40.0);  // not there yet: the last known
    QCOMPARE(axisPosition(run, CurveAxis::Tokens, 0, 0), 0.0);
    QCOMPARE(stageBoundaries(run, CurveAxis::Updates), QVector<double>{3});
    QCOMPARE(stageBoundaries(run, CurveAxis::Seconds), QVector<double>{3});
    QVERIFY(stageBoundaries(someRun(1, 2), CurveAxis::Tokens).isEmpty());
    QVERIFY(lossCurve(DistilRun(), CurveAxis::Seconds, 0.9).x.isEmpty());
  }

  void differencesAreAtTheSamePlace() {
    const DistilRun baseline = someRun(1, 5);
    QCOMPARE(lossDifference(someRun(2, 4, 0.25), baseline, 0), std::optional(0.25));
    QVERIFY(std::abs(lossDifference(someRun(2, 2, -1), baseline, 0.9).value() + 1) < 1e-12);
    QVERIFY(!lossDifference(baseline, someRun(2, 4), 0));  // the other one has not come that far
    DistilRun other = someRun(2, 5);
    for (TrainingUpdate& update : other.updates) update.goal = Goal::Tokens;
    QVERIFY(!lossDifference(other, baseline, 0));
    QVERIFY(!lossDifference(DistilRun(), baseline, 0));
  }

  void theTableFollowsRunsAndBaseline() {
    DistilRunModel model;
    const QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::QtTest);
    const auto cell = [&](int row, int column) { return model.index(row, column).data().toString(); };
    model.setRuns({someRun(1, 5), someRun(2, 4, 0.25)});
    QCOMPARE(model.rowCount(), 2);
    QCOMPARE(cell(1, DistilRunModel::Difference), QStringLiteral("–"));
    model.setBaseline(1);
    QCOMPARE(cell(0, DistilRunModel::Name), QStringLiteral("run 1 (baseline)"));
    QCOMPARE(cell(0, DistilRunModel::Difference), QStringLiteral("–"));
    QCOMPARE(cell(1, DistilRunModel::Difference), QStringLiteral("+0.250"));
    QCOMPARE(cell(1, DistilRunModel::Stage), QStringLiteral("2 of 2"));
    QCOMPARE(cell(1, DistilRunModel::Updates), QStringLiteral("4 of 5"));
    QVERIFY(cell(0, DistilRunModel::State).contains(QStringLiteral("finished")));
    QVERIFY(cell(1, DistilRunModel::State).contains(QStringLiteral("paused")));
    model.setLive(2);
    QVERIFY(cell(1, DistilRunModel::State).contains(QStringLiteral("running")));
    model.change(3, [](DistilRun& run) { run = someRun(3, 0); });
    QCOMPARE(model.rowCount(), 3);
    QCOMPARE(cell(2, DistilRunModel::Loss), QStringLiteral("–"));
    model.change(2, [](DistilRun& run) { run.updates.back().loss = 3; });
    QCOMPARE(cell(1, DistilRunModel::Loss), QStringLiteral("3"));
    model.setRuns({someRun(2, 4)});
    QCOMPARE(model.baseline(), std::int64_t{-1});  // it is gone
  }
};

QTEST_GUILESS_MAIN(TestDistilRun)
#include "tst_distil_run.moc"
