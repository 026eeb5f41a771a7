// Capturing with the bundled models, keeping the result in a session and reading it back.
#include <QTemporaryDir>
#include <QTest>

#include "core/problems/problems.h"
#include "ui/views/matrices_readout.h"
#include "ui/views/matrices_source.h"

using namespace tandem::ui;
using tandem::CaptureOptions;
using tandem::Result;
using tandem::Session;

namespace {

CaptureText textOf(const std::string& prompt) {
  CaptureText text;
  text.prompt = prompt;
  text.origin = QStringLiteral("a test");
  return text;
}

}  // namespace

class TestMatricesSource : public QObject {
  Q_OBJECT
 private slots:
  void initTestCase() {
    m_teacher = tandem::open_model("seed-teacher").value();
    m_student = tandem::open_model("seed-llamba").value();
    m_hybrid = tandem::open_model("seed-hybrid").value();
  }

  void both_models_are_captured_over_the_same_tokens() {
    const CaptureOutcome outcome = captureMatrices(request(m_student, textOf(kText)), {});
    QVERIFY2(outcome.set, qPrintable(outcome.error));
    const MatrixSet& set = *outcome.set;
    QCOMPARE(set.tokens.size(), qsizetype(set.ids.size()));
    QCOMPARE(set.tokens.first(), QStringLiteral("Noah"));
    QCOMPARE(set.teacher().layerCount(), int(m_teacher->info().layers.size()));
    for (int layer = 0; layer < set.student().layerCount(); ++layer) {
      QCOMPARE(set.student().heads(layer), int(m_student->info().layers[std::size_t(layer)].nheads));
      QVERIFY(set.pairsOneToOne(layer));
      for (int i = 0; i < set.seqlen(); ++i)
        for (int j = 0; j <= i; ++j) QVERIFY(factorsAddUp(cellValues(set, {layer, 0, 0}, true, i, j), false));
    }
  }

  void hybrids_keep_attention_where_they_say() {
    const CaptureOutcome outcome = captureMatrices(request(m_hybrid, textOf(kText)), {});
    QVERIFY2(outcome.set, qPrintable(outcome.error));
    for (int layer = 0; layer < outcome.set->student().layerCount(); ++layer) {
      const auto kind = m_hybrid->info().layers[std::size_t(layer)].mixer;
      QCOMPARE(outcome.set->student().layer(layer)->kind, kind);
      QCOMPARE(outcome.set->student().decay(layer, 0).empty(), !tandem::is_recurrent(kind));
    }
  }

  void solution_follows_the_prompt_and_a_completion_replaces_it() {
    CaptureText text = textOf(kText);
    const auto prompt = alignedIds(*m_teacher, *m_student, text).value();
    text.solution = "Noah starts with 3 apples .";
    QVERIFY(alignedIds(*m_teacher, *m_student, text).value().size() > prompt.size());
    text.completion = {1, 2, 3};
    auto expected = prompt;
    expected.insert(expected.end(), {1, 2, 3});
    QCOMPARE(alignedIds(*m_teacher, *m_student, text).value(), expected);
  }

  void an_empty_text_is_refused() {
    const CaptureOutcome outcome = captureMatrices(request(m_student, textOf("")), {});
    QVERIFY(!outcome.set);
    QVERIFY(outcome.error.contains(QStringLiteral("no tokens")));
  }

  void tokens_that_the_models_do_not_have_are_refused() {
    CaptureText text = textOf(kText);
    text.completion = {1 << 20};
    const CaptureOutcome outcome = captureMatrices(request(m_student, text), {});
    QVERIFY(!outcome.set);
    QVERIFY2(outcome.error.contains(QStringLiteral("1048576")), qPrintable(outcome.error));
  }

  void a_cancelled_capture_has_neither_set_nor_error() {
    std::stop_source stop;
    stop.request_stop();
    const CaptureOutcome outcome = captureMatrices(request(m_student, textOf(kText)), stop.get_token());
    QVERIFY(!outcome.set && outcome.error.isEmpty());
  }

  void bytes_grow_with_the_square_of_the_length() {
    const auto bytes = [&](std::int64_t seqlen) {
      return captureBytes(m_teacher->info(), m_student->info(), seqlen);
    };
    QCOMPARE(bytes(200), 4 * bytes(100));
    // 6 layers x 4 heads: one matrix of the teacher's, three of the student's, 4 bytes an entry.
    QCOMPARE(bytes(100), 6 * 4 * (1 + 3) * 100 * 100 * 4);
  }

  void a_session_gives_back_what_was_kept() {
    QTemporaryDir folder;
    const auto session = Session::create(folder.filePath(QStringLiteral("s.tandem")).toStdString()).value();
    const CaptureOutcome outcome = captureMatrices(request(m_student, textOf(kText)), {});
    QCOMPARE(storeMatrices(*session, m_teacher->info(), m_student->info(), *outcome.set), QString());
    const RecordedMatrices read = readRecordedMatrices(
        session, outcome.set->teacher().name(), outcome.set->student().name(), &m_teacher->tokenizer());
    QCOMPARE(read.error, QString());
    QCOMPARE(read.sets.size(), 1U);
    const MatrixSet& recorded = *read.sets.front();
    QCOMPARE(recorded.tokens, outcome.set->tokens);
    for (int i = 0; i < recorded.seqlen(); ++i)
      for (int j = 0; j <= i; ++j) {
        const CellValues now = cellValues(*outcome.set, {2, 1, 1}, false, i, j);
        const CellValues then = cellValues(recorded, {2, 1, 1}, false, i, j);
        QVERIFY(std::abs(*now.teacher - *then.teacher) <= 1e-3);
        QVERIFY(std::abs(*now.student - *then.student) <= 1e-3 * std::max(1.0, std::abs(*now.student)));
        QVERIFY(factorsAddUp(then, true));
      }
    QVERIFY(readRecordedMatrices(session, QStringLiteral("other"), QStringLiteral("models"), nullptr)
                .sets.empty());
  }

  void a_completion_that_is_not_there_is_named() {
    QTemporaryDir folder;
    const auto session = Session::create(folder.filePath(QStringLiteral("s.tandem")).toStdString()).value();
    const auto missing = completionText(*session, 1, 1, 4, textOf(kText));
    QVERIFY(!missing.ok());
    QVERIFY(QString::fromStdString(missing.error().message).contains(QStringLiteral("completion 5")));
  }

 private:
  CaptureRequest request(const std::shared_ptr<const tandem::Model>& student, const CaptureText& text) const {
    return {m_teacher, student, [text]() -> Result<CaptureText> { return text; }, 0, 1};
  }

  static constexpr const char* kText = "Noah has 3 apples. Noah buys 4 more apples.";
  std::shared_ptr<const tandem::Model> m_teacher, m_student, m_hybrid;
};

QTEST_MAIN(TestMatricesSource)
#include "tst_matrices_source.moc"
