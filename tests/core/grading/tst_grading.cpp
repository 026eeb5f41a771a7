// Every decided verdict, the properties equality must have, and what no input may do to the grader.
#include <ctime>
#include <string>
#include <vector>

#include <QFile>
#include <QJsonArray>
#include <QJsonDocument>
#include <QTemporaryDir>
#include <QTest>

#include "core/grading/grading.h"
#include "core/grading/number.h"
#include "core/grading/vectors.h"
#include "core/problems/problems.h"

using namespace tandem;

namespace {

struct Case {
  AnswerKind kind;
  std::string prediction;
  std::string gold;
  bool equal;
};

std::vector<Case> read_cases() {
  QFile file(TANDEM_TEST_DATA "/grading_vectors.json");
  if (!file.open(QIODevice::ReadOnly)) qFatal("%s cannot be read", qPrintable(file.fileName()));
  std::vector<Case> cases;
  for (const QJsonValue& item : QJsonDocument::fromJson(file.readAll()).array())
    cases.push_back({item["kind"] == "gsm8k" ? AnswerKind::Gsm8k : AnswerKind::Math,
                     item["prediction"].toString().toStdString(), item["gold"].toString().toStdString(),
                     item["equal"].toBool()});
  return cases;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::clock_t kMostMs = 1000;  // instrumented code is slower
#else
constexpr std::clock_t kMostMs = 100;
#endif

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
  return text;
}

std::string repeated(const std::string& text, std::size_t bytes) {
  std::string result;
  while (result.size() < bytes) result += text;
  return result;
}

const char* text_of(const std::optional<std::string>& answer) {
  return answer ? answer->c_str() : "(none)";
}

}  // namespace

class TestGrading : public QObject {
  Q_OBJECT

  QTemporaryDir folder_;

  std::string write(const QByteArray& content) {
    QFile file(folder_.filePath("vectors.json"));
    if (!file.open(QIODevice::WriteOnly)) qFatal("%s cannot be written", qPrintable(file.fileName()));
    file.write(content);
    return file.fileName().toStdString();
  }

 private slots:
  void decided_verdicts() {
    const auto cases = read_cases();
    QCOMPARE(cases.size(), std::size_t{220});
    for (const Case& item : cases)
      QVERIFY2(grade(item.kind, item.prediction, item.gold) == item.equal,
               (item.prediction + "  against  " + item.gold).c_str());
  }

  void equality_is_symmetric() {
    for (const Case& item : read_cases()) {
      const auto answer = extract_answer(item.kind, item.prediction).value_or("");
      const auto gold = gold_answer(item.kind, item.gold);
      QVERIFY2(answers_equal(item.kind, answer, gold) == answers_equal(item.kind, gold, answer),
               answer.c_str());
    }
  }

  void golds_equal_themselves_however_written() {
    for (const Case& item : read_cases()) {
      const std::string gold = gold_answer(item.kind, item.gold);
      for (const std::string& variant :
           {gold, "$" + gold + "$", "\\boxed{" + gold + "}", "The final answer is " + gold + ".",
            "\\boxed{" + replaced(gold, "\\frac", "\\dfrac") + "}", "\\boxed{  " + gold + " }",
            "\\boxed{" + replaced(replaced(gold, " + ", "+"), " \\pm ", "\\pm") + "}"})
        QVERIFY2(grade(item.kind, variant, item.gold), variant.c_str());
    }
  }

