// Completions as rows: streaming, finished, sorted, filtered; and their cards drawn.
#include <QAbstractItemModelTester>
#include <QPainter>
#include <QSignalSpy>
#include <QTest>

#include "ui/models/completion_filter.h"
#include "ui/models/completion_model.h"
#include "ui/widgets/card_delegate.h"

using namespace tandem::ui;

namespace {

LiveToken token(int completion, const char* text, int side = 0) {
  return {side, completion, QString::fromLatin1(text), -0.5F};
}

std::pair<int, tandem::SessionCompletion> finished(int index, const char* answer, bool correct,
                                                   double seconds,
                                                   tandem::FinishReason reason = tandem::FinishReason::Eos) {
  tandem::SessionCompletion row;
  row.completion.index = index;
  row.completion.text = std::string("The final answer is ") + answer + ".";
  row.completion.tokens.resize(static_cast<std::size_t>(10 + index));
  row.completion.finish = reason;
  row.completion.finish_s = seconds;
  if (!tandem::is_cut(reason)) row.answer = answer;
  row.correct = correct;
  return {0, row};
}

}  // namespace

class TestCompletionModel : public QObject {
  Q_OBJECT
 private slots:
  void streamsInOneChangePerFlush() {
    CompletionModel model;
    const QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::QtTest);
    model.begin(4, true);
    QCOMPARE(model.rowCount(), 4);
    QSignalSpy changed(&model, &QAbstractItemModel::dataChanged);
    LiveBatch batch;
    batch.tokens = {token(1, "so"), token(3, "then"), token(1, " six"), token(2, "other side", 1)};
    model.add(0, batch);
    QCOMPARE(changed.count(), 0);
    model.flush();
    QCOMPARE(changed.count(), 1);
    QCOMPARE(changed[0][0].value<QModelIndex>().row(), 1);
    QCOMPARE(changed[0][1].value<QModelIndex>().row(), 3);
    QCOMPARE(model.index(1).data().toString(), QStringLiteral("so six"));
    QCOMPARE(model.index(1).data(CompletionModel::TokensRole).toInt(), 2);
    QCOMPARE(model.index(2).data().toString(), QString());
    QCOMPARE(model.index(1).data(CompletionModel::VerdictRole).toInt(), static_cast<int>(Verdict::Streaming));
    model.flush();
    QCOMPARE(changed.count(), 1);
  }

  void countsVerdictsAndVotes() {
    CompletionModel model;
    const QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::QtTest);
    model.begin(4, true);
    LiveBatch batch;
    batch.completions = {finished(0, "57", true, 2), finished(2, "57", true, 3), finished(1, "8", false, 1),
                         finished(3, "", false, 4, tandem::FinishReason::Budget)};
    model.add(0, batch);
    model.add(0, batch);  // told twice, counted once
    const CompletionModel::Tally& tally = model.tally();
    QCOMPARE(tally.done, 4);
    QCOMPARE(tally.correct, 2);
    QCOMPARE(tally.wrong, 1);
    QCOMPARE(tally.cut, 1);
    QCOMPARE(tally.votes.at(QStringLiteral("57")).count, 2);
    QVERIFY(tally.votes.at(QStringLiteral("57")).correct);
    QVERIFY(!tally.votes.at(QStringLiteral("8")).correct);
    QCOMPARE(model.index(3).data(CompletionModel::FinishReasonRole).toString(), QStringLiteral("budget"));
  }

  void thePastIsABeginning() {
    CompletionCard card = makeCard(finished(0, "57", true, 5).second, true, nullptr);
    card.firstTokenS = 1;
    QCOMPARE(cardAt(card, 0.5).verdict, Verdict::Waiting);
    QCOMPARE(cardAt(card, 5).verdict, Verdict::Correct);
    const CompletionCard half = cardAt(card, 3);
    QCOMPARE(half.verdict, Verdict::Streaming);
    QCOMPARE(half.tokens, 5);  // 10 in all, the first of them at 1 s
    QCOMPARE(half.answer, QString());
    QVERIFY(card.text.startsWith(half.text) && half.text.size() == card.text.size() / 2);
    card.spans = QVector<TokenSpan>(10, {2, -1});
    QCOMPARE(cardAt(card, 3).text.size(), 10);
    CompletionModel model;
    const QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::QtTest);
    model.setCards({card});
    QSignalSpy reset(&model, &QAbstractItemModel::modelReset);
    QSignalSpy changed(&model, &QAbstractItemModel::dataChanged);
    model.updateCards({half});
    model.updateCards({half});
    QCOMPARE(reset.count(), 0);
    QCOMPARE(changed.count(), 1);
    QCOMPARE(model.tally().done, 0);
  }

  void aPersonsVerdictWins() {
    auto row = finished(0, "8", false, 1).second;
    row.override_correct = true;
    QCOMPARE(makeCard(row, true, nullptr).verdict, Verdict::Correct);
    QCOMPARE(makeCard(row, false, nullptr).verdict, Verdict::Ungraded);
  }

  void sortsAndFilters() {
    CompletionModel model;
    CompletionFilter filter;
    const QAbstractItemModelTester tester(&filter, QAbstractItemModelTester::FailureReportingMode::QtTest);
    filter.setSourceModel(&model);
    model.begin(4, true);
    LiveBatch batch;
    batch.completions = {finished(0, "57", true, 2), finished(2, "8", false, 1),
                         finished(3, "57", true, 0.5)};
    model.add(0, batch);
    model.flush();
    filter.setOrder(CompletionFilter::Order::Finish);
    QList<int> order;
    for (int row = 0; row < filter.rowCount(); ++row) {
      order << filter.index(row, 0).data(CompletionModel::IndexRole).toInt();
    }
    QCOMPARE(order, QList<int>({3, 2, 0, 1}));  // 1 has not finished
    filter.setAnswer(QStringLiteral("57"));
    QCOMPARE(filter.rowCount(), 2);
    filter.setAnswer(QString());
    QCOMPARE(filter.rowCount(), 4);
  }

  void cardsDifferByVerdict() {
    CompletionModel model;
    model.begin(3, true);
    LiveBatch batch;
    batch.completions = {finished(0, "57", true, 2), finished(1, "57", false, 2)};
    model.add(0, batch);
    const CardDelegate delegate(Side::Teacher);
    QList<QImage> cards;
    for (int row = 0; row < 3; ++row) {
      QStyleOptionViewItem option;
      option.rect = QRect(QPoint(0, 0), delegate.sizeHint(option, model.index(row)));
      QImage image(option.rect.size(), QImage::Format_RGB32);
      image.fill(Theme::instance().colors().background);
      QPainter painter(&image);
      delegate.paint(&painter, option, model.index(row));
      cards << image;
    }
    QVERIFY(cards[0] != cards[1]);
    QVERIFY(cards[0] != cards[2]);
    QVERIFY(cards[0].width() >= 120 && cards[0].height() >= 80);
  }
};

QTEST_MAIN(TestCompletionModel)
#include "tst_completion_model.moc"
