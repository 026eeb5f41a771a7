// Corpus files and the tokenizer trained on them, through the readers that the rest of the program uses.
#include <algorithm>

#include <QTemporaryDir>
#include <QTest>

#include "core/base/file.h"
#include "core/corpus/bpe_trainer.h"
#include "core/corpus/corpus.h"
#include "core/grading/grading.h"
#include "core/problems/problems.h"
#include "core/tokenizer/tokenizer.h"

using namespace tandem;
using namespace tandem::corpus;

namespace {

std::string write(const QTemporaryDir& folder, const char* name, std::string_view text) {
  const std::string path = folder.filePath(name).toStdString();
  const Status status = write_file(path, std::span(&text, 1));
  return status.ok() ? path : std::string();
}

CorpusOptions options(double direct_share = 0.25) {
  CorpusOptions result;
  result.problems.seed = 21;
  result.direct_share = direct_share;
  return result;
}

std::string trained_on(int examples, std::int64_t vocab, bool backwards = false) {
  BpeTrainer trainer;
  for (int i = 0; i < examples; ++i)
    trainer.add(
        generate_example(options(), static_cast<std::uint64_t>(backwards ? examples - 1 - i : i)).text());
  BpeOptions bpe;
  bpe.vocab = vocab;
  return trainer.train(bpe).json;
}

}  // namespace

class TestCorpus : public QObject {
  Q_OBJECT
 private slots:
  void a_file_gives_back_its_examples() {
    const QTemporaryDir folder;
    const std::string lines = corpus_lines(options(), 0, 30) + corpus_lines(options(), 30, 170);
    const auto examples = read_corpus(write(folder, "corpus.jsonl", lines));
    QVERIFY2(examples.ok(), examples.ok() ? "" : examples.error().message.c_str());
    QCOMPARE(examples->size(), std::size_t{200});
    int direct = 0;
    for (std::uint64_t i = 0; i < 200; ++i) {
      const Example wanted = generate_example(options(), i);
      QCOMPARE((*examples)[i].text(), wanted.text());
      QVERIFY(wanted.completion.find('#') == std::string::npos);
      direct += wanted.style == AnswerStyle::Direct;
      QCOMPARE(wanted.style == AnswerStyle::Direct, wanted.completion.starts_with("The final answer is "));
      QCOMPARE(wanted.style == AnswerStyle::Direct, wanted.prompt().ends_with("\nAnswer:"));
      QVERIFY(wanted.text().starts_with("Problem: " + wanted.question + "\n"));
    }
    QVERIFY(direct > 30 && direct < 70);  // 50 expected
  }

  void a_file_is_a_problem_set() {
    const QTemporaryDir folder;
    const auto set = read_problems(write(folder, "set.jsonl", corpus_lines(options(0), 0, 20)));
    QVERIFY2(set.ok(), set.ok() ? "" : set.error().message.c_str());
    QCOMPARE(set->problems.size(), std::size_t{20});
    for (std::uint64_t i = 0; i < 20; ++i) {
      const WordProblem problem = generate_problem(options().problems, i);
      QCOMPARE(set->problems[i].answer, std::to_string(problem.answer));
      QVERIFY(grade(AnswerKind::Gsm8k, problem.solution, set->problems[i].answer));
    }
  }

  void bad_lines_are_named_data() {
    QTest::addColumn<QByteArray>("line");
    QTest::addColumn<QByteArray>("named");
    QTest::newRow("not JSON") << QByteArray("{") << QByteArray(":2");
    QTest::newRow("no question") << QByteArray(R"({"answer": "1"})") << QByteArray("question");
    QTest::newRow("no answer") << QByteArray(R"({"question": "1"})") << QByteArray("answer");
    QTest::newRow("style") << QByteArray(R"({"question": "1", "answer": "1", "style": "x"})")
                           << QByteArray("style");
  }
  void bad_lines_are_named() {
    QFETCH(QByteArray, line);
    QFETCH(QByteArray, named);
    const QTemporaryDir folder;
    const std::string text = corpus_lines(options(), 0, 1) + line.toStdString() + "\n";
    const auto examples = read_corpus(write(folder, "bad.jsonl", text));
    QVERIFY(!examples.ok());
    QCOMPARE(examples.error().code, ErrorCode::BadFormat);
    QVERIFY2(examples.error().message.find(":2") != std::string::npos, examples.error().message.c_str());
    QVERIFY2(examples.error().message.find(named.toStdString()) != std::string::npos,
             examples.error().message.c_str());
    QCOMPARE(read_corpus("/no/such/file.jsonl").error().code, ErrorCode::NotFound);
  }

