// Models that go on from another: fine-tuning takes over weights and files, a verifier learns which
// completions are right, resumes bit for bit, opens as a model and scores as a slow computation does.
#include <algorithm>
#include <cmath>

#include <QDir>
#include <QFile>
#include <QTemporaryDir>
#include <QTest>

#include "core/checkpoint/checkpoint.h"
#include "core/jobs/evaluate.h"
#include "core/jobs/score.h"
#include "core/training/train.h"
#include "core/training/trainable_model.h"
#include "tests/support/models.h"
#include "tests/support/session_fixture.h"

using namespace tandem;
using namespace tandem::training;
using namespace tandem::test;

namespace {

constexpr const char* kStart = R"({
  "seed": 5,
  "model": {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 320, "hidden_size": 32,
            "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1,
            "head_dim": 16, "hidden_act": "silu", "rms_norm_eps": 1e-05, "rope_theta": 10000.0,
            "tie_word_embeddings": true, "max_position_embeddings": 512},
  "corpus": {"seed": 1, "max_steps": 2},
  "tokenizer": {"vocab": 320, "examples": 200},
  "stages": [{"goal": "tokens", "sequences": 2, "tokens": 64, "schedule": {"peak": 1e-2, "steps": 3}}]})";

/// Completions of one token each: none of them can be right. The test puts others in their place.
constexpr const char* kTuned = R"({
  "seed": 2, "start": "%1", "corpus": {"seed": 9, "max_steps": 2},
  "completions": {"model": "%1", "problems": 8, "per_problem": 4, "max_tokens": 1, "seed": 3},
  "stages": [{"goal": "%2", "sequences": 4, "tokens": 128, "schedule": {"peak": 1e-2, "steps": %3}}],
  "checkpoint_every": 4})";

constexpr const char* kOnCorpus = R"({
  "start": "%1", "corpus": {"seed": 9},
  "stages": [{"goal": "tokens", "sequences": 1, "tokens": 32, "schedule": {"peak": 0, "steps": 1}}]})";

Recipe recipe_of(const QString& text) {
  auto recipe = parse_recipe(text.toStdString(), "recipe.json");
  if (!recipe) qFatal("%s", recipe.error().message.c_str());
  return *std::move(recipe);
}

QByteArray bytes(const QString& path) {
  QFile file(path);
  return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
}

class Listener final : public TrainingObserver {
 public:
  Status on_update(const TrainingUpdate& update) override {
    losses.push_back(update.loss);
    if (std::ssize(losses) == stop_after) stop.request_stop();
    return {};
  }
  void on_sampled(std::int64_t done, std::int64_t problems) override { sampled = {done, problems}; }

  std::vector<double> losses;
  std::pair<std::int64_t, std::int64_t> sampled;
  std::int64_t stop_after = -1;
  std::stop_source stop;
};

/// In place of what was sampled: the corpus's solution, or a wrong answer without one.
void put_solutions_in(const QString& file) {
  const auto session = Session::open(file.toStdString());
  REQUIRE_OK(session);
  const std::int64_t run = (*session)->runs()->front().id;
  const auto problems = *(*session)->problems();
  for (std::size_t p = 0; p < problems.size(); ++p) {
    const auto rows = *(*session)->completions(run, problems[p].id);
    for (SessionCompletion row : rows) {
      const bool right = row.completion.index % 2 == 0;
      row.completion.text = right ? " " + problems[p].problem.solution : " The final answer is 1.";
      row.completion.finish = FinishReason::Eos;
      row.correct = judge(problems[p], row.completion).correct;
      QCOMPARE(row.correct, right);
      REQUIRE_OK((*session)->add_completion(row));
    }
  }
}

}  // namespace

class TestVerifier : public QObject {
  Q_OBJECT

  QTemporaryDir m_folder;
  std::vector<double> m_losses;  // of the latest run
  std::pair<std::int64_t, std::int64_t> m_sampled;

  QString path(const QString& name) const { return m_folder.filePath(name); }
  Recipe tuned(const char* goal, int steps) const {
    return recipe_of(QString(kTuned).arg(path("start"), goal).arg(steps));
  }

  Result<TrainingResult> run(const Recipe& recipe, const QString& folder, bool resume = false,
                             std::int64_t stop_after = -1) {
    Listener listener;
    listener.stop_after = stop_after;
    auto result =
        run_training(recipe, {folder.toStdString(), resume, 2}, listener, listener.stop.get_token());
    m_losses = listener.losses;
    m_sampled = listener.sampled;
    return result;
  }
  /// A folder whose run has sampled, and found nothing right until the solutions were put in.
  void prepare(const Recipe& recipe, const QString& folder) {
    const auto refused = run(recipe, folder);
    QVERIFY(!refused);
    QCOMPARE(refused.error().code, ErrorCode::InvalidArgument);
    QVERIFY2(refused.error().message.find("0 of 32 completions") != std::string::npos,
             refused.error().message.c_str());
    QCOMPARE(m_sampled, (std::pair<std::int64_t, std::int64_t>{8, 8}));
    put_solutions_in(folder + "/completions.tandem");
  }
  std::vector<SessionCompletion> completions(const QString& folder) const {
    const auto session = Session::open((folder + "/completions.tandem").toStdString(), true);
    return *(*session)->completions((*session)->runs()->front().id);
  }

