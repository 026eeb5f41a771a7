// tandem-cli as a process: what it prints where, its exit codes, and a run that is killed and goes on.
#include <csignal>

#include <QFile>
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QProcess>
#include <QTemporaryDir>
#include <QTest>

#include "core/checkpoint/checkpoint.h"
#include "core/session/session.h"

namespace {

struct Outcome {
  int code = -1;
  QString out;
  QString err;
};

const QString kProgram = QStringLiteral(TANDEM_BIN "/tandem-cli");

Outcome cli(const QStringList& arguments) {
  QProcess process;
  process.start(kProgram, arguments);
  if (!process.waitForFinished(120000)) return {};
  return {process.exitStatus() == QProcess::NormalExit ? process.exitCode() : -1,
          QString::fromUtf8(process.readAllStandardOutput()),
          QString::fromUtf8(process.readAllStandardError())};
}

QJsonObject json(const Outcome& outcome) {
  return QJsonDocument::fromJson(outcome.out.toUtf8()).object();
}

/// Exit code and standard error must be these.
#define EXPECT_FAILURE(outcome, expected, sentence)                                    \
  do {                                                                                 \
    QVERIFY2((outcome).code == (expected), qPrintable((outcome).err + (outcome).out)); \
    QVERIFY2((outcome).err.contains(sentence), qPrintable((outcome).err));             \
    QCOMPARE((outcome).out, QString());                                                \
  } while (false)
#define EXPECT_SUCCESS(outcome) QVERIFY2((outcome).code == 0, qPrintable((outcome).err))

}  // namespace

class TestCli : public QObject {
  Q_OBJECT

  QTemporaryDir m_folder;
  QString path(const char* name) const { return m_folder.filePath(name); }

  /// evaluate with short completions: seconds on a busy machine.
  QStringList evaluation(const QString& session, int problems, int maxTokens = 8) const {
    return {"evaluate",
            "--model",
            "seed-teacher",
            "--model",
            "seed-llamba",
            "--completions",
            "3",
            "--max-tokens",
            QString::number(maxTokens),
            "--threads",
            "1",
            "--limit",
            QString::number(problems),
            "--session",
            session};
  }

 private slots:
  void versionAndHelp() {
    Outcome outcome = cli({"--version"});
    EXPECT_SUCCESS(outcome);
    QVERIFY(outcome.out.startsWith("tandem-cli "));
    outcome = cli({"--help"});
    EXPECT_SUCCESS(outcome);
    for (const char* command :
         {"info", "run", "evaluate", "coverage", "capture", "grade", "bench", "session"})
      QVERIFY2(outcome.out.contains(command), command);
  }

  void usageErrors_data() {
    QTest::addColumn<QStringList>("arguments");
    QTest::addColumn<QString>("sentence");
    QTest::newRow("no command") << QStringList{} << "A command is required";
    QTest::newRow("unknown command") << QStringList{"conquer"} << "conquer";
    QTest::newRow("unknown option") << QStringList{"info", "--colour"} << "--colour";
    QTest::newRow("no model") << QStringList{"evaluate", "--session", "a"} << "--model";
    QTest::newRow("no problem") << QStringList{"run", "--model", "seed-teacher"} << "--problem";
    QTest::newRow("no completions") << QStringList{"run", "--model",       "m", "--problem",
                                                   "p",   "--completions", "0"}
                                    << "--completions";
    QTest::newRow("not a number") << QStringList{"run", "--model", "m", "--problem", "p", "--seed", "x"}
                                  << "--seed";
    QTest::newRow("shard") << QStringList{"evaluate", "--model", "m", "--session", "s", "--shard", "3/2"}
                           << "0 <= I <= N";
    QTest::newRow("ids and text") << QStringList{"capture", "--model", "m",      "--out", "o",
                                                 "--ids",   "1",       "--text", "t"}
                                  << "--ids";
    QTest::newRow("csv and json") << QStringList{"coverage", "--session", "s", "--csv", "--json"} << "--csv";
    QTest::newRow("device") << QStringList{"run", "--model", "m", "--problem", "p", "--device", "cuda:99"}
                            << "there is no device cuda:99";
    QTest::newRow("session command") << QStringList{"session"} << "subcommand";
  }

