// Recipes: what a good one says, and a sentence with the field's name for everything that is wrong.
#include <QDir>
#include <QTest>

#include "core/base/resources.h"
#include "core/training/recipe.h"

using namespace tandem;
using namespace tandem::training;

namespace {

const QByteArray kGood = R"({
  "seed": 7,
  "model": {"model_type": "llama"},
  "mamba": {"d_xb": 4},
  "teacher": "seed-teacher",
  "corpus": {"seed": 3, "min_steps": 3, "max_steps": 5, "direct_share": 0.5, "prompt_weight": 0.2},
  "stages": [
    {"goal": "matrices", "sequences": 2, "tokens": 64,
     "schedule": {"kind": "wsd", "peak": 0.01, "warmup": 2, "steps": 10, "decay_share": 0.3}},
    {"goal": "logits", "sequences": 4, "tokens": 32, "accumulate": 3,
     "schedule": {"peak": 0.002, "steps": 20},
     "optimizer": {"beta1": 0.8, "weight_decay": 0.1, "clip": 0}}],
  "checkpoint_every": 5, "precision": "f32"})";

const QByteArray kVerifier = R"({
  "start": "seed-teacher",
  "corpus": {"seed": 3},
  "completions": {"model": "seed-llamba", "problems": 20, "per_problem": 4, "temperature": 0.7,
                  "max_tokens": 90, "seed": 11},
  "stages": [{"goal": "outcome", "sequences": 2, "tokens": 64, "schedule": {"peak": 0.01, "steps": 10}}]})";

std::string refusal(const QByteArray& text) {
  const auto recipe = parse_recipe(text.toStdString(), "bad.json");
  return recipe ? "read without error" : recipe.error().message;
}

}  // namespace

class TestRecipe : public QObject {
  Q_OBJECT
 private slots:
  void reads_every_setting() {
    const auto recipe = parse_recipe(kGood.toStdString(), "good.json");
    QVERIFY2(recipe.ok(), recipe.ok() ? "" : recipe.error().message.c_str());
    QCOMPARE(recipe->seed, std::uint64_t{7});
    QVERIFY(recipe->config.find("\"llama\"") != std::string::npos);
    QVERIFY(recipe->mamba_config.find("\"d_xb\": 4") != std::string::npos);
    QCOMPARE(recipe->teacher, std::string("seed-teacher"));
    QCOMPARE(recipe->corpus.problems.seed, std::uint64_t{3});
    QCOMPARE(recipe->corpus.problems.min_steps, 3);
    QCOMPARE(recipe->corpus.problems.max_steps, 5);
    QCOMPARE(recipe->corpus.direct_share, 0.5);
    QCOMPARE(recipe->prompt_weight, 0.2);
    QCOMPARE(recipe->checkpoint_every, std::int64_t{5});
    QVERIFY(recipe->precision == Precision::F32);
    QCOMPARE(recipe->stages.size(), std::size_t{2});
    const Stage& first = recipe->stages[0];
    QVERIFY(first.goal == Goal::Matrices && first.schedule.kind == ScheduleKind::Wsd);
    QCOMPARE(first.schedule.decay_share, 0.3);
    QCOMPARE(first.accumulate, std::int64_t{1});
    QCOMPARE(first.optimizer.clip, 1.0);
    const Stage& second = recipe->stages[1];
    QVERIFY(second.goal == Goal::Logits && second.schedule.kind == ScheduleKind::Cosine);
    QCOMPARE(second.shape.rows(), std::int64_t{128});
    QCOMPARE(second.accumulate, std::int64_t{3});
    QCOMPARE(second.schedule.peak, 0.002);
    QCOMPARE(second.optimizer.beta1, 0.8);
    QCOMPARE(second.optimizer.beta2, 0.95);
    QCOMPARE(second.optimizer.weight_decay, 0.1);
    QCOMPARE(second.optimizer.clip, 0.0);
  }

  void names_what_is_wrong_data() {
    QTest::addColumn<QByteArray>("from");
    QTest::addColumn<QByteArray>("to");
    QTest::addColumn<QByteArray>("named");
    const auto row = [](const char* name, const char* from, const char* to, const char* named) {
      QTest::newRow(name) << QByteArray(from) << QByteArray(to) << QByteArray(named);
    };
    row("not JSON", "}]", "", "bad.json");
    row("misspelt setting", "\"clip\"", "\"clipp\"", "clipp");
    row("misspelt top-level setting", "\"checkpoint_every\"", "\"checkpoints\"", "checkpoints");
    row("no model", "\"model\": {\"model_type\": \"llama\"},", "", "'model'");
    row("unknown goal", "\"matrices\"", "\"matrixes\"", "goal");
    row("goal without teacher", "\"teacher\": \"seed-teacher\",", "", "teacher");
    row("unknown schedule", "\"wsd\"", "\"step\"", "kind");
    row("no peak", "\"peak\": 0.002, ", "", "peak");
    row("too many steps", "\"max_steps\": 5", "\"max_steps\": 9", "max_steps");
    row("crossed steps", "\"max_steps\": 5", "\"max_steps\": 2", "max_steps");
    row("share above one", "\"direct_share\": 0.5", "\"direct_share\": 1.5", "direct_share");
    row("no sequences", "\"sequences\": 4", "\"sequences\": 0", "stages[1]");
    row("warm-up longer than the stage", "\"warmup\": 2", "\"warmup\": 11", "warmup");
    row("unknown precision", "\"f32\"", "\"f16\"", "precision");
    row("text for a number", "\"seed\": 7", "\"seed\": \"7\"", "seed");
  }
  void names_what_is_wrong() {
    QFETCH(QByteArray, from);
    QFETCH(QByteArray, to);
    QFETCH(QByteArray, named);
    QVERIFY(kGood.contains(from));
    const auto recipe = parse_recipe(QByteArray(kGood).replace(from, to).toStdString(), "bad.json");
    QVERIFY(!recipe.ok());
    QCOMPARE(recipe.error().code, ErrorCode::BadFormat);
    QVERIFY2(recipe.error().message.starts_with("bad.json"), recipe.error().message.c_str());
    QVERIFY2(recipe.error().message.find(named.toStdString()) != std::string::npos,
             recipe.error().message.c_str());
  }