  void extraction_data() {
    QTest::addColumn<bool>("math");
    QTest::addColumn<QString>("output");
    QTest::addColumn<QString>("answer");
    QTest::newRow("longer command") << true << "\\boxedfoo{1} and \\boxed{2}"
                                    << "2";
    QTest::newRow("escaped brace") << true << "\\boxed{\\{1\\}}"
                                   << "\\{1\\}";
    QTest::newRow("empty box") << true << "\\boxed{}"
                               << "";
    QTest::newRow("spaced box") << true << "\\boxed {7}"
                                << "7";
    QTest::newRow("sentence to the line's end") << false << "The final answer is 4\nBut 5"
                                                << "4";
    QTest::newRow("sentence to the stop") << false << "The answer is 4. Not 5."
                                          << "4";
    QTest::newRow("empty sentence") << false << "The answer is:\n12"
                                    << "12";
    QTest::newRow("Markdown only") << false << "**The answer is:**\n12"
                                   << "12";
    QTest::newRow("marker") << false << "x\n#### 9\n"
                            << "9";
    QTest::newRow("last number, commas") << false << "in all 1,250.50 dollars"
                                         << "1,250.50";
    QTest::newRow("last number, sign") << false << "a loss of -$5"
                                       << "-$5";
    QTest::newRow("last number, no sign") << false << "10-5"
                                          << "5";
    QTest::newRow("last number, end of sentence") << false << "so it is 5."
                                                  << "5";
    QTest::newRow("last number, fraction") << false << "she ate 3/4 of it"
                                           << "3/4";
    QTest::newRow("last number, list") << false << "3,4"
                                       << "4";
    QTest::newRow("display maths") << true
                                   << "so $$x = 3$$ holds for all of the numbers that were asked about here"
                                   << "x = 3";
    QTest::newRow("escaped dollar") << true
                                    << "so $\\$5$ is what she pays for all of the apples and pears in it"
                                    << "\\$5";
    QTest::newRow("long text")
        << true << "all of the twelve apples and pears in it were sold for 5 dollars in the end"
        << "5";
    QTest::newRow("nothing") << false << "no idea"
                             << "(none)";
    QTest::newRow("empty") << true << " "
                           << "(none)";
  }
  void extraction() {
    QFETCH(bool, math);
    QFETCH(QString, output);
    QFETCH(QString, answer);
    const auto found = extract_answer(math ? AnswerKind::Math : AnswerKind::Gsm8k, output.toStdString());
    QCOMPARE(QString(text_of(found)), answer);
  }

  void numbers_data() {
    QTest::addColumn<QString>("text");
    QTest::addColumn<QString>("value");  // numerator/denominator, empty = no number
    const auto add = [](const char* text, const char* value) { QTest::newRow(text) << text << value; };
    add("12", "12/1");
    add("-0", "0/1");
    add("+ 5", "5/1");
    add("1,234,567", "1234567/1");
    add("1 234 567", "1234567/1");
    add("1,23", "");
    add("1234,567", "");
    add("1,234.5", "2469/2");
    add(".25", "1/4");
    add("5.", "5/1");
    add(".", "");
    add("-3/4", "-3/4");
    add("3 / -4", "-3/4");
    add("1/2/3", "");
    add("7/0", "");
    add("0/7", "0/1");
    add("\\frac{-3}{-4}", "3/4");
    add("-\\frac{-1.5}{2}", "3/4");
    add("\\frac{1}{0}", "");
    add("\\frac{x}{2}", "");
    add("2 1/2", "5/2");
    add("-2\\frac{1}{2}", "-5/2");
    add("2\\frac{-1}{2}", "");
    add("2e3", "2000/1");
    add("2.5E-1", "1/4");
    add("6*10^{3}", "6000/1");
    add("6 * 10^-3", "3/500");
    add("10^3", "");
    add("1e401", "");
    add("1e-99999999999999999999", "");
    add("5 cm", "5/1");
    add("5cm^2", "5/1");
    add("5 km/h", "5/1");
    add("5 foot-pounds", "5/1");
    add("5 feet and", "");
    add("5 miles per hour", "5/1");
    add("5 of", "");
    add("5 a", "");
    add("5apples", "");
    add("5x", "");
    add("5 x", "");
    add("25%", "25/1");
    add("25 % of them", "25/1");
    add("25%x", "");
    add("5 million", "5000000/1");
    add("2.5 thousand dollars", "2500/1");
    add("5million", "");
    add("5 hundred thousand", "");
    add("", "");
    add("-", "");
  }
  void numbers() {
    QFETCH(QString, text);
    QFETCH(QString, value);
    const auto number = grading::parse_number(text.toStdString());
    QCOMPARE(number.has_value(), !value.isEmpty());
    if (!number) return;
    QString digits = value.section('/', 0, 0);
    const bool negative = digits.startsWith('-');
    if (negative) digits.remove(0, 1);
    const grading::Rational expected{negative, grading::Natural(digits.toStdString()),
                                     grading::Natural(value.section('/', 1).toStdString())};
    QVERIFY(*number == expected);
  }

