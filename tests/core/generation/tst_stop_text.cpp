// Stop strings across token borders: nothing of them is ever shown, nothing else is lost.
#include <QTest>

#include "core/generation/stop_text.h"

using tandem::StopText;

class TestStopText : public QObject {
  Q_OBJECT
 private slots:
  void cuts_at_the_first_stop_string_data() {
    QTest::addColumn<QString>("text");
    QTest::addColumn<QString>("kept");
    QTest::addColumn<bool>("stops");
    QTest::newRow("none") << "The answer is 7."
                          << "The answer is 7." << false;
    QTest::newRow("at the end") << "Seven.\nQ:"
                                << "Seven.\n"
                                << true;
    QTest::newRow("in the middle") << "A Q: B Problem:"
                                   << "A " << true;
    QTest::newRow("false start") << "Prob, Problem, QQ"
                                 << "Prob, Problem, QQ" << false;
    QTest::newRow("at once") << "Q:x"
                             << "" << true;
  }
  void cuts_at_the_first_stop_string() {
    QFETCH(QString, text);
    QFETCH(QString, kept);
    QFETCH(bool, stops);
    const std::string whole = text.toStdString();
    for (std::size_t piece = 1; piece <= whole.size(); ++piece) {
      StopText stop({"Q:", "Problem:"});
      std::string shown;
      for (std::size_t at = 0; at < whole.size(); at += piece) {
        shown += stop.push(whole.substr(at, piece));
        QVERIFY(kept.toStdString().starts_with(shown));
      }
      QCOMPARE(stop.stopped(), stops);
      QCOMPARE(QString::fromStdString(stop.finish()), kept);
    }
  }
};

QTEST_GUILESS_MAIN(TestStopText)
#include "tst_stop_text.moc"