 private slots:
  void initTestCase() {
    REQUIRE_OK(run(recipe_of(kStart), path("start")));
    prepare(tuned("outcome", 60), path("verifier"));
    REQUIRE_OK(run(tuned("outcome", 60), path("verifier"), true));
  }

  void a_verifier_tells_right_from_wrong() {
    QVERIFY(std::abs(m_losses.front() - std::log(2)) < 1e-6);  // no opinion at first
    QVERIFY2(m_losses.back() < 0.5, qPrintable(QString::number(m_losses.back())));
    const auto session = Session::open((path("verifier") + "/completions.tandem").toStdString());
    REQUIRE_OK(session);
    const auto verifier = open_model(path("verifier").toStdString());
    REQUIRE_OK(verifier);
    const auto scored = score_session(**verifier, **session, false, 2, [](const ScoreProgress&) {});
    REQUIRE_OK(scored);
    QCOMPARE(scored->scored, std::int64_t{32});
    int pairs = 0;
    int ordered = 0;  // pairs of a right and a wrong one in which the right one has the higher score
    const auto rows = completions(path("verifier"));
    for (const SessionCompletion& right : rows)
      for (const SessionCompletion& wrong : rows)
        if (right.correct && !wrong.correct) {
          ++pairs;
          ordered += *right.score > *wrong.score ? 1 : 0;
        }
    QCOMPARE(pairs, 16 * 16);
    QVERIFY2(ordered > 0.8 * pairs, qPrintable(QString::number(ordered)));
  }

  void scores_equal_a_slow_computation() {
    const auto verifier = open_model(path("verifier").toStdString());
    REQUIRE_OK(verifier);
    const auto config = read_model_config(path("verifier").toStdString());
    REQUIRE_OK(config);
    TrainableModel slow(*config);
    REQUIRE_OK(slow.read(**Checkpoint::open(path("verifier").toStdString())));
    const std::string question = "Ava has 3 pens and buys 4 more. How many pens does she have?";
    const std::vector<std::string> texts = {" She has 3 + 4 = 7. The final answer is 7.",
                                            " The final answer is 12.", " I do not know", ""};
    for (const int threads : {1, 3}) {
      Context context(threads);
      const auto scores = score_texts(**verifier, question, texts, context);
      for (std::size_t i = 0; i < texts.size(); ++i) {
        const Tokenizer& tokenizer = (*verifier)->tokenizer();
        const auto ids = tokenizer.encode((*verifier)->prompt().apply(question) + texts[i]);
        Context one;
        const TensorView all = slow.forward(one, {1, std::ssize(ids)}, ids);
        QCOMPARE(all.shape(), (Shape{std::ssize(ids), 1}));
        const double wanted = 1 / (1 + std::exp(-static_cast<double>(all.row(std::ssize(ids) - 1)[0])));
        QVERIFY(scores[i].has_value());
        QVERIFY2(std::abs(*scores[i] - wanted) < 1e-5,
                 qPrintable(QString("%1 %2").arg(*scores[i]).arg(wanted)));
      }
    }
    std::string endless;
    for (int i = 0; i < 600; ++i) endless += " 7";
    Context context;
    QVERIFY(!score_texts(**verifier, question, std::span(&endless, 1), context).front().has_value());
  }

  void a_stopped_verifier_resumes_bit_for_bit() {
    const Recipe recipe = tuned("outcome", 9);
    for (const char* folder : {"straight", "pieces"}) prepare(recipe, path(folder));
    REQUIRE_OK(run(recipe, path("straight"), true));
    for (const std::int64_t stop_after : {3, 2, -1}) {
      const auto result = run(recipe, path("pieces"), true, stop_after);
      REQUIRE_OK(result);
      QCOMPARE(result->finished, stop_after < 0);
    }
    for (const char* file : {"/model.safetensors", "/training.safetensors"})
      QCOMPARE(bytes(path("pieces") + file), bytes(path("straight") + file));
    QVERIFY(bytes(path("straight/model.safetensors")) != bytes(path("verifier/model.safetensors")));
  }

  void stopping_while_completions_are_sampled_is_no_error() {
    Listener listener;
    listener.stop.request_stop();
    const Recipe recipe = tuned("outcome", 9);
    const auto result =
        run_training(recipe, {path("early").toStdString(), false, 1}, listener, listener.stop.get_token());
    REQUIRE_OK(result);
    QVERIFY(!result->finished);
    const auto resumed = run(recipe, path("early"), true);  // goes on with the sampling
    QVERIFY(!resumed && resumed.error().message.find("0 of 32") != std::string::npos);
  }