  void usageErrors() {
    QFETCH(QStringList, arguments);
    QFETCH(QString, sentence);
    const Outcome outcome = cli(arguments);
    EXPECT_FAILURE(outcome, 2, sentence);
  }

  void failures_data() {
    QTest::addColumn<QStringList>("arguments");
    QTest::addColumn<QString>("sentence");
    QTest::newRow("model") << QStringList{"info", "no-such-model"} << "no-such-model";
    QTest::newRow("problems") << QStringList{"evaluate",       "--model",    "seed-teacher", "--session",
                                             path("x.tandem"), "--problems", "none.jsonl"}
                              << "none.jsonl";
    QTest::newRow("index") << QStringList{"run", "--model", "seed-teacher", "--set", "seed", "--index", "200"}
                           << "problems 0 to 199";
    QTest::newRow("context") << QStringList{"run", "--model",      "seed-teacher", "--problem",
                                            "p",   "--max-tokens", "2000"}
                             << "takes at most 1024";
    QTest::newRow("session") << QStringList{"coverage", "--session", path("none.tandem")} << "none.tandem";
    QTest::newRow("verify") << QStringList{"session", "verify", kProgram} << "not a Tandem session";
    QTest::newRow("merge") << QStringList{"session", "merge", "--out", path("o.tandem"), path("none.tandem")}
                           << "none.tandem";
    QTest::newRow("ids") << QStringList{"capture", "--model", "seed-teacher", "--ids",
                                        "1,5000",  "--out",   path("c")}
                         << "token id 5000";
    QTest::newRow("layer") << QStringList{"capture",  "--model", "seed-teacher", "--ids",  "1",
                                          "--layers", "17",      "--out",        path("c")}
                           << "17";
    QTest::newRow("vectors") << QStringList{"grade", "--vectors", "none.json"} << "none.json";
  }

  void failures() {
    QFETCH(QStringList, arguments);
    QFETCH(QString, sentence);
    const Outcome outcome = cli(arguments);
    EXPECT_FAILURE(outcome, 1, sentence);
    QVERIFY(outcome.err.startsWith("tandem-cli"));
  }

  void info() {
    Outcome outcome = cli({"info"});
    EXPECT_SUCCESS(outcome);
    QVERIFY(outcome.out.startsWith("pocket-teacher\npocket-llamba\npocket-hybrid\n"));
    QVERIFY(outcome.out.contains("seed-teacher\nseed-llamba\nseed-hybrid\n"));
    outcome = cli({"info", "seed-hybrid"});
    EXPECT_SUCCESS(outcome);
    QVERIFY2(outcome.out.contains("layers 1, 4 attention"), qPrintable(outcome.out));
    outcome = cli({"info", "seed-hybrid", "--json"});
    EXPECT_SUCCESS(outcome);
    const QJsonObject info = json(outcome);
    QCOMPARE(info["family"].toString(), QString("mamba_in_llama"));
    QCOMPARE(info["layers"].toArray().size(), 6);
    QVERIFY(info["config"].isObject());
    QCOMPARE(info["sha256"].toString().size(), 64);
  }

  void infoPlansMemory() {
    const Outcome outcome = cli({"info", "seed-hybrid", "--completions", "10", "--prompt-tokens", "100",
                                 "--max-tokens", "50", "--json"});
    EXPECT_SUCCESS(outcome);
    const QJsonObject info = json(outcome);
    const QJsonObject plan = info["plan"].toObject();
    const double cache = info["cache_bytes_per_token"].toDouble();
    const double state = info["state_bytes"].toDouble();
    QCOMPARE(plan["prompt_bytes"].toDouble(), 100 * cache + state);
    QCOMPARE(plan["completions_bytes"].toDouble(), 10 * (50 * cache + state));
    QVERIFY(plan["fits"].toBool());
    const Outcome text = cli({"info", "seed-hybrid"});
    QVERIFY2(text.out.contains("it fits"), qPrintable(text.out));
  }

