// The table of two models: every fact in its column, a mark where they differ.
#include <QTest>

#include "tests/support/session_fixture.h"
#include "ui/model_table.h"

using namespace tandem;
using namespace tandem::test;
using namespace tandem::ui;

class TestModelTable : public QObject {
  Q_OBJECT

  static QStringList row(const PlotTable& table, const QString& name) {
    for (const QStringList& cells : table.rows)
      if (cells.first().startsWith(name)) return cells;
    qFatal("no row %s", qPrintable(name));
  }

 private slots:
  void differencesAreMarked() {
    const ModelInfo teacher = some_model("big", MixerKind::Attention);
    ModelInfo student = some_model("small", MixerKind::DiscreteMamba2);
    student.layers.push_back(teacher.layers.front());
    const PlotTable table = modelTable({{"big", &teacher}, {"small", &student}}, {});
    QCOMPARE(table.headers.size(), 4);
    QCOMPARE(table.headers[1], "big");
    QCOMPARE(table.headers[2], "small");
    QCOMPARE(row(table, "Vocabulary"), (QStringList{"Vocabulary", "103", "103", ""}));
    QCOMPARE(row(table, "Layers"),
             (QStringList{"Layers", "1 × attention", "1 × discrete Mamba-2, 1 × attention", "≠"}));
    QCOMPARE(row(table, "States of a head"), (QStringList{"States of a head", "–", "16", "≠"}));
    QCOMPARE(row(table, "SHA-256")[1].size(), 63);
    RunSettings settings;
    settings.completions = 7;
    QVERIFY(modelTable({{"big", &teacher}}, settings).rows[15].first().contains("7 × "));
  }

  void oneModelAlone() {
    const ModelInfo teacher = some_model("big", MixerKind::Attention);
    const PlotTable table = modelTable({{"big", &teacher}}, {});
    QCOMPARE(table.headers.size(), 2);
    for (const QStringList& cells : table.rows) QVERIFY(cells.size() == 2 && !cells[1].isEmpty());
  }

  void onlyDifferences() {
    const ModelInfo teacher = some_model("big", MixerKind::Attention);
    const ModelInfo student = some_model("small", MixerKind::DiscreteMamba2);
    const PlotTable all = modelTable({{"a", &teacher}, {"b", &student}}, {});
    const PlotTable some = modelTable({{"a", &teacher}, {"b", &student}}, {}, /*onlyDifferences=*/true);
    QVERIFY(!some.rows.isEmpty() && some.rows.size() < all.rows.size());
    for (const QStringList& cells : some.rows) QCOMPARE(cells.back(), "≠");
    QVERIFY(modelTable({{"a", &teacher}, {"b", &teacher}}, {}, true).rows.isEmpty());
  }

  void quantisedWeightsAreReadTwoWays() {
    ModelInfo model = some_model("small", MixerKind::Attention);
    model.single_bytes = 1 << 20;
    model.weight_bytes = 3 << 20;
    QCOMPARE(row(modelTable({{"a", &model}}, {}), "Weights a step reads")[1],
             "1.00 MiB for one, 3.00 MiB for more");
  }
};

QTEST_GUILESS_MAIN(TestModelTable)
#include "tst_model_table.moc"
