#include <cmath>

#include <nlohmann/json.hpp>

#include <QTest>

#include "core/devices/devices.h"
#include "core/jobs/bench.h"
#include "core/models/memory_plan.h"
#include "tests/support/models.h"

namespace {

using namespace tandem;

ModelInfo attention_model() {
  ModelInfo info;
  info.name = "hand";
  info.parameters = 1000;
  info.weight_bytes = 4096;  // padded when packed: 1024 floats
  LayerInfo layer;
  layer.nheads = 4;
  layer.nheads_kv = 2;
  layer.headdim = 8;
  layer.cache_bytes_per_token = 2 * 2 * 8 * 4;
  info.layers = {layer, layer};
  return info;
}

ModelInfo recurrent_model() {
  ModelInfo info = attention_model();
  for (LayerInfo& layer : info.layers) {
    layer.mixer = MixerKind::DiscreteMamba2;
    layer.dstate = 16;
    layer.cache_bytes_per_token = 0;
    layer.state_bytes = 4 * 8 * 16 * 4;
  }
  return info;
}

BenchOptions short_options() {
  BenchOptions options;
  options.prompt_tokens = 48;
  options.generated_tokens = 6;
  options.batches = {1, 4};
  options.repeats = 3;
  return options;
}

/// A report of nothing but the roofline, which takes seconds to measure.
const BenchReport& roofline_only() {
  static const BenchReport report = [] {
    BenchReport measured;
    Context context(1);
    measured.roofline = measure_roofline(context, /*with_bf16=*/false);
    return measured;
  }();
  return report;
}

std::vector<std::shared_ptr<const Model>> bundled_pair() {
  std::vector<std::shared_ptr<const Model>> models;
  for (const char* name : {"seed-teacher", "seed-llamba", "seed-hybrid"}) {
    auto model = open_model(name);
    if (!model) return {};
    models.push_back(*model);
  }
  return models;
}

class TestBench : public QObject {
  Q_OBJECT

 private slots:
  void costByHand_data() {
    QTest::addColumn<bool>("recurrent");
    QTest::addColumn<bool>("private_prefix");
    QTest::addColumn<double>("flops");
    QTest::addColumn<double>("bytes");
    QTest::addColumn<double>("working_set");
    // Batch 3, prompt 10, 4 generated. Matrices: 2 * 1000 flops a token, 4096 bytes. A token's keys and
    // values: 2 layers * 128 bytes = 256. Attention: 2 layers * 4 * 32 * 14. State: 2 layers * 5 * 32 * 16
    // flops, 2 * 2048 bytes.
    QTest::newRow("shared") << false << false << 3.0 * (2000 + 2 * 4 * 32 * 14)
                            << 4096.0 + 256 * (10 + 3 * 4) + 3 * 256 << 4096.0 + 256 * (10 + 3 * 4);
    QTest::newRow("private") << false << true << 3.0 * (2000 + 2 * 4 * 32 * 14)
                             << 4096.0 + 256 * 3 * 14 + 3 * 256 << 4096.0 + 256 * 3 * 14;
    QTest::newRow("recurrent") << true << false << 3.0 * (2000 + 2 * 5 * 32 * 16) << 4096.0 + 3 * 2 * 2 * 2048
                               << 4096.0 + 3 * 2 * 2048;
  }
  void costByHand() {
    QFETCH(bool, recurrent);
    QFETCH(bool, private_prefix);
    const DecodeCost cost =
        decode_cost(recurrent ? recurrent_model() : attention_model(), DType::F32,
                    {.batch = 3, .prompt = 10, .generated = 4, .private_prefix = private_prefix});
    QTEST(cost.flops, "flops");
    QTEST(cost.bytes, "bytes");
    QTEST(cost.working_set_bytes, "working_set");
  }