  void devicesAreListedWithWhatIsMissing() {
    const QJsonObject list = json(cli({"devices", "--json"}));
    const QJsonObject first = list["devices"].toArray().first().toObject();
    QCOMPARE(first["id"].toString(), QString("cpu"));
    QVERIFY(first["free_bytes"].toDouble() > 0);
    const bool gpu = list["devices"].toArray().size() > 1;
    QCOMPARE(list["no_cuda"].toString().isEmpty(), gpu);
    QVERIFY(cli({"devices"}).out.contains("cpu"));
  }

  void aStudentTakesTheTeachersTokenizer() {
    const QString student = TANDEM_TEST_DATA "/models/llamba";
    QStringList run = {
        "run",       "--model", "seed-teacher",  "--model", student,        "--problem", "How many apples?",
        "--threads", "1",       "--completions", "1",       "--max-tokens", "3"};
    const Outcome outcome = cli(run);
    EXPECT_SUCCESS(outcome);
    QVERIFY2(outcome.out.contains("llamba #0: "), qPrintable(outcome.out));
    const QStringList alone = {
        "capture", "--model", student, "--ids", "1,2", "--out", path("alone.safetensors")};
    Outcome captured = cli(alone);
    EXPECT_FAILURE(captured, 1, "holds no tokenizer.json");
    const QString folder = TANDEM_TEST_DATA "/../../resources/models/seed-teacher";
    captured = cli(alone + QStringList{"--tokenizer", folder, "--attention-rope", "unscaled"});
    EXPECT_SUCCESS(captured);
    captured = cli(alone + QStringList{"--attention-rope", "some"});
    EXPECT_FAILURE(captured, 2, "some");
  }

  void runStreamsCompletions() {
    const Outcome outcome = cli({"run", "--model", "seed-teacher", "--set", "seed", "--index", "1",
                                 "--completions", "2", "--max-tokens", "10", "--threads", "1"});
    EXPECT_SUCCESS(outcome);
    QVERIFY2(outcome.out.contains("seed-teacher #0: ") && outcome.out.contains("seed-teacher #1: "),
             qPrintable(outcome.out));
    QVERIFY(outcome.out.contains("(length)"));
    QVERIFY(outcome.out.contains("tokens/s"));
  }

  void runOfOnesOwnProblemAsJson() {
    const Outcome outcome =
        cli({"run", "--model", "seed-teacher", "--model", "seed-hybrid", "--problem",
             "Ben has 2 apples. Ben buys 3 apples. How many apples does Ben have now?", "--answer", "5",
             "--completions", "2", "--threads", "1", "--together", "--json"});
    EXPECT_SUCCESS(outcome);
    const QJsonObject object = json(outcome);
    QCOMPARE(object["answer"].toString(), QString("5"));
    QCOMPARE(object["models"].toArray().size(), 2);
    for (const QJsonValue model : object["models"].toArray()) {
      QCOMPARE(model["completions"].toArray().size(), 2);
      QVERIFY(model["completions"][0].toObject()["correct"].isBool());
      QVERIFY(model["tokens_per_s"].toDouble() > 0);
    }
  }

  void anEvaluationAndWhatIsMadeOfIt() {
    const QString session = path("evaluation.tandem");
    Outcome outcome = cli(evaluation(session, 2));
    EXPECT_SUCCESS(outcome);
    QVERIFY2(outcome.out.contains("Coverage over 2 problems"), qPrintable(outcome.out));

    outcome = cli(evaluation(session, 2) << "--json");  // nothing is left to do
    EXPECT_SUCCESS(outcome);
    QCOMPARE(json(outcome)["problems_run"].toInt(-1), 0);
    QCOMPARE(json(outcome)["problems_skipped"].toInt(), 4);

    outcome = cli(evaluation(session, 2) << "--seed"
                                         << "5");
    EXPECT_FAILURE(outcome, 1, "seed 0 there, 5 asked for");

    outcome = cli({"coverage", "--session", session, "--k", "1,3", "--seconds", "0.001,60"});
    EXPECT_SUCCESS(outcome);
    QVERIFY2(outcome.out.contains("With 3 completions per problem"), qPrintable(outcome.out));
    QVERIFY(outcome.out.contains("With 60.0 s per problem"));
    outcome = cli({"coverage", "--session", session, "--k", "4"});
    EXPECT_FAILURE(outcome, 1, "k is 1 to 3");

    outcome = cli({"session", "verify", session, "--json"});
    EXPECT_SUCCESS(outcome);
    QVERIFY(json(outcome)["sound"].toBool());
  }