  void a_verifier_is_a_model_in_the_public_format() {
    const auto checkpoint = Checkpoint::open(path("verifier").toStdString());
    REQUIRE_OK(checkpoint);
    QCOMPARE((*checkpoint)->shape("score.weight"), (std::vector<std::int64_t>{1, 32}));
    QVERIFY(!(*checkpoint)->contains("lm_head.weight"));
    const QByteArray config = bytes(path("verifier/config.json"));
    QVERIFY(config.contains("LlamaForSequenceClassification") && config.contains("id2label"));
    const auto model = open_model(path("verifier").toStdString());
    REQUIRE_OK(model);
    QVERIFY((*model)->info().is_verifier);
    QCOMPARE((*model)->info().outputs(), std::int64_t{1});
    Context context;
    const std::vector<std::int32_t> ids = {5, 6, 7};
    const auto captured = capture(**model, ids, {}, context);
    REQUIRE_OK(captured);
    QCOMPARE(captured->layers.size(), std::size_t{2});
    QCOMPARE(captured->logits.shape(), (Shape{3, 1}));
    const auto written = generate(**model, make_request(**model, (*model)->prompt(), "Why?"), context);
    QVERIFY(!written && written.error().code == ErrorCode::Unsupported);
    QVERIFY(written.error().message.find("is a verifier") != std::string::npos);
  }

  void right_completions_are_fine_tuned_on() {
    const Recipe recipe = tuned("tokens", 30);
    prepare(recipe, path("tuned"));
    REQUIRE_OK(run(recipe, path("tuned"), true));
    QVERIFY2(m_losses.back() < 0.5 * m_losses.front(), qPrintable(QString::number(m_losses.back())));
    REQUIRE_OK(open_model(path("tuned").toStdString()));
  }

  void fine_tuning_takes_over_every_family_data() { model_rows(); }
  void fine_tuning_takes_over_every_family() {
    QFETCH(QString, model);
    REQUIRE_OK(run(recipe_of(QString(kOnCorpus).arg(model)), path(model)));  // at a rate of 0
    const auto before = Checkpoint::open(bundled(model.toStdString())->info().path);
    const auto after = Checkpoint::open(path(model).toStdString());
    REQUIRE_OK(after);
    QCOMPARE((*after)->names(), (*before)->names());
    for (const TensorEntry* entry : (*before)->tensors()) {
      const auto old = (*before)->read(entry->name, entry->shape);
      const auto now = (*after)->read(entry->name, entry->shape);
      REQUIRE_OK(now);
      QCOMPARE(max_abs_error(*now, *old), 0.0);
    }
    const auto opened = open_model(path(model).toStdString());
    REQUIRE_OK(opened);
    QCOMPARE((*opened)->info().family, bundled(model.toStdString())->info().family);
    QCOMPARE((*opened)->prompt().template_text, bundled(model.toStdString())->prompt().template_text);
    QCOMPARE((*opened)->info().eos_ids, bundled(model.toStdString())->info().eos_ids);
  }

  void errors_are_named() {
    const auto message = [](const auto& result) { return result ? "ok" : result.error().message; };
    const QString no_llama = QString(kTuned).arg("seed-llamba", "outcome").arg(3);
    QVERIFY(message(run(recipe_of(no_llama), path("no llama"))).find("body is a Llama") != std::string::npos);
    const QString of_verifier = QString(kOnCorpus).arg(path("verifier"));
    QVERIFY(message(run(recipe_of(of_verifier), path("x"))).find("is a verifier") != std::string::npos);
    const auto session = Session::open((path("verifier") + "/completions.tandem").toStdString());
    REQUIRE_OK(session);
    QVERIFY(message(claim_scores(*bundled("seed-teacher"), **session, true)).find("a verifier is needed") !=
            std::string::npos);
    const auto straight = open_model(path("straight").toStdString());
    REQUIRE_OK(straight);
    QVERIFY(message(claim_scores(**straight, **session, false)).find("do not mix") != std::string::npos);
    const auto replaced = score_session(**straight, **session, true, 1, [](const ScoreProgress&) {});
    REQUIRE_OK(replaced);
    QCOMPARE(replaced->scored, std::int64_t{32});
  }

  void an_evaluation_scores_what_it_writes() {
    EvaluateRequest request;
    request.models = {bundled("seed-teacher")};
    request.set = some_problems(2);
    request.settings.completions = 3;
    request.settings.max_new_tokens = 6;
    request.settings.threads = 1;
    const auto session = Session::in_memory();
    REQUIRE_OK(evaluate(request, **session));
    const auto verifier = open_model(path("verifier").toStdString());
    REQUIRE_OK(verifier);
    request.verifier = *verifier;
    request.set = some_problems(3);  // two that are complete, without scores, and a new one
    REQUIRE_OK(evaluate(request, **session));
    const auto rows = *(*session)->completions((*session)->runs()->front().id);
    QCOMPARE(rows.size(), std::size_t{9});
    QVERIFY(std::all_of(rows.begin(), rows.end(), [](const SessionCompletion& row) {
      return row.score && *row.score >= 0 && *row.score <= 1;
    }));
    QVERIFY((*session)->notes()->at("verifier").find("verifier (sha256") == 0);
  }
};

QTEST_GUILESS_MAIN(TestVerifier)
#include "tst_verifier.moc"