  void numbers_have_any_size() {
    const std::string nines(400, '9');
    const std::string other = nines.substr(1) + "8";
    QVERIFY(answers_equal(AnswerKind::Math, nines, "\\frac{" + nines + "}{1}"));
    QVERIFY(!answers_equal(AnswerKind::Math, nines, other));
    QVERIFY(answers_equal(AnswerKind::Math, nines + "/" + other, nines + " / " + other));
    QVERIFY(!answers_equal(AnswerKind::Math, nines + "/" + other, other + "/" + nines));
    QVERIFY(!grading::parse_number(nines + "9"));
    using grading::Natural;
    QVERIFY(Natural("999999999999999999") * Natural("999999999999999999") ==
            Natural("999999999999999998000000000000000001"));
    QVERIFY(Natural("999999999") + Natural("1") == Natural("1000000000"));
    QVERIFY(Natural("000") == Natural("0"));
  }

  void equality_data() {
    QTest::addColumn<QString>("a");
    QTest::addColumn<QString>("b");
    QTest::addColumn<bool>("equal");
    const auto add = [](const char* a, const char* b, bool equal) {
      QTest::addRow("%s against %s", a, b) << a << b << equal;
    };
    add("2*3", "23", false);
    add("2 3", "23", false);
    add("2*x", "2x", true);
    add("πr^2", "\\pi r^{2}", true);
    add("\\frac{\\sqrt2}2", "\\sqrt 2 / 2", true);
    add("-3\\pi/4", "-\\frac{3\\pi}{4}", true);
    add("\\pi/2x", "\\frac{\\pi}{2}x", false);
    add("\\sqrt[3]2", "\\sqrt[3]{2}", true);
    add("\\sqrt[3]2", "\\sqrt{2}", false);
    add("\\theta = 5", "5", true);
    add("x_1 = 5", "5", false);
    add("x = y = 5", "5", false);
    add("x = 5, y < 3", "5, y < 3", true);
    add("ice cream", "Ice  Cream", true);
    add("x y", "X Y", false);
    add("AB", "ab", true);
    add("b", "B", false);
    add("1,000, 2,000", "2000, 1000", true);
    add("1,23,456", "1, 23456", false);
    add("0.125,250", "250, 0.125", true);
    add("1, 2, or 3", "3, 2, 1", true);
    add("(A), (C)", "C, A", true);
    add("5\\text{ cm}, 3", "3, 5", true);
    add("(1,2", "(1, 2", true);
    add("(1,2)(3,4)", "(1,2)", false);
    add("\\{(1,2),(3,4)\\}", "\\{(3,4),(1,2)\\}", true);
    add("\\{1,1,2\\}", "\\{1,2,2\\}", false);
    add("\\begin{bmatrix}1&2\\end{bmatrix}", "\\begin{pmatrix}1&2\\end{pmatrix}", false);
    add("\\begin{pmatrix}1\\\\2\\\\\\end{pmatrix}", "\\begin{pmatrix}1\\\\2\\end{pmatrix}", true);
    add("\\begin{pmatrix}1,000\\\\2\\end{pmatrix}", "\\begin{pmatrix}1000\\\\2\\end{pmatrix}", true);
    add("\\begin{pmatrix}1\\end{pmatrix}\\begin{pmatrix}2\\end{pmatrix}", "\\begin{pmatrix}1\\end{pmatrix}",
        false);
    add("[0,1]\\cup[2,3]", "[0, 1.0] \\cup [2, 3]", true);
    add("[0,1]\\cup[2,3]", "[0,1]", false);
    add("$", "$", false);
    add("", "", false);
  }
  void equality() {
    QFETCH(QString, a);
    QFETCH(QString, b);
    QFETCH(bool, equal);
    QCOMPARE(answers_equal(AnswerKind::Math, a.toStdString(), b.toStdString()), equal);
    QCOMPARE(answers_equal(AnswerKind::Math, b.toStdString(), a.toStdString()), equal);
  }