  void coveragePrintsTheSameNumbersAsCsvAndJson() {
    const QString session = path("numbers.tandem");
    EXPECT_SUCCESS(cli(evaluation(session, 2)));
    const QJsonObject report = json(cli({"coverage", "--session", session, "--json"}));
    QCOMPARE(report["k"].toArray(), (QJsonArray{1, 2, 3}));
    QCOMPARE(report["seconds"].toArray().size(), 60);
    const QStringList lines = cli({"coverage", "--session", session, "--csv"}).out.split('\n');
    QCOMPARE(lines.front(), QString("axis,at,model,measure,mean,low,high"));
    const QJsonObject curve = report["curves_k"][0].toObject();
    for (int i = 0; i < 3; ++i) {
      const QStringList fields = lines[1 + i].split(',');
      QCOMPARE(fields.size(), 7);
      QCOMPARE(fields[2], curve["model"].toString());
      QCOMPARE(fields[4].toDouble(), curve["mean"][i].toDouble());
    }
  }

  void benchPrintsBarsBesideTheRoofline() {
    const QStringList small = {"bench",     "--model", "seed-teacher", "--prompt", "8",     "--tokens", "2",
                               "--repeats", "1",       "--batches",    "1,2",      "--json"};
    const QString session = path("bench.tandem");
    const Outcome outcome = cli(small + QStringList{"--session", session});
    EXPECT_SUCCESS(outcome);
    const QJsonArray bars = json(outcome)["bars"].toArray();
    QCOMPARE(bars.size(), 4);  // two batches, shared and private
    for (const QJsonValue bar : bars) QVERIFY(bar["roofline_share"].toDouble() > 0);
    const auto stored = tandem::Session::open(session.toStdString(), true);
    QVERIFY(stored.ok());
    QCOMPARE(QString::fromStdString((*stored)->benchmarks()->front()) + "\n", outcome.out);
  }

  void benchMakesWeightsForAShape() {
    const QString file = path("bench.json");
    const QString shape = QStringLiteral(TANDEM_TEST_DATA "/models/llamba");
    const Outcome outcome = cli({"bench", "--shape", shape, "--prompt", "8", "--tokens", "2", "--repeats",
                                 "1", "--batches", "1", "--json", file});
    EXPECT_SUCCESS(outcome);
    QVERIFY(outcome.out.contains("Random weights in the shape of: llamba"));
    QFile written(file);
    QVERIFY(written.open(QIODevice::ReadOnly));
    const QJsonObject report = QJsonDocument::fromJson(written.readAll()).object();
    QCOMPARE(report["bars"].toArray().size(), 1);
    QVERIFY(report["fits"][0]["largest_batch"].toInteger() > 1);
    QVERIFY(cli({"bench", "--shape", "Llama-9"}).err.contains("MambaInLlama-3B"));
  }

  void shardsAreMerged() {
    const QStringList shards = {path("shard0.tandem"), path("shard1.tandem")};
    EXPECT_SUCCESS(cli(evaluation(shards[0], 3) << "--shard"
                                                << "1/2"));
    EXPECT_SUCCESS(cli(evaluation(shards[1], 3) << "--shard"
                                                << "2/2"));
    const QString merged = path("merged.tandem");
    EXPECT_SUCCESS(cli(QStringList{"session", "merge", "--out", merged} + shards));
    EXPECT_SUCCESS(cli({"session", "verify", merged}));
    QCOMPARE(json(cli({"coverage", "--session", merged, "--json"}))["problems"].toInt(), 3);
  }