  void bad_options_are_refused() {
    QVERIFY(check_options(options(0)).ok());
    QVERIFY(!check_options(options(1.5)).ok());
    BpeOptions bpe;
    QVERIFY(check_options(bpe).ok());
    bpe.vocab = 256;
    QVERIFY(!check_options(bpe).ok());
  }

  void trained_tokenizer_round_trips() {
    const QTemporaryDir folder;
    const auto tokenizer = read_tokenizer(write(folder, "tokenizer.json", trained_on(1500, 1024)));
    QVERIFY2(tokenizer.ok(), tokenizer.ok() ? "" : tokenizer.error().message.c_str());
    const Tokenizer& t = **tokenizer;
    QCOMPARE(t.vocab_size(), std::int64_t{1024});
    QCOMPARE(t.id_of("<|end|>"), std::optional<std::int32_t>(0));
    QVERIFY(t.is_special(0));
    for (std::uint64_t i = 2000; i < 2200; ++i) {
      const std::string text = generate_example(options(), i).text();
      QCOMPARE(t.decode(t.encode(text)), text);
    }
    for (const std::string text :
         {"", " ", "Zürich's 日本語 🙂\n\t x", "1234567890", "   spaces   ", "don't"})
      QCOMPARE(t.decode(t.encode(text)), text);
    QCOMPARE(t.encode("<|end|>"), std::vector<std::int32_t>{0});
    // Digits stand apart, the first one with its space.
    QCOMPARE(t.encode(" 4096").size(), std::size_t{4});
    for (std::int32_t id = 1; id < t.vocab_size(); ++id) {
      const std::string piece = t.piece(id);
      const auto digits =
          std::count_if(piece.begin(), piece.end(), [](char c) { return c >= '0' && c <= '9'; });
      QVERIFY2(digits == 0 || piece.size() <= 2, piece.c_str());
    }
  }

  void hard_solutions_are_long_enough_to_matter() {
    const QTemporaryDir folder;
    const auto tokenizer = read_tokenizer(write(folder, "tokenizer.json", trained_on(1500, 1024)));
    QVERIFY(tokenizer.ok());
    GeneratorOptions hard = options().problems;
    hard.min_steps = hard.max_steps = 8;
    std::vector<std::size_t> lengths;
    for (std::uint64_t i = 0; i < 200; ++i)
      lengths.push_back((*tokenizer)->encode(generate_problem(hard, i).solution).size());
    std::sort(lengths.begin(), lengths.end());
    QVERIFY2(lengths[20] >= 150 && lengths.back() <= 400,
             qPrintable(
                 QString("%1 to %2 tokens, median %3").arg(lengths[0]).arg(lengths[199]).arg(lengths[100])));
  }

  void training_a_tokenizer_is_deterministic() {
    QCOMPARE(trained_on(100, 400), trained_on(100, 400));
    QCOMPARE(trained_on(100, 400), trained_on(100, 400, true));  // the order of the texts does not matter
  }

  void merges_take_the_most_frequent_pair_first() {
    BpeTrainer trainer;
    for (int i = 0; i < 3; ++i) trainer.add("abab");
    for (int i = 0; i < 5; ++i) trainer.add("cd");
    trainer.add("xy");  // once: below the least count
    BpeOptions bpe;
    bpe.vocab = 400;
    const QTemporaryDir folder;
    const auto tokenizer = read_tokenizer(write(folder, "tokenizer.json", trainer.train(bpe).json));
    QVERIFY(tokenizer.ok());
    const Tokenizer& t = **tokenizer;
    QCOMPARE(t.vocab_size(), std::int64_t{260});  // ab (6 times), cd (5), abab (3)
    QCOMPARE(t.piece(257), std::string("ab"));
    QCOMPARE(t.piece(258), std::string("cd"));
    QCOMPARE(t.piece(259), std::string("abab"));
    QCOMPARE(t.encode("ababcdxy"), (std::vector<std::int32_t>{259, 258, 'x' + 1, 'y' + 1}));
  }
};

QTEST_GUILESS_MAIN(TestCorpus)
#include "tst_corpus.moc"