  void replayedWritesCostLess() {
    // A window of 100 bytes, a state of 4 * 8 * 16 entries, 32 bytes of inputs a step; written every 4 steps.
    ModelInfo info = recurrent_model();
    for (LayerInfo& layer : info.layers) {
      layer.state_bytes += 100;
      layer.replay_bytes = 32;
    }
    const auto moved = [&](const StateStorage& storage) {
      return decode_cost(info, DType::F32, {.batch = 1, .prompt = 10, .generated = 4, .storage = storage})
                 .bytes -
             4096;
    };
    QCOMPARE(moved({}), 2 * (2.0 * 100 + 2 * 2048));
    // The ring holds 0, 1, 2 and 3 steps, and gets one at three of them.
    QCOMPARE(moved({.write_every = 4}), 2 * (2.0 * 100 + 2048 + 2048 / 4.0 + 32 * (0 + 1 + 2 + 3 + 3) / 4.0));
    QCOMPARE(moved({.states = DType::BF16}), 2 * (2.0 * 100 + 2 * 1024));
    info.layers.back().replay_bytes = 0;  // always written
    QCOMPARE(moved({.write_every = 4}),
             4.0 * 100 + 2048 + 2048 / 4.0 + 32 * (0 + 1 + 2 + 3 + 3) / 4.0 + 2 * 2048);
  }

  void transferSplitsAtTheCache() {
    Roofline roofline;
    roofline.cache_bytes = 100;
    roofline.cached_bytes_per_s = 50;
    roofline.memory_bytes_per_s = 10;
    QCOMPARE(roofline.transfer_s(80, 100), 80.0 / 50);                 // all of it stays
    QCOMPARE(roofline.transfer_s(400, 400), 100.0 / 50 + 300.0 / 10);  // a quarter stays
    QCOMPARE(roofline.transfer_s(800, 400), 200.0 / 50 + 600.0 / 10);  // read and written
    QCOMPARE(roofline.transfer_s(0, 400), 0.0);
  }

  void rooflineIsPlausible() {
    Context context(1);
    const Roofline roofline = measure_roofline(context, /*with_bf16=*/true);
    QVERIFY(roofline.cache_bytes >= 256 << 10);
    QVERIFY(roofline.memory_bytes_per_s > 1e8);
    QVERIFY(roofline.cached_bytes_per_s >= roofline.memory_bytes_per_s);
    QVERIFY(roofline.flops_per_s > 1e8);
    QVERIFY(roofline.bf16_flops_per_s > 1e8);
    QCOMPARE(measure_roofline(context, /*with_bf16=*/false).bf16_flops_per_s, 0.0);
  }

  void barsOfOneSitting() {
    const auto models = bundled_pair();
    QCOMPARE(models.size(), std::size_t{3});
    int last_done = -1;
    int last_total = 0;
    const auto report = bench(models, short_options(), [&](int done, int total, const std::string& what) {
      QVERIFY(done > last_done || what == "done");
      QVERIFY(!what.empty());
      last_done = done;
      last_total = total;
    });
    QVERIFY(report.ok());
    QVERIFY(report->complete);
    QCOMPARE(last_done, last_total);
    QCOMPARE(report->bars.size(), std::size_t{8});  // (2 + 1 + 1) variants, 2 batches
    const std::vector<std::string> variants = {"private prefix", "shared prefix", "recurrent",
                                               "hybrid, shared prefix"};
    for (std::size_t i = 0; i < report->bars.size(); ++i)
      checkBar(report->bars[i], variants[i / 2], i % 2 ? 4 : 1);
  }

  void memoryGrowsAsSizesSay() {
    const auto models = bundled_pair();
    BenchOptions options = short_options();
    options.repeats = 1;
    const auto report = bench(models, options, {}, {}, roofline_only());
    QVERIFY(report.ok());
    std::size_t points = 0;
    for (const MemoryPoint& point : report->memory) {
      const auto model = std::find_if(models.begin(), models.end(),
                                      [&](const auto& m) { return m->info().name == point.model; });
      const ModelInfo& info = (*model)->info();
      const std::int64_t batch = point.batch;
      if (point.variant == "one completion") {
        QCOMPARE(point.bytes, info.cache_bytes_per_token() * point.context + info.state_bytes());
      } else {
        const std::int64_t own = point.context - options.prompt_tokens;
        QCOMPARE(point.bytes, info.cache_bytes_per_token() * (options.prompt_tokens + batch * own) +
                                  info.state_bytes() * (batch + 1));
      }
      ++points;
    }
    QCOMPARE(points,
             models.size() * (3 + 6 + 6));  // prompts of 8, 16, 32; then 6 tokens; the batch's 6 tokens
  }

