// The navigator's model: a valid item model in every order, right numbers, right cells.
#include <cmath>

#include <QAbstractItemModelTester>
#include <QSignalSpy>
#include <QTest>

#include "tests/ui/matrices/matrix_fixture.h"
#include "ui/models/head_model.h"

using namespace tandem::ui;

class TestHeadModel : public QObject {
  Q_OBJECT
 private slots:
  void model_is_sound_in_every_state() {
    HeadModel model;
    QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::QtTest);
    QCOMPARE(model.rowCount(), 0);
    model.setHeads(summarizeHeads(*fixture::makeSet(), false));
    QCOMPARE(model.rowCount(), fixture::kLayers);
    QCOMPARE(model.columnCount(), fixture::kHeads);
    model.setWorstFirst(true);
    model.setWorstFirst(true, 3);
    QCOMPARE(model.rowCount(), 2);
    for (int metric = 0; metric <= static_cast<int>(HeadMetric::RowSumError); ++metric)
      model.setMetric(static_cast<HeadMetric>(metric));
    model.setColors(sequentialColorMap(QStringLiteral("cividis")), divergingColorMap(true));
    model.setWorstFirst(false);
    model.setHeads(nullptr);
    QCOMPARE(model.rowCount(), 0);
  }

  void cells_are_layers_and_heads() {
    HeadModel model;
    model.setHeads(summarizeHeads(*fixture::makeSet(), false));
    const QModelIndex index = model.index(2, 1);
    QCOMPARE(index.data().toString(), QStringLiteral("L2H1"));
    QCOMPARE(index.data(HeadModel::LayerRole).toInt(), 2);
    QCOMPARE(index.data(HeadModel::HeadRole).toInt(), 1);
    QCOMPARE(model.indexOf(2, 1), index);
    QVERIFY(!model.indexOf(3, 0).isValid());
    QCOMPARE(model.index(1, 0).data(HeadModel::AttentionKeptRole).toBool(), true);
    QCOMPARE(model.index(0, 0).data(HeadModel::AttentionKeptRole).toBool(), false);
  }

  void numbers_are_those_of_core() {
    const auto set = fixture::makeSet();
    HeadModel model;
    model.setHeads(summarizeHeads(*set, false));
    model.setMetric(HeadMetric::RelativeDistance);
    const auto distance = tandem::matrix_distance(set->student().matrix(0, 1), set->teacher().matrix(0, 1));
    QCOMPARE(model.index(0, 1).data(HeadModel::ValueRole).toDouble(), distance.relative);
    model.setMetric(HeadMetric::EntropyGap);
    const double gap = tandem::matrix_summary(set->student().matrix(0, 1)).mean_entropy -
                       tandem::matrix_summary(set->teacher().matrix(0, 1)).mean_entropy;
    QCOMPARE(model.index(0, 1).data(HeadModel::ValueRole).toDouble(), gap);
    model.setMetric(HeadMetric::RowSumError);
    // A layer that is attention in the student too has rows that sum to 1.
    QVERIFY(model.index(1, 0).data(HeadModel::ValueRole).toDouble() < 1e-5);
    QVERIFY(model.index(0, 0).data(HeadModel::ValueRole).toDouble() > 1e-2);
  }

  void skip_moves_the_distance() {
    const auto set = fixture::makeSet();
    const auto without = summarizeHeads(*set, false), with = summarizeHeads(*set, true);
    QVERIFY(std::abs(without->front().distance.frobenius - with->front().distance.frobenius) > 1e-3);
    QCOMPARE((*without)[2].distance.frobenius, (*with)[2].distance.frobenius);  // attention has no D
  }

  void worst_comes_first() {
    HeadModel model;
    model.setHeads(summarizeHeads(*fixture::makeSet(), false));
    model.setMetric(HeadMetric::RelativeDistance);
    model.setWorstFirst(true);
    double previous = std::numeric_limits<double>::infinity();
    for (int row = 0; row < model.rowCount(); ++row)
      for (int column = 0; column < model.columnCount(); ++column) {
        const double value = model.index(row, column).data(HeadModel::ValueRole).toDouble();
        QVERIFY2(value <= previous, qPrintable(QString::number(value)));
        previous = value;
      }
    QCOMPARE(model.summary(model.index(0, 0)), model.worst());
    QCOMPARE(model.index(0, 0).data(HeadModel::FractionRole).toDouble(), 1.0);
  }

  void unequal_head_counts_are_not_compared() {
    HeadModel model;
    model.setHeads(summarizeHeads(*fixture::makeSet(8, 2, 3), false));
    QCOMPARE(model.columnCount(), 3);
    model.setMetric(HeadMetric::RelativeDistance);
    QVERIFY(std::isnan(model.index(0, 0).data(HeadModel::ValueRole).toDouble()));
    QVERIFY(model.worst() == nullptr);
    model.setMetric(HeadMetric::MeanLag);
    QVERIFY(std::isfinite(model.index(0, 0).data(HeadModel::ValueRole).toDouble()));
  }

  void thumbnails_leave_the_mask_transparent() {
    HeadModel model;
    model.setHeads(summarizeHeads(*fixture::makeSet(100), false));
    for (const HeadMetric metric :
         {HeadMetric::StudentThumbnail, HeadMetric::TeacherThumbnail, HeadMetric::DifferenceThumbnail}) {
      model.setMetric(metric);
      const auto image = model.index(0, 0).data(HeadModel::ImageRole).value<QImage>();
      QCOMPARE(image.width(), kThumbnailCells);
      QCOMPARE(image.pixelColor(kThumbnailCells - 1, 0).alpha(), 0);
      QCOMPARE(image.pixelColor(0, kThumbnailCells - 1).alpha(), 255);
    }
    model.setMetric(HeadMetric::Cosine);
    QVERIFY(model.index(0, 0).data(HeadModel::ImageRole).value<QImage>().isNull());
  }

  void layers_that_were_not_captured_have_a_cell() {
    auto set = fixture::makeSet();
    tandem::Capture only;
    only.layers.push_back(fixture::recurrentLayer(2, 2, 12, 5));
    set->sides[1] = MatrixSide(QStringLiteral("student"), 3, std::move(only));
    HeadModel model;
    QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::QtTest);
    model.setHeads(summarizeHeads(*set, false));
    QCOMPARE(model.rowCount(), 3);
    QCOMPARE(model.index(0, 0).data(HeadModel::CapturedRole).toBool(), false);
    QCOMPARE(model.index(2, 1).data(HeadModel::CapturedRole).toBool(), true);
    QCOMPARE(model.flags(model.index(0, 1)), Qt::NoItemFlags);
  }

  void colours_are_announced_once() {
    HeadModel model;
    model.setHeads(summarizeHeads(*fixture::makeSet(), false));
    QSignalSpy changed(&model, &QAbstractItemModel::dataChanged);
    model.setMetric(HeadMetric::Cosine);
    model.setMetric(HeadMetric::Cosine);
    QCOMPARE(changed.count(), 1);
  }
};

QTEST_MAIN(TestHeadModel)
#include "tst_head_model.moc"