  void aKilledEvaluationGoesOn() {
    const QString session = path("killed.tandem");
    const QStringList arguments = evaluation(session, 200, 60);
    QProcess process;
    process.start(kProgram, arguments);
    // Wait until some problems are committed, then kill without warning.
    const auto committed = [&session]() -> std::size_t {
      const auto reader = tandem::Session::open(session.toStdString(), true);
      if (!reader) return 0;
      const auto timings = (*reader)->timings(1);
      return timings ? timings->size() : 0;
    };
    QTRY_VERIFY_WITH_TIMEOUT(committed() >= 3, 60000);
    process.kill();
    QVERIFY(process.waitForFinished());
    QCOMPARE(process.exitStatus(), QProcess::CrashExit);

    EXPECT_SUCCESS(cli({"session", "verify", session}));
    const Outcome outcome = cli(evaluation(session, 4, 60) << "--json");
    EXPECT_SUCCESS(outcome);
    QVERIFY(json(outcome)["problems_skipped"].toInt() >= 3);
    EXPECT_SUCCESS(cli({"session", "verify", session}));
  }

  void anInterruptedEvaluationKeepsWhatIsFinished() {
    const QString session = path("interrupted.tandem");
    QProcess process;
    process.start(kProgram, evaluation(session, 200, 60));
    QTRY_VERIFY_WITH_TIMEOUT(QFile::exists(session), 30000);
    QTest::qWait(300);
    ::kill(static_cast<pid_t>(process.processId()), SIGINT);
    QVERIFY(process.waitForFinished(30000));
    QCOMPARE(process.exitStatus(), QProcess::NormalExit);
    QCOMPARE(process.exitCode(), 1);
    const QString err = QString::fromUtf8(process.readAllStandardError());
    QVERIFY2(err.contains("the same command goes on"), qPrintable(err));
    QVERIFY(!QFile::exists(session + "-wal"));
    EXPECT_SUCCESS(cli({"session", "verify", session}));
  }

  void captureWritesWhatTheModelComputed() {
    const QString file = path("capture.safetensors");
    Outcome outcome = cli({"capture", "--model", "seed-llamba", "--ids", "5,6,7", "--layers", "1,3",
                           "--heads", "2", "--out", file, "--json"});
    EXPECT_SUCCESS(outcome);
    QCOMPARE(json(outcome)["tensors"].toObject()["matrix.3"].toArray(), (QJsonArray{1, 3, 3}));
    const auto checkpoint = tandem::Checkpoint::open(file.toStdString());
    QVERIFY(checkpoint.ok());
    const std::vector<std::string> names = {"content.1", "content.3", "decay.1", "decay.3",  "ids",
                                            "input.1",   "input.3",   "logits",  "matrix.1", "matrix.3"};
    QCOMPARE((*checkpoint)->names(), names);
    QCOMPARE((*checkpoint)->shape("logits"), (std::vector<std::int64_t>{3, 103}));
    QCOMPARE((*checkpoint)->shape("input.1"), (std::vector<std::int64_t>{3, 128}));
    // The SSM matrix is decay times content, lower triangular.
    const std::int64_t shape[] = {1, 3, 3};
    const auto matrix = (*checkpoint)->read("matrix.1", shape);
    const auto decay = (*checkpoint)->read("decay.1", shape);
    const auto content = (*checkpoint)->read("content.1", shape);
    QVERIFY(matrix.ok() && decay.ok() && content.ok());
    for (int i = 0; i < 9; ++i) {
      const float product = decay->f32()[i] * content->f32()[i];
      QVERIFY(std::abs(matrix->f32()[i] - product) <= 1e-5F * (1 + std::abs(product)));
      if (i % 3 > i / 3) QCOMPARE(matrix->f32()[i], 0.0F);
    }
    outcome =
        cli({"capture", "--model", "seed-teacher", "--text", "Problem: Noah has 27 apples.", "--out", file});
    EXPECT_SUCCESS(outcome);
    QVERIFY(outcome.out.contains("matrix.5"));
    QVERIFY(!outcome.out.contains("decay"));
  }
};

QTEST_GUILESS_MAIN(TestCli)
#include "tst_cli.moc"
