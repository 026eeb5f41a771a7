// Problem sets in every format, the errors of bad lines, and where shipped files are found.
#include <string>

#include <QDir>
#include <QFile>
#include <QTemporaryDir>
#include <QTest>

#include "core/base/resources.h"
#include "core/base/utf8.h"
#include "core/problems/csv.h"
#include "core/problems/problems.h"

using namespace tandem;

class TestProblems : public QObject {
  Q_OBJECT

  QTemporaryDir folder_;

  std::string write(const char* name, const QByteArray& content) {
    const QString path = folder_.filePath(name);
    QFile file(path);
    if (!file.open(QIODevice::WriteOnly)) qFatal("cannot write %s", qPrintable(path));
    file.write(content);
    return path.toStdString();
  }
  static bool contains(const std::string& text, const char* part) {
    return text.find(part) != std::string::npos;
  }

 private slots:
  void bundled_sets_are_complete_data() {
    QTest::addColumn<QString>("name");
    QVERIFY(bundled_problem_sets().front() == kDefaultProblems);
    for (const std::string& name : bundled_problem_sets())
      QTest::newRow(name.c_str()) << QString::fromStdString(name);
  }
  void bundled_sets_are_complete() {
    QFETCH(QString, name);
    const ProblemSet set = read_problems(name.toStdString()).value();
    QCOMPARE(set.problems.size(), std::size_t{200});
    QCOMPARE(set.kind, AnswerKind::Gsm8k);
    QCOMPARE(set.name, name.toStdString());
    for (std::size_t i = 0; i < set.problems.size(); ++i) {
      const Problem& problem = set.problems[i];
      QCOMPARE(problem.index, static_cast<std::int64_t>(i));
      QCOMPARE(problem.id, set.name + "-" + std::to_string(i));
      QVERIFY(!problem.question.empty() && !problem.solution.empty());
      QVERIFY(grade(set.kind, problem.solution, problem.answer));
    }
  }

  void gsm8k_lines() {
    const auto path =
        write("g.jsonl",
              "\xEF\xBB\xBF"
              R"({"question": "Q1?", "answer": "She has 3*4=<<3*4=12>>12 and <<1+1=2>>2.\n#### 1,200"})"
              "\r\n\r\n"
              R"({"question": "Q2?", "answer": "-7"})");
    const ProblemSet set = read_problems(path).value();
    QCOMPARE(set.name, std::string("g"));
    QCOMPARE(set.problems.size(), std::size_t{2});
    QCOMPARE(set.problems[0].answer, std::string("1,200"));
    QCOMPARE(set.problems[0].solution, std::string("She has 3*4=12 and 2."));
    QCOMPARE(set.problems[1].answer, std::string("-7"));
    QVERIFY(set.problems[1].solution.empty());
    QCOMPARE(set.problems[1].id, std::string("g-1"));
  }

  void math_lines() {
    const auto path = write(
        "m.jsonl",
        R"({"problem": "P", "solution": "so $\\boxed{\\frac{1}{2}}$", "answer": "\\frac{1}{2}", "subject": "Algebra", "level": 3, "unique_id": "test/a/1.json"})"
        "\n"
        R"({"problem": "P", "answer": "4", "subject": "algebra", "level": 5.0})"
        "\n"
        R"({"problem": "P", "solution": "\\boxed{1} then \\boxed{2}", "type": "Geometry", "level": "Level 2"})");
    const ProblemSet set = read_problems(path).value();
    QCOMPARE(set.kind, AnswerKind::Math);
    QCOMPARE(set.problems[0].id, std::string("test/a/1.json"));
    QCOMPARE(set.problems[0].level, 3);
    QCOMPARE(set.problems[0].subject, std::string("Algebra"));
    QCOMPARE(set.problems[1].level, 5);
    QVERIFY(set.problems[1].solution.empty());
    QCOMPARE(set.problems[2].answer, std::string("2"));
    QCOMPARE(set.problems[2].subject, std::string("Geometry"));
    QCOMPARE(set.problems[2].level, 2);
  }

  void one_object_over_many_lines() {
    const auto path = write("one.json", "{\n \"problem\": \"P\",\n \"solution\": \"$\\\\boxed{9}$\"\n}\n");
    QCOMPARE(read_problems(path).value().problems.at(0).answer, std::string("9"));
  }

  void csv_files() {
    const auto path = write(
        "c.csv", "id,question,answer\r\n1,\"How many, \"\"exactly\"\"?\nTell.\",12\r\n2,Next?,\"1,300\"\r\n");
    const ProblemSet set = read_problems(path).value();
    QCOMPARE(set.kind, AnswerKind::Gsm8k);
    QCOMPARE(set.problems.size(), std::size_t{2});
    QCOMPARE(set.problems[0].question, std::string("How many, \"exactly\"?\nTell."));
    QCOMPARE(set.problems[1].answer, std::string("1,300"));
  }