  void batchesThatDoNotFitAreSkipped() {
    const std::vector models = {test::bundled("seed-teacher"), test::bundled("seed-llamba")};
    BenchOptions options = short_options();
    options.repeats = 1;
    options.batches = {2, 1'000'000'000};
    const auto report = bench(models, options, {}, {}, roofline_only());
    QVERIFY(report.ok());
    QVERIFY(report->complete);
    QCOMPARE(report->fits.size(), std::size_t{3});
    for (std::size_t i = 0; i < 3; ++i) {
      const BenchFit& fit = report->fits[i];
      const ModelInfo& info = models[i / 2]->info();
      const BenchBar& ran = report->bars[2 * i];
      const BenchBar& skipped = report->bars[2 * i + 1];
      QCOMPARE(fit.model, ran.model);
      QCOMPARE(fit.variant, ran.variant);
      QCOMPARE(fit.weights, std::string("f32"));
      QCOMPARE(fit.parameters, info.parameters);
      QVERIFY(!fit.random_weights);
      QVERIFY(ran.skipped.empty() && ran.tokens_per_s > 0);
      QVERIFY(ran.memory_bytes >= fit.model_bytes + fit.prompt_bytes + 2 * info.state_bytes());
      QVERIFY2(skipped.skipped.ends_with(std::to_string(fit.largest_batch) + " fit"),
               skipped.skipped.c_str());
      QCOMPARE(skipped.tokens_per_s, 0.0);
      // As many as are planned for fit, and not one more.
      const StateShape shape = {48, fit.largest_batch, 6 + 3, ran.variant == "private prefix"};
      const auto usable = static_cast<std::int64_t>(kUsableMemory * static_cast<double>(fit.free_bytes));
      const std::int64_t needed = plan_memory(info, shape).running();
      QVERIFY(needed <= usable && needed + fit.completion_bytes > usable);
    }
    QVERIFY(report->fits[0].completion_bytes > report->fits[1].completion_bytes);
    QVERIFY(std::any_of(report->memory.begin(), report->memory.end(),
                        [](const MemoryPoint& point) { return point.batch == 2; }));
  }

  void furtherSittingsAddToAReport() {
    BenchOptions options = short_options();
    options.repeats = 1;
    const std::vector first = {test::bundled("seed-teacher")};
    const std::vector second = {test::bundled("seed-hybrid")};
    const auto earlier = bench(first, options, {}, {}, roofline_only());
    QVERIFY(earlier.ok());
    const auto both = bench(second, options, {}, {}, *earlier);
    QVERIFY(both.ok());
    QCOMPARE(both->bars.size(), std::size_t{6});
    QCOMPARE(both->bars[0].tokens_per_s, earlier->bars[0].tokens_per_s);
    QCOMPARE(both->bars[5].variant, std::string("hybrid, shared prefix"));
    QCOMPARE(both->fits.size(), std::size_t{3});
    QCOMPARE(both->roofline.flops_per_s, earlier->roofline.flops_per_s);
  }

  void randomWeightsAreMeasuredToo() {
    const auto model = random_model(TANDEM_TEST_DATA "/models/hybrid-mamba1");
    QVERIFY(model.ok());
    const auto report = bench(std::vector{*model}, short_options(), {}, {}, roofline_only());
    QVERIFY2(report.ok(), report.ok() ? "" : report.error().message.c_str());
    QVERIFY(report->fits.front().random_weights);
    QCOMPARE(report->fits.front().parameters, (*model)->info().parameters);
    for (const BenchBar& bar : report->bars) QVERIFY(bar.tokens_per_s > 0);
  }

  void devicesAreAskedForMore() {
    QCOMPARE(default_bench_options(nullptr).batches, BenchOptions().batches);
    for (const auto& [name, device] : test::devices()) {
      if (device == nullptr) continue;
      const BenchOptions options = default_bench_options(device);
      QCOMPARE(options.prompt_tokens, std::int64_t{512});
      QCOMPARE(options.generated_tokens + 3, std::int64_t{512});  // so the bundled models read it
      QCOMPARE(options.batches.back(), 1024);
    }
  }

  void stopKeepsWhatWasMeasured() {
    const auto models = bundled_pair();
    std::stop_source stop;
    const auto report = bench(
        std::span(models).first(1), short_options(),
        [&](int done, int, const std::string&) {
          if (done == 3) stop.request_stop();
        },
        stop.get_token(), roofline_only());
    QVERIFY(report.ok());
    QVERIFY(!report->complete);
    QCOMPARE(report->bars.size(), std::size_t{3});

    std::stop_source at_once;
    at_once.request_stop();
    const auto nothing = bench(std::span(models).first(1), short_options(), {}, at_once.get_token());
    QVERIFY(!nothing.ok());
    QCOMPARE(nothing.error().code, ErrorCode::Cancelled);
  }

  void refusesBadOptions_data() {
    QTest::addColumn<int>("prompt");
    QTest::addColumn<int>("generated");
    QTest::addColumn<int>("batch");
    QTest::addColumn<int>("repeats");
    QTest::addColumn<int>("threads");
    QTest::addColumn<ErrorCode>("code");
    QTest::newRow("prompt") << 0 << 4 << 1 << 1 << 1 << ErrorCode::InvalidArgument;
    QTest::newRow("generated") << 4 << 0 << 1 << 1 << 1 << ErrorCode::InvalidArgument;
    QTest::newRow("batch") << 4 << 4 << 0 << 1 << 1 << ErrorCode::InvalidArgument;
    QTest::newRow("repeats") << 4 << 4 << 1 << 0 << 1 << ErrorCode::InvalidArgument;
    QTest::newRow("threads") << 4 << 4 << 1 << 1 << 0 << ErrorCode::InvalidArgument;
    QTest::newRow("context") << 1000 << 24 << 1 << 1 << 1
                             << ErrorCode::OutOfRange;  // 1024, and a warm-up token
  }
  void refusesBadOptions() {
    QFETCH(int, prompt);
    QFETCH(int, generated);
    QFETCH(int, batch);
    QFETCH(int, repeats);
    QFETCH(int, threads);
    QFETCH(ErrorCode, code);
    BenchOptions options;
    options.prompt_tokens = prompt;
    options.generated_tokens = generated;
    options.batches = {batch};
    options.repeats = repeats;
    options.threads = threads;
    const auto models = bundled_pair();
    const auto report = bench(std::span(models).first(1), options);
    QVERIFY(!report.ok());
    QCOMPARE(report.error().code, code);
    QCOMPARE(bench({}, {}).error().code, ErrorCode::InvalidArgument);
    BenchOptions narrow = short_options();
    narrow.storage.states = DType::BF16;  // not on the CPU
    QCOMPARE(bench(std::span(models).first(1), narrow).error().code, ErrorCode::Unsupported);
  }

  void jsonRoundTrip() {
    BenchReport report;
    report.device = "a device";
    report.date_utc = "2025-01-31T12:00:00Z";
    report.options.batches = {1, 8};
    report.options.seed = 18446744073709551615ULL;
    report.options.storage.states = DType::BF16;
    report.roofline.flops_per_s = 1.25e11;
    report.bars.resize(2);
    report.bars[0].model = "m";
    report.bars[0].tokens_per_s = 0.1;
    report.bars[1].skipped = "needs 3.0 GiB";
    report.fits.resize(1);
    report.fits[0].random_weights = true;
    report.fits[0].largest_batch = 77;
    report.memory = {{"m", "recurrent", 8, 100, 12345678901}};
    report.complete = true;
    const std::string json = to_json(report);
    const auto back = bench_report_from_json(json);
    QVERIFY2(back.ok(), back.ok() ? "" : back.error().message.c_str());
    QCOMPARE(to_json(*back), json);
    QCOMPARE(back->options.seed, report.options.seed);
    QCOMPARE(back->bars[0].tokens_per_s, 0.1);
    QCOMPARE(back->memory[0].bytes, std::int64_t{12345678901});
    QCOMPARE(back->fits[0].largest_batch, std::int64_t{77});
    QVERIFY(back->options.storage == report.options.storage);

    // Sessions keep reports of versions that did not plan memory.
    auto older = nlohmann::json::parse(json);
    older.erase("fits");
    for (auto& bar : older["bars"]) bar.erase("memory_bytes");
    const auto read = bench_report_from_json(older.dump());
    QVERIFY2(read.ok(), read.ok() ? "" : read.error().message.c_str());
    QVERIFY(read->fits.empty());
  }

  void jsonErrorsNameTheField_data() {
    QTest::addColumn<QString>("from");
    QTest::addColumn<QString>("to");
    QTest::addColumn<QString>("named");
    QTest::newRow("missing") << "\"device\""
                             << "\"gadget\""
                             << "'device' is missing";
    QTest::newRow("type") << "\"batch\": 0"
                          << "\"batch\": \"0\""
                          << "'bars[0].batch' should be a whole number";
    QTest::newRow("nested") << "\"flops_per_s\": 0.0"
                            << "\"flops_per_s\": null"
                            << "'roofline.flops_per_s'";
    QTest::newRow("list") << "\"memory\": []"
                          << "\"memory\": {}"
                          << "'memory' should be a list";
    QTest::newRow("type's name") << "\"caches\": \"F32\""
                                 << "\"caches\": \"F16\""
                                 << "'options.caches' should be \"F32\" or \"BF16\", found \"F16\"";
    QTest::newRow("syntax") << "{"
                            << "["
                            << "not valid JSON";
  }
  void jsonErrorsNameTheField() {
    QFETCH(QString, from);
    QFETCH(QString, to);
    QFETCH(QString, named);
    BenchReport report;
    report.bars.resize(1);
    QString json = QString::fromStdString(to_json(report));
    const qsizetype at = json.indexOf(from);
    QVERIFY(at >= 0);
    json.replace(at, from.size(), to);
    const auto back = bench_report_from_json(json.toStdString());
    QVERIFY(!back.ok());
    QCOMPARE(back.error().code, ErrorCode::BadFormat);
    QVERIFY2(back.error().message.find(named.toStdString()) != std::string::npos,
             back.error().message.c_str());
  }

 private:
  static void checkBar(const BenchBar& bar, const std::string& variant, int batch) {
    QCOMPARE(bar.variant, variant);
    QCOMPARE(bar.batch, batch);
    QVERIFY(bar.skipped.empty());
    QVERIFY(bar.tokens_per_s_min > 0);
    QVERIFY(bar.tokens_per_s_min <= bar.tokens_per_s && bar.tokens_per_s <= bar.tokens_per_s_max);
    QVERIFY(bar.step_p50_s > 0 && bar.step_p50_s <= bar.step_p95_s);
    QVERIFY(bar.first_token_s > bar.prefill_s && bar.prefill_s > 0);
    QVERIFY(bar.processor_share > 0 && bar.processor_share < 1.05);
    QVERIFY(bar.bound == "arithmetic" || bar.bound == "bandwidth");
    QVERIFY(bar.cache_bytes > 0 && bar.weight_bytes > 0);
    QCOMPARE(bar.roofline_share, bar.tokens_per_s / bar.roofline_tokens_per_s);
    QVERIFY(bar.roofline_share > 0);
  }

 private slots:
  void runsOnADevice() {
    for (const auto& [name, device] : test::devices()) {
      if (device == nullptr) continue;
      const bool is_gpu = name != std::string_view("device");  // which replays states, as the host does not
      LoadOptions options;
      options.device = device;
      std::vector<std::shared_ptr<const Model>> models;
      for (const char* shape : {"llama3", is_gpu ? "llamba" : "hybrid-mamba1"}) {
        auto model = random_model(std::string(TANDEM_TEST_DATA "/models/") + shape, options);
        QVERIFY2(model.ok(), model.ok() ? "" : model.error().message.c_str());
        models.push_back(*model);
      }
      BenchOptions few = short_options();
      few.prompt_tokens = 8;
      few.batches = {1, 3};
      few.repeats = 1;
      if (is_gpu) few.storage = {.caches = DType::BF16, .states = DType::BF16};
      const auto report = bench(models, few, {}, {}, is_gpu ? roofline_only() : BenchReport());
      QVERIFY2(report.ok(), report.ok() ? "" : report.error().message.c_str());
      QCOMPARE(report->device, device_name(device, 1));
      QCOMPARE(report->bars.size(), std::size_t{is_gpu ? 8U : 6U});
      for (const BenchBar& bar : report->bars) QVERIFY(bar.tokens_per_s > 0 && bar.roofline_share > 0);
      QVERIFY(report->roofline.memory_bytes_per_s > 0 && report->roofline.flops_per_s > 0);
      if (is_gpu) {
        const BenchBar& written = report->bars[5];
        const BenchBar& replayed = report->bars[7];
        QCOMPARE(replayed.variant, std::string("recurrent, replayed state writes"));
        QCOMPARE(replayed.batch, written.batch);
        QVERIFY(replayed.cache_bytes > written.cache_bytes);
      }
      const std::vector mixed = {models.front(), test::bundled("seed-llamba")};
      const auto refused = bench(mixed, short_options());
      QVERIFY(!refused.ok() && refused.error().code == ErrorCode::InvalidArgument);
    }
  }
};

}  // namespace

QTEST_GUILESS_MAIN(TestBench)
#include "tst_bench.moc"
