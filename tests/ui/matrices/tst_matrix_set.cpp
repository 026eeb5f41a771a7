// Cells, the decomposition identity, and sets read back from recorded rows.
#include <cmath>

#include <QTest>

#include "tests/ui/matrices/matrix_fixture.h"
#include "ui/views/matrices_readout.h"

using namespace tandem::ui;
using tandem::Shape;
using tandem::StoredMatrix;
using tandem::Tensor;

namespace {

StoredMatrix stored(const char* what, int layer, int head, float value, std::vector<std::int32_t> ids) {
  const auto seqlen = static_cast<std::int64_t>(ids.size());
  StoredMatrix row;
  row.ids = std::move(ids);
  row.layer = layer;
  row.head = head;
  row.what = what;
  row.kind = tandem::mixer_kind_name(tandem::MixerKind::DiscreteMamba2);
  row.values = Tensor(Shape{seqlen, seqlen});
  row.values.f32()[0] = value;
  return row;
}

QString idName(std::int32_t id) {
  return QStringLiteral("#%1").arg(id);
}

}  // namespace

class TestMatrixSet : public QObject {
  Q_OBJECT
 private slots:
  void factors_give_the_matrix_in_every_cell() {
    const auto set = fixture::makeSet();
    for (int query = 0; query < set->seqlen(); ++query)
      for (int key = 0; key <= query; ++key) {
        const CellValues cell = cellValues(*set, {0, 1, 1}, false, query, key);
        QVERIFY(factorsAddUp(cell, false));
        QVERIFY(!cell.skip);
        QCOMPARE(*cell.difference, *cell.student - *cell.teacher);
      }
  }

  void skip_is_added_on_the_diagonal_and_still_adds_up() {
    const auto set = fixture::makeSet();
    const CellValues plain = cellValues(*set, {0, 1, 1}, false, 5, 5);
    const CellValues with = cellValues(*set, {0, 1, 1}, true, 5, 5);
    QCOMPARE(*with.skip, 1.5);
    QCOMPARE(*with.student, *plain.student + 1.5);
    QVERIFY(factorsAddUp(with, false));
    QVERIFY(!cellValues(*set, {0, 1, 1}, true, 5, 4).skip);
  }

  void a_wrong_factor_is_noticed() {
    CellValues cell = cellValues(*fixture::makeSet(), {0, 0, 0}, false, 7, 3);
    *cell.decay *= 1.01;
    QVERIFY(!factorsAddUp(cell, false));
    cell.decay.reset();
    QVERIFY(!factorsAddUp(cell, true));
  }

  void masked_and_outside_cells_have_no_values() {
    const auto set = fixture::makeSet();
    const CellValues masked = cellValues(*set, {0, 0, 0}, false, 3, 7);
    QCOMPARE(masked.query, 3);
    QVERIFY(!masked.teacher && !masked.student && !masked.difference && !masked.decay);
    QVERIFY(cellHtml(*set, masked).contains(QStringLiteral("masked")));
    QCOMPARE(cellValues(*set, {0, 0, 0}, false, 12, 0).query, -1);
    QCOMPARE(cellValues(*set, {0, 0, 0}, false, -1, 0).query, -1);
  }

  void attention_kept_has_no_factors() {
    const auto set = fixture::makeSet();
    const CellValues cell = cellValues(*set, {fixture::kKeptLayer, 0, 0}, true, 4, 4);
    QVERIFY(cell.student && !cell.decay && !cell.content && !cell.skip);
    QVERIFY(cellHtml(*set, cell).contains(QStringLiteral("–")));
  }

  void readout_shows_the_same_numbers() {
    const auto set = fixture::makeSet();
    const CellValues cell = cellValues(*set, {0, 0, 0}, false, 9, 2);
    const QString html = cellHtml(*set, cell);
    for (const auto& value : {cell.teacher, cell.decay})
      QVERIFY2(html.contains(QString::number(*value, 'g', 4)), qPrintable(html));
    QVERIFY(html.contains(QStringLiteral("= M ✓")));
    QVERIFY(html.contains(QStringLiteral("tok9")) && html.contains(QStringLiteral("tok2")));
  }

  void tokens_are_made_visible() {
    QCOMPARE(visibleToken(QStringLiteral(" a\n")), QStringLiteral("·a⏎"));
    QCOMPARE(visibleToken(QString(QChar(7))), QStringLiteral("\\x07"));
  }

  void heads_of_a_stack_are_found_by_number() {
    tandem::Capture capture;
    auto layer = fixture::recurrentLayer(0, 2, 4, 1);
    layer.heads = {3, 5};
    layer.matrix.f32()[16] = 42;  // first entry of the second slot
    capture.layers.push_back(std::move(layer));
    const MatrixSide side(QStringLiteral("student"), 1, std::move(capture));
    QCOMPARE(side.matrix(0, 5).row(0)[0], 42.0F);
    QVERIFY(side.matrix(0, 0).empty());
    QVERIFY(side.matrix(1, 3).empty());
    QCOMPARE(side.heads(0), 6);
  }

  void recorded_rows_become_sets() {
    tandem::SessionModel teacher, student;
    teacher.name = "t";
    student.name = "s";
    std::vector<StoredMatrix> teacherRows, studentRows;
    teacherRows.push_back(stored("matrix", 0, 0, 0.25F, {4, 5}));
    teacherRows.push_back(stored("matrix", 0, 0, 0.5F, {6}));
    studentRows.push_back(stored("matrix", 0, 1, 3, {4, 5}));
    studentRows.push_back(stored("matrix", 0, 0, 2, {4, 5}));
    studentRows.push_back(stored("decay", 0, 0, 1, {4, 5}));
    studentRows.push_back(stored("content", 0, 0, 2, {4, 5}));
    studentRows.push_back(stored("matrix", 0, 0, 9, {7, 7}));  // the teacher has no such text
    const auto sets = recordedSets(teacher, std::move(teacherRows), student, std::move(studentRows), idName);
    QCOMPARE(sets.size(), 1U);
    const MatrixSet& set = *sets.front();
    QVERIFY(set.recorded);
    QCOMPARE(set.tokens, QStringList({QStringLiteral("#4"), QStringLiteral("#5")}));
    QCOMPARE(set.teacher().matrix(0, 0).row(0)[0], 0.25F);
    QCOMPARE(set.student().matrix(0, 1).row(0)[0], 3.0F);
    QCOMPARE(set.student().matrix(0, 0).row(0)[0], 2.0F);
    QVERIFY(factorsAddUp(cellValues(set, {0, 0, 0}, false, 0, 0), true));
    QVERIFY(!set.student().skip(0, 0));
    QVERIFY(tandem::is_recurrent(set.student().layer(0)->kind));
  }

  void a_text_recorded_twice_is_one_set() {
    tandem::SessionModel model;
    std::vector<StoredMatrix> teacherRows, studentRows;
    for (const float value : {1.0F, 2.0F}) {
      teacherRows.push_back(stored("matrix", 0, 0, value, {4, 5}));
      studentRows.push_back(stored("matrix", 0, 0, value, {4, 5}));
    }
    const auto sets = recordedSets(model, std::move(teacherRows), model, std::move(studentRows), idName);
    QCOMPARE(sets.size(), 1U);
    QCOMPARE(sets.front()->student().layer(0)->heads.size(), 1U);
    QCOMPARE(sets.front()->student().matrix(0, 0).row(0)[0], 2.0F);  // the later one
  }
};

QTEST_MAIN(TestMatrixSet)
#include "tst_matrix_set.moc"