  void fine_tuning_and_verifiers_start_from_a_model() {
    const auto verifier = parse_recipe(kVerifier.toStdString(), "verifier.json");
    QVERIFY2(verifier.ok(), verifier.ok() ? "" : verifier.error().message.c_str());
    QCOMPARE(verifier->start, std::string("seed-teacher"));
    QVERIFY(verifier->config.empty() && verifier->completions && verifier->makes_verifier());
    const CompletionSettings& completions = *verifier->completions;
    QCOMPARE(completions.model, std::string("seed-llamba"));
    QCOMPARE(completions.problems, std::int64_t{20});
    QCOMPARE(completions.per_problem, std::int64_t{4});
    QCOMPARE(completions.temperature, 0.7);
    QCOMPARE(completions.max_tokens, std::int64_t{90});
    QCOMPARE(completions.seed, std::uint64_t{11});
    QCOMPARE(recipe_command(*verifier), "verifier");
    const auto tuned =
        parse_recipe(QByteArray(kVerifier).replace("outcome", "tokens").toStdString(), "sft.json");
    QVERIFY(tuned.ok());
    QCOMPARE(recipe_command(*tuned), "sft");
    QCOMPARE(recipe_command(*parse_recipe(kGood.toStdString(), "good.json")), "distil");
  }

  void parts_that_do_not_go_together_are_named_data() {
    QTest::addColumn<QByteArray>("from");
    QTest::addColumn<QByteArray>("to");
    QTest::addColumn<QByteArray>("named");
    const auto row = [](const char* name, const char* from, const char* to, const char* named) {
      QTest::newRow(name) << QByteArray(from) << QByteArray(to) << QByteArray(named);
    };
    row("no model at all", "\"start\": \"seed-teacher\",", "", "'start'");
    row("two models", "\"start\"", "\"model\": {}, \"start\"", "'model'");
    row("another mamba", "\"start\"", "\"mamba\": {}, \"start\"", "'mamba'");
    row("completions for a fresh model", "\"start\": \"seed-teacher\"", "\"model\": {}", "'completions'");
    row("verifier of a teacher", "\"start\"", "\"teacher\": \"seed-teacher\", \"start\"", "no teacher");
    row("a stage of another goal", "\"stages\": [",
        "\"stages\": [{\"goal\": \"tokens\", \"sequences\": 2, \"tokens\": 64, "
        "\"schedule\": {\"peak\": 0.1, \"steps\": 1}},",
        "outcome");
    row("unknown completion setting", "\"per_problem\"", "\"per_problems\"", "per_problems");
    row("no sampler", "\"model\": \"seed-llamba\", ", "", "completions: 'model'");
  }
  void parts_that_do_not_go_together_are_named() {
    QFETCH(QByteArray, from);
    QFETCH(QByteArray, to);
    QFETCH(QByteArray, named);
    QVERIFY(kVerifier.contains(from));
    const std::string message = refusal(QByteArray(kVerifier).replace(from, to));
    QVERIFY2(message.starts_with("bad.json") && message.find(named.toStdString()) != std::string::npos,
             message.c_str());
  }
  void an_outcome_needs_completions() {
    const auto begin = kVerifier.indexOf("\"completions\"");
    const auto end = kVerifier.indexOf("\"stages\"");
    const std::string message = refusal(QByteArray(kVerifier).remove(begin, end - begin));
    QVERIFY2(message.find("needs 'completions'") != std::string::npos, message.c_str());
  }

  void bundled_recipes_are_good() {
    const QDir folder(QString::fromStdString(resource_path("recipes")));
    const QStringList files = folder.entryList({"*.json"});
    QVERIFY(!files.isEmpty());
    for (const QString& file : files) {
      const auto recipe = read_recipe(folder.filePath(file).toStdString());
      QVERIFY2(recipe.ok(), recipe.ok() ? "" : recipe.error().message.c_str());
    }
    QCOMPARE(read_recipe("/no/such/recipe.json").error().code, ErrorCode::NotFound);
  }
};

QTEST_GUILESS_MAIN(TestRecipe)
#include "tst_recipe.moc"
