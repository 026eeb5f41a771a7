// Training batches: a pure function of the step, weighted by prompt and completion.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include <QTemporaryDir>
#include <QTest>

#include "core/base/file.h"
#include "core/corpus/bpe_trainer.h"
#include "core/training/batch.h"

using namespace tandem;
using namespace tandem::training;

class TestBatch : public QObject {
  Q_OBJECT

  std::shared_ptr<const Tokenizer> m_tokenizer;

  static corpus::CorpusOptions corpus_options() {
    corpus::CorpusOptions options;
    options.problems.seed = 4;
    options.direct_share = 0.3;
    return options;
  }
  static BatchSettings settings() {
    BatchSettings s;
    s.shape = {3, 400};  // long enough for several examples a row
    s.accumulate = 2;
    s.prompt_weight = 0.25;
    return s;
  }
  std::shared_ptr<const ExampleSource> corpus_examples() const {
    return std::make_shared<CorpusExamples>(corpus_options(), *m_tokenizer, 0);
  }
  BatchSource corpus_source() const { return {settings(), corpus_examples()}; }

 private slots:
  void initTestCase() {
    corpus::BpeTrainer trainer;
    for (std::uint64_t i = 0; i < 200; ++i) trainer.add(generate_example(corpus_options(), i).text());
    corpus::BpeOptions options;
    options.vocab = 400;
    const std::string json = trainer.train(options).json;
    const std::string_view part = json;
    const QTemporaryDir folder;
    const std::string path = folder.filePath("tokenizer.json").toStdString();
    QVERIFY(write_file(path, std::span(&part, 1)).ok());
    const auto tokenizer = read_tokenizer(path);
    QVERIFY(tokenizer.ok());
    m_tokenizer = *tokenizer;
  }

  void rows_hold_whole_examples_back_to_back() {
    const BatchSource source = corpus_source();
    const std::vector<Batch> batches = source.update(5);
    QCOMPARE(batches.size(), std::size_t{2});
    QCOMPARE(source.tokens_per_update(), std::int64_t{2 * 3 * 400});
    std::set<std::string> rows;
    for (const Batch& batch : batches)
      for (std::size_t r = 0; r < 3; ++r) {
        const std::vector<std::int32_t> ids(batch.ids.begin() + static_cast<std::ptrdiff_t>(400 * r),
                                            batch.ids.begin() + static_cast<std::ptrdiff_t>(400 * (r + 1)));
        const std::string text = m_tokenizer->decode(ids, true);
        QVERIFY2(text.starts_with("Problem: "), text.c_str());
        QVERIFY2(text.find(".<|end|>Problem:") != std::string::npos, text.c_str());
        rows.insert(text);
      }
    QCOMPARE(rows.size(), std::size_t{6});  // all different
  }

  void targets_and_weights_belong_to_the_next_token() {
    const BatchSource source = corpus_source();
    const std::vector<Batch> batches = source.update(0);
    double sum = 0;
    for (const Batch& batch : batches) {
      for (std::size_t i = 0; i + 1 < batch.ids.size(); ++i)
        if ((i + 1) % 400 != 0) QCOMPARE(batch.targets[i], batch.ids[i + 1]);
      sum += std::accumulate(batch.weights.begin(), batch.weights.end(), 0.0);
    }
    QVERIFY(std::abs(sum - 1) < 1e-4);
    // In the first row: the prompt's weight up to the prompt's end, four times that from there to the end
    // token.
    const corpus::Example first = generate_example(corpus_options(), 0);
    const std::size_t prompt = m_tokenizer->encode(first.prompt()).size();
    const std::size_t whole = m_tokenizer->encode(first.text()).size();
    const std::vector<float>& weights = batches.front().weights;
    for (std::size_t target = 1; target <= whole; ++target) {
      const float expected = weights[0] * (target < prompt ? 1.0F : 4.0F);
      QVERIFY(std::abs(weights[target - 1] - expected) < 1e-9F);
    }
    QCOMPARE(batches.front().targets[whole - 1], 0);  // the end token
    QCOMPARE(weights[whole], weights[0]);             // then the next problem's prompt
  }

  void a_batch_depends_on_the_step_alone() {
    const BatchSource source = corpus_source();
    const std::vector<Batch> once = source.update(7);
    source.update(8);
    const std::vector<Batch> again = corpus_source().update(7);
    QCOMPARE(again[1].ids, once[1].ids);
    QCOMPARE(again[1].weights, once[1].weights);
    QVERIFY(source.update(8)[0].ids != once[0].ids);
  }

  void results_of_calculations_weigh_what_is_asked_and_change_no_token() {
    BatchSettings heavy = settings();
    heavy.result_weight = 5;
    const Batch plain = corpus_source().update(0).front();
    const Batch weighted = BatchSource(heavy, corpus_examples()).update(0).front();
    QCOMPARE(weighted.ids, plain.ids);
    // Every target between "=" and the next token without digits weighs five times what the end token does.
    const auto is_digit = [&](std::size_t i) {
      const std::string piece = m_tokenizer->piece(weighted.targets[i]);
      return !piece.empty() && piece.back() >= '0' && piece.back() <= '9';
    };
    const auto end = std::find(weighted.targets.begin(), weighted.targets.end(), 0);
    const float unit = weighted.weights[static_cast<std::size_t>(end - weighted.targets.begin())];
    std::size_t results = 0;
    for (std::size_t i = 0; i < weighted.targets.size(); ++i) {
      if (weighted.weights[i] < 2 * unit) continue;
      QVERIFY(is_digit(i));
      QVERIFY(std::abs(weighted.weights[i] - 5 * unit) < 1e-3F * unit);
      ++results;
    }
    QVERIFY(results > 10);
  }

  void outcomes_belong_to_the_tokens_of_completions() {
    const std::vector<SampledCompletion> sampled = {{"What is 1 + 1?", " It is 2.", true, true},
                                                    {"What is 1 + 1?", " It must be 3 or so", false, false}};
    PromptFormat prompt;
    prompt.template_text = "Problem: {question}\nAnswer:";
    BatchSettings outcomes = settings();
    outcomes.target = Target::Outcome;
    const auto examples = std::make_shared<SampledExamples>(sampled, prompt, *m_tokenizer, 0, 3);
    const Batch batch = BatchSource(outcomes, examples).update(0).front();
    QCOMPARE(batch.targets.size(), batch.ids.size());
    // Tokens of the prompt have no weight, all others the same; what is wrong has no end token here.
    const std::size_t asked = m_tokenizer->encode(prompt.apply(sampled[0].question)).size();
    std::set<bool> seen;
    const float weight = *std::max_element(batch.weights.begin(), batch.weights.end());
    QVERIFY(weight > 0);
    for (std::size_t i = 0; i < 300;) {
      const std::size_t begin = i + asked;
      const bool correct = batch.targets[begin] == 1;
      const std::size_t length = m_tokenizer->encode(sampled[correct ? 0 : 1].text, false).size();
      const std::size_t end = begin + length + (correct ? 1 : 0);
      for (; i < end; ++i) {
        QCOMPARE(batch.targets[i], correct ? 1 : 0);
        QCOMPARE(batch.weights[i], i < begin ? 0.0F : weight);
      }
      QCOMPARE(batch.ids[end - 1] == 0, correct);
      seen.insert(correct);
    }
    QCOMPARE(seen.size(), std::size_t{2});
  }
};

QTEST_GUILESS_MAIN(TestBatch)
#include "tst_batch.moc"