  void long_inputs_take_no_time_data() {
    QTest::addColumn<QByteArray>("unit");
    for (const char* unit : {"{",
                             "}",
                             "9",
                             ",",
                             "1,",
                             "1,234,",
                             "(",
                             "()",
                             "\\frac",
                             "\\sqrt",
                             "\\frac{",
                             "\\boxed{",
                             "\\boxed",
                             "\\(",
                             "\\[",
                             "$",
                             "$$",
                             "$ ",
                             "\\$",
                             "\\",
                             "answer is",
                             "####",
                             "answer is ####\n",
                             " ",
                             "*",
                             "**[",
                             "^{",
                             "x=",
                             "\\text{",
                             "\\cup",
                             "\\begin{pmatrix}",
                             "1&\\\\",
                             "\\{1,",
                             "and ",
                             ", and 1",
                             "1 ",
                             "-",
                             ".",
                             "e",
                             "1e9",
                             "\\pi/",
                             "\xE2\x88\x92",
                             "\xFF",
                             "million ",
                             "5 cm/"})
      QTest::newRow(QByteArray(unit).toPercentEncoding()) << QByteArray(unit);
  }
  void long_inputs_take_no_time() {
    QFETCH(QByteArray, unit);
    const std::string whole = repeated(unit.toStdString(), 1 << 20);
    const std::string part = whole.substr(0, 1990);  // the longest that is taken apart
    for (const AnswerKind kind : {AnswerKind::Gsm8k, AnswerKind::Math})
      for (const auto& [output, gold] : {std::pair{whole, whole},
                                         {whole, part},
                                         {part, part + "1"},
                                         {"\\boxed{" + whole + "}", "5"},
                                         {"\\boxed{" + part + "}", part + " 1"}}) {
        const std::clock_t begin = std::clock();  // processor time: other programs do not count
        grade(kind, output, gold);
        const auto used_ms = (std::clock() - begin) * 1000 / CLOCKS_PER_SEC;
        QVERIFY2(used_ms < kMostMs, qPrintable(QString::number(used_ms) + " ms"));
      }
  }

  void vectors_report_disagreements() {
    const auto all = check_grading_vectors(TANDEM_TEST_DATA "/grading_vectors.json").value();
    QCOMPARE(all.total, std::int64_t{220});
    QVERIFY(all.disagreements.empty());
    QCOMPARE(all.agreement(), 1.0);

    const auto report = check_grading_vectors(write(R"([
      {"kind": "gsm8k", "prediction": "The answer is 4.", "gold": "4", "equal": true},
      {"kind": "math", "prediction": "\\boxed{5}", "gold": "4", "equal": true, "note": "wrong on purpose"}])"));
    QCOMPARE(report.value().agreement(), 0.5);
    QCOMPARE(report->total, std::int64_t{2});
    QCOMPARE(report->disagreements.size(), std::size_t{1});
    const GradingDisagreement& item = report->disagreements[0];
    QCOMPARE(item.index, std::int64_t{1});
    QCOMPARE(item.kind, AnswerKind::Math);
    QCOMPARE(item.answer, std::optional<std::string>("5"));
    QVERIFY(item.decided);
    QCOMPARE(item.note, std::string("wrong on purpose"));
  }

  void vectors_with_faults_are_refused_data() {
    QTest::addColumn<QByteArray>("content");
    QTest::addColumn<QString>("message");
    QTest::newRow("JSON") << QByteArray("[") << ": not a JSON array";
    QTest::newRow("empty") << QByteArray("[]") << ": not a JSON array";
    QTest::newRow("item") << QByteArray("[5]") << ": case 0: not a JSON object";
    QTest::newRow("kind") << QByteArray(R"([{"kind": "aime"}])")
                          << ": case 0: 'kind' is \"aime\", wanted \"gsm8k\" or \"math\"";
    QTest::newRow("gold") << QByteArray(R"([{"kind": "math", "prediction": "1"}])")
                          << ": case 0: 'gold' is missing, wanted a string";
    QTest::newRow("verdict") << QByteArray(R"([{"kind": "math", "prediction": "1", "gold": "1"}])")
                             << ": case 0: 'equal' is missing, wanted true or false";
  }
  void vectors_with_faults_are_refused() {
    QFETCH(QByteArray, content);
    QFETCH(QString, message);
    const std::string path = write(content);
    const auto report = check_grading_vectors(path);
    QVERIFY(!report.ok());
    QVERIFY2(report.error().message.starts_with(path + message.toStdString()),
             report.error().message.c_str());
  }

  void solutions_of_public_problems_hold_their_answers() {
    const auto set = read_problems(TANDEM_SHARED_DATA "/math500_100.jsonl");
    if (!set) QSKIP("the public sample is not here");
    for (const Problem& problem : set->problems)
      QVERIFY2(grade(set->kind, problem.solution, problem.answer), problem.id.c_str());
  }
};

QTEST_GUILESS_MAIN(TestGrading)
#include "tst_grading.moc"