  void bad_lines_data() {
    QTest::addColumn<QByteArray>("content");
    QTest::addColumn<QString>("name");
    QTest::addColumn<QString>("message");
    const QByteArray good = R"({"question": "Q", "answer": "1"})"
                            "\n";
    QTest::newRow("no JSON") << good + "{oops\n"
                             << "a.jsonl"
                             << "line 2: not valid JSON";
    QTest::newRow("no object") << good + "[1]\n"
                               << "a.jsonl"
                               << "line 2: holds a JSON array, wanted an object";
    QTest::newRow("bytes") << good + "{\"question\": \"\xFF\", \"answer\": \"1\"}\n"
                           << "a.jsonl"
                           << "line 2: not valid JSON";
    QTest::newRow("fields") << good + "\n{\"q\": 1}\n"
                            << "a.jsonl"
                            << "line 3: there is neither a 'question'";
    QTest::newRow("question") << good + R"({"question": 5, "answer": "1"})"
                              << "a.jsonl"
                              << "line 2: 'question' is 5, wanted a string";
    QTest::newRow("answer") << good + R"({"question": "Q"})"
                            << "a.jsonl"
                            << "line 2: 'answer' is missing, wanted a string";
    QTest::newRow("empty gold") << good + R"({"question": "Q", "answer": "work\n####"})"
                                << "a.jsonl"
                                << "line 2: 'answer' is";
    QTest::newRow("mixed") << good + R"({"problem": "P", "answer": "1"})"
                           << "a.jsonl"
                           << "line 2: of kind math, the problems before it are of kind gsm8k";
    QTest::newRow("no box") << QByteArray(R"({"problem": "P", "answer": "1"})"
                                          "\n"
                                          R"({"problem": "P", "solution": "so it is 1"})")
                            << "a.jsonl"
                            << "line 2: 'solution' is \"so it is 1\", wanted a boxed answer in it";
    QTest::newRow("csv width") << QByteArray("question,answer\nQ,1\nQ\n") << "a.csv"
                               << "line 3: 1 fields, wanted 2 as in the header";
  }
  void bad_lines() {
    QFETCH(QByteArray, content);
    QFETCH(QString, name);
    QFETCH(QString, message);
    const std::string path = write(qPrintable(name), content);
    const auto strict = read_problems(path);
    QVERIFY(!strict.ok());
    const std::string expected = path + ": " + message.toStdString();
    QVERIFY2(strict.error().message.starts_with(expected), strict.error().message.c_str());
    const auto lenient = read_problems(path, true).value();
    QCOMPARE(lenient.problems.size(), std::size_t{1});
    QCOMPARE(lenient.skipped, std::vector<std::string>{strict.error().message});
  }

  void files_that_cannot_be_read() {
    QCOMPARE(read_problems("/no/such/file.jsonl").error().code, ErrorCode::NotFound);
    QVERIFY(contains(read_problems("/no/such/file.jsonl").error().message, "/no/such/file.jsonl"));
    QVERIFY(contains(read_problems(write("empty.jsonl", "\n")).error().message, "no problem"));
    QVERIFY(
        contains(read_problems(write("bytes.csv", "question,answer\n\xC3,1\n")).error().message, "UTF-8"));
    QVERIFY(contains(read_problems(write("open.csv", "question,answer\n\"a,1\n")).error().message,
                     "line 2: a quoted field is not closed"));
    QVERIFY(!read_problems(folder_.path().toStdString()).ok());
  }

  void csv_quotes() {
    QCOMPARE(parse_csv("a,,\"\"\n").value().at(0).fields, (std::vector<std::string>{"a", "", ""}));
    QCOMPARE(parse_csv("a\n\n\nb").value().at(1).line, std::int64_t{4});
    QVERIFY(contains(parse_csv("\"a\"b").error().message, "line 1: 'b' follows a closing quote"));
    QVERIFY(parse_csv("").value().empty());
  }

  void utf8_is_strict() {
    for (const char* good : {"", "a", "\xC3\xA9", "\xE2\x88\x92", "\xF0\x9F\x98\x80"}) QVERIFY(is_utf8(good));
    for (const char* bad :
         {"\x80", "\xC3", "\xC0\x80", "\xE0\x80\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xFF"})
      QVERIFY(!is_utf8(bad));
  }

  void resources_are_found_in_the_chosen_folder_first() {
    QVERIFY(QFile::exists(QString::fromStdString(resource_path("problems/pocket.jsonl"))));
    QVERIFY(QDir(folder_.path()).mkpath("problems"));
    write("problems/pocket.jsonl", "{\"question\": \"Q\", \"answer\": \"5\"}\n");
    qputenv("TANDEM_RESOURCES", folder_.path().toUtf8());
    const auto chosen = read_problems("pocket");
    qunsetenv("TANDEM_RESOURCES");
    QCOMPARE(chosen.value().problems.size(), std::size_t{1});
    QVERIFY(contains(resource_path("no/such.file"), "no/such.file"));
  }

  void public_samples_load() {
    if (!QFile::exists(TANDEM_SHARED_DATA "/gsm8k_test_100.jsonl")) QSKIP("the public samples are not here");
    const ProblemSet gsm8k = read_problems(TANDEM_SHARED_DATA "/gsm8k_test_100.jsonl").value();
    QCOMPARE(gsm8k.problems.size(), std::size_t{100});
    for (const Problem& problem : gsm8k.problems) QVERIFY(!contains(problem.solution, "<<"));
    const ProblemSet math = read_problems(TANDEM_SHARED_DATA "/math500_100.jsonl").value();
    QCOMPARE(math.problems.size(), std::size_t{100});
    QCOMPARE(math.kind, AnswerKind::Math);
    for (const Problem& problem : math.problems) QVERIFY(problem.level >= 1 && !problem.subject.empty());
  }
};

QTEST_GUILESS_MAIN(TestProblems)
#include "tst_problems.moc"
