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
    const PlotTable table = modelTable(&teacher, &student, {});
    QCOMPARE(table.headers.size(), 4);
    QVERIFY(table.headers[1].endsWith("big") && table.headers[2].endsWith("small"));
    QCOMPARE(row(table, "Vocabulary"), (QStringList{"Vocabulary", "103", "103", ""}));
    QCOMPARE(row(table, "Layers"),
             (QStringList{"Layers", "1 × attention", "1 × discrete Mamba-2, 1 × attention", "≠"}));
    QCOMPARE(row(table, "States of a head"), (QStringList{"States of a head", "–", "16", "≠"}));
    QCOMPARE(row(table, "SHA-256")[1].size(), 63);
    RunSettings settings;
    settings.completions = 7;
    QVERIFY(modelTable(&teacher, &student, settings).rows[14].first().contains("7 completions"));
  }

  void oneModelAlone() {
    const ModelInfo teacher = some_model("big", MixerKind::Attention);
    const PlotTable table = modelTable(&teacher, nullptr, {});
    for (const QStringList& cells : table.rows) {
      QVERIFY(!cells[1].isEmpty());
      QVERIFY(cells[2].isEmpty() && cells[3].isEmpty());
    }
  }
};

QTEST_GUILESS_MAIN(TestModelTable)
#include "tst_model_table.moc"
