// The numbers behind the Throughput view's plots: rates, memory, the benchmark's table and ratio.
#include <cmath>

#include <QTest>

#include "ui/views/throughput_bench_plots.h"
#include "ui/views/throughput_live_plot.h"
#include "ui/views/throughput_memory_plot.h"

using namespace tandem::ui;

namespace {

/// The worked example of 16 layers, 8 KV heads of 64, 2 bytes; states of 32 x 64 x 64 at 2 bytes.
tandem::ModelInfo exampleModel(bool recurrent) {
  tandem::ModelInfo info;
  info.name = recurrent ? "student" : "teacher";
  for (int i = 0; i < 16; ++i) {
    tandem::LayerInfo layer;
    layer.mixer = recurrent ? tandem::MixerKind::DiscreteMamba2 : tandem::MixerKind::Attention;
    layer.cache_bytes_per_token = recurrent ? 0 : 2 * 8 * 64 * 2;
    layer.state_bytes = recurrent ? 32 * 64 * 64 * 2 : 0;
    info.layers.push_back(layer);
  }
  return info;
}

tandem::BenchBar bar(const char* model, const char* variant, int batch, double rate, double share) {
  tandem::BenchBar b;
  b.model = model;
  b.variant = variant;
  b.batch = batch;
  b.tokens_per_s = rate;
  b.tokens_per_s_min = rate * 0.9;
  b.tokens_per_s_max = rate * 1.1;
  b.prefill_s = 0.05;
  b.first_token_s = 0.052;
  b.step_p50_s = batch / rate;
  b.step_p95_s = 1.5 * batch / rate;
  b.flops_per_token = 2.5e6;
  b.bytes_per_step = 5e6;
  b.roofline_tokens_per_s = rate / share;
  b.roofline_share = share;
  b.processor_share = 0.99;
  b.bound = "bandwidth";
  b.weight_bytes = 4800000;
  b.cache_bytes = 1 << 20;
  return b;
}

std::shared_ptr<tandem::BenchReport> someReport() {
  auto report = std::make_shared<tandem::BenchReport>();
  report->device = "Test CPU, 1 thread";
  report->date_utc = "2025-01-31T12:00:00Z";
  report->options.batches = {1, 8};
  report->roofline = {20e9, 90e9, 1e11, 0, 32 << 20};
  report->complete = true;
  for (const int batch : report->options.batches)
    report->bars.push_back(bar("t", "private prefix", batch, 900.0 * batch, 0.3));
  for (const int batch : report->options.batches)
    report->bars.push_back(bar("t", "shared prefix", batch, 1000.0 * batch, 0.45));
  for (const int batch : report->options.batches)
    report->bars.push_back(bar("s", "recurrent", batch, 1500.0 * batch, 0.5));
  return report;
}

}  // namespace

class TestThroughputPlots : public QObject {
  Q_OBJECT
 private slots:
  void meanCoversTheLastSecond() {
    RateSeries series;
    for (int i = 1; i <= 40; ++i) series.add({0.1 * i, 0.1, i <= 20 ? 4 : 8, 100});
    QVERIFY(std::isnan(series.raw().first()));  // sampled from the prompt: no step of the model
    QCOMPARE(series.raw()[1], 40.0);
    QVERIFY(std::abs(series.mean()[19] - 40) < 1e-9);
    QVERIFY(std::abs(series.mean()[24] - 60) < 1e-9);  // half of the second at 40, half at 80
    QVERIFY(std::abs(series.mean().last() - 80) < 1e-9);
  }

  void problemsFollowEachOther() {
    RateSeries series;
    for (int problem = 0; problem < 3; ++problem)
      for (int i = 1; i <= 5; ++i) series.add({0.2 * i, 0.2, 1, 10});
    QCOMPARE(series.times().size(), 15);
    QVERIFY(std::is_sorted(series.times().begin(), series.times().end()));
    QVERIFY(std::abs(series.times().last() - 3) < 1e-9);
    for (const double rate : series.mean()) QVERIFY(std::abs(rate - 5) < 1e-9);
  }

  void breakEvenByHand() {
    const auto tokens = breakEvenTokens(exampleModel(false), exampleModel(true));
    QVERIFY(tokens.has_value());
    QCOMPARE(*tokens, 128.0);
    QVERIFY(!breakEvenTokens(exampleModel(true), exampleModel(true)).has_value());
  }

  void memoryByHand() {
    const tandem::ModelInfo teacher = exampleModel(false);
    const tandem::ModelInfo student = exampleModel(true);
    const double token = 32 << 10;
    const double state = 4 << 20;
    QCOMPARE(memoryBytes(teacher, 1, 512, 128), 128 * token);
    QCOMPARE(memoryBytes(teacher, 64, 512, 612), (512 + 64 * 100) * token);  // the prompt once
    QCOMPARE(memoryBytes(teacher, 64, 512, 100), 100 * token);
    QCOMPARE(memoryBytes(student, 1, 512, 7), state);
    QCOMPARE(memoryBytes(student, 64, 512, 4000), 65 * state);  // and the prompt's own
  }

  void breakEvenIsLabelled() {
    ThroughputMemoryPlot plot;
    plot.setModel(Side::Teacher, exampleModel(false));
    plot.setModel(Side::Student, exampleModel(true));
    QStringList labels;
    for (int i = 0; i < plot.itemCount(); ++i)
      if (const auto* label = qobject_cast<QCPItemText*>(plot.item(i))) labels << label->text();
    QVERIFY(labels.contains(QStringLiteral("break-even 128 tokens")));
  }

  void memoryOfOtherModelsIsNamed() {
    const auto report = someReport();
    report->memory = {{"s", "recurrent", 8, 100, 1 << 20}, {"s", "recurrent", 8, 200, 1 << 29}};
    const auto drawn = [&](const tandem::ModelInfo& student) {
      ThroughputMemoryPlot plot;
      plot.resize(600, 400);
      plot.setModel(Side::Student, student);
      plot.setReport(report);
      QStringList labels;
      for (int i = 0; i < plot.itemCount(); ++i)
        if (const auto* label = qobject_cast<QCPItemText*>(plot.item(i))) labels << label->text();
      return std::pair(plot.yAxis->range().upper, labels);
    };
    tandem::ModelInfo student = exampleModel(true);
    const auto [upper, labels] = drawn(student);
    QVERIFY(upper >= 512);  // MiB
    QVERIFY(labels.contains(QStringLiteral("s")));
    student.name = "s";  // its own curve has a label already
    QVERIFY(!drawn(student).second.contains(QStringLiteral("s")));
  }

  void seriesKeepModelsApart() {
    const auto report = someReport();
    const auto series = benchSeries(*report);
    QCOMPARE(series.size(), 3);
    QCOMPARE(series[0].style.side, Side::Teacher);
    QVERIFY(series[0].style.privatePrefix && !series[1].style.privatePrefix);
    QCOMPARE(series[2].style.side, Side::Student);
    QCOMPARE(series[2].bars.size(), 2);
    QCOMPARE(benchSide(*report, "t"), Side::Teacher);
    QCOMPARE(benchSide(*report, "s"), Side::Student);
  }

  void ratioAlwaysShowsBothShares() {
    const auto report = someReport();
    const QString text = ratioText(*report, 8);
    QVERIFY(text.contains(QStringLiteral("1.50")));
    QVERIFY(text.contains(QStringLiteral("Student 50 %")) && text.contains(QStringLiteral("Teacher 45 %")));
    report->bars[3].skipped = "needs 9.9 GiB";  // the teacher's shared prefix at batch 8
    QVERIFY(ratioText(*report, 8).startsWith(QStringLiteral("No ratio at batch 8")));
    QVERIFY(ratioText(*report, 64).startsWith(QStringLiteral("No ratio at batch 64")));
  }

  void severalModelsAreNamed() {
    const auto report = someReport();
    for (const int batch : report->options.batches)
      report->bars.push_back(bar("s", "recurrent, replayed state writes", batch, 1800.0 * batch, 0.6));
    auto series = benchSeries(*report);
    QCOMPARE(series[3].style.label, QStringLiteral("Student, recurrent, replayed state writes"));
    QVERIFY(series[3].style.replayed && !series[3].style.isMain() && series[2].style.isMain());
    QStringList lines = ratioText(*report, 8).split(QLatin1Char('\n'));
    QCOMPARE(lines.size(), 2);
    QVERIFY(lines[1].startsWith(QStringLiteral("Batch 8: Student, replayed state writes, ÷ Teacher = 1.80")));
    for (const int batch : report->options.batches)
      report->bars.push_back(bar("h", "hybrid, shared prefix", batch, 1200.0 * batch, 0.4));
    series = benchSeries(*report);
    QCOMPARE(series[0].style.label, QStringLiteral("t, private prefix"));
    QCOMPARE(series[2].style.label, QStringLiteral("s, recurrent"));
    QCOMPARE(series[4].style.label, QStringLiteral("h, hybrid, shared prefix"));
    QVERIFY(series[4].style.mark().shape() != series[2].style.mark().shape());
    lines = ratioText(*report, 8).split(QLatin1Char('\n'));
    QVERIFY(lines.last().startsWith(QStringLiteral("Batch 8: h ÷ t = 1.20")));
    QVERIFY(lines.last().contains(QStringLiteral("h 40 %, t 45 %")));
  }

  void plannedMemoryIsShown() {
    const auto report = someReport();
    QVERIFY(benchTypes(*report).isEmpty());
    report->fits.resize(1);
    tandem::BenchFit& fit = report->fits.front();
    fit.model = "t";
    fit.variant = "private prefix";
    fit.weights = "bf16";
    fit.random_weights = true;
    fit.free_bytes = std::int64_t{1} << 40;
    fit.largest_batch = 777;
    report->bars[1].skipped = "needs 9.9 GiB";
    report->bars[1].memory_bytes = std::int64_t{10} << 30;
    const PlotTable files = benchTable(*report, true);
    const auto memory = files.headers.indexOf(QStringLiteral("memory, planned (bytes)"));
    QCOMPARE(files.rows[1][memory], QStringLiteral("10737418240"));
    QVERIFY(files.rows[2][memory].isEmpty());
    QCOMPARE(files.rows[1][memory + 1], QStringLiteral("777"));
    QVERIFY(files.rows[2][memory + 1].isEmpty());  // of a variant without a plan
    QVERIFY(benchTable(*report, false).rows[1].contains(QStringLiteral("777")));
    QCOMPARE(benchTypes(*report), QStringLiteral("Weights in bf16, caches in f32, states in f32.  "
                                                 "Random weights in the shape of: t."));
  }

  void disturbanceIsSaid() {
    const auto report = someReport();
    QVERIFY(benchDisturbance(*report).isEmpty());
    report->bars[2].processor_share = 0.6;
    QVERIFY(benchDisturbance(*report).contains(QStringLiteral("up to 40 %")));
    report->bars[2].processor_share = 0;  // not measured, on a device
    QVERIFY(benchDisturbance(*report).isEmpty());
  }

  void tableHasEveryBar() {
    const auto report = someReport();
    report->bars[1].skipped = "needs 9.9 GiB";
    const PlotTable files = benchTable(*report, true);
    QCOMPARE(files.rows.size(), 6);
    for (const QStringList& row : files.rows) QCOMPARE(row.size(), files.headers.size());
    const auto column = files.headers.indexOf(QStringLiteral("decode, median (tokens/s)"));
    QCOMPARE(files.rows[0][column].toDouble(), 900.0);
    QCOMPARE(files.rows[1].last(), QStringLiteral("needs 9.9 GiB"));
    QVERIFY(files.rows[1][column].isEmpty());  // unknown, never 0
    const PlotTable shown = benchTable(*report, false);
    QCOMPARE(shown.rows[1][4], QStringLiteral("–"));
    QCOMPARE(shown.rows[0].size(), shown.headers.size());
  }

  void sweepMarksWhatDidNotFitAndIsClickable() {
    auto report = someReport();
    report->bars[1].skipped = "needs 9.9 GiB";
    SweepPlot plot;
    plot.resize(600, 400);
    plot.setReport(report);
    plot.show();
    QVERIFY(QTest::qWaitForWindowExposed(&plot));
    plot.replot();
    int crosses = 0;
    for (int i = 0; i < plot.itemCount(); ++i)
      if (const auto* item = qobject_cast<QCPItemText*>(plot.item(i)))
        crosses += item->text() == QStringLiteral("✖");
    QCOMPARE(crosses, 1);
    int clicked = 0;
    connect(&plot, &SweepPlot::batchClicked, &plot, [&](int batch) { clicked = batch; });
    const int x = static_cast<int>(plot.xAxis->coordToPixel(8));
    QTest::mouseClick(&plot, Qt::LeftButton, {}, QPoint(x, plot.axisRect()->center().y()));
    QCOMPARE(clicked, 8);
    plot.setReport(nullptr);
    QCOMPARE(plot.plottableCount(), 0);
  }

  void rooflinePointsLieUnderTheirRoof() {
    RooflinePlot plot;
    plot.setReport(someReport());
    const PlotTable table = plot.table();
    QCOMPARE(table.rows.size(), 6);
    for (const QStringList& row : table.rows) {
      QCOMPARE(row[3].toDouble(), 2.5e6 * row[2].toInt() / 5e6);
      QVERIFY(row[4].toDouble() < row[5].toDouble());
    }
  }

  void liveFollowsAndFreezes() {
    ThroughputLivePlot plot;
    for (int i = 1; i <= 1000; ++i) plot.add(0, {0.1 * i, 0.1, 8, 100});
    plot.refresh();
    QVERIFY(std::abs(plot.xAxis->range().upper - 100) < 1e-6);
    QVERIFY(plot.xAxis->range().lower > 50);
    plot.setFrozen(true);
    for (int i = 1001; i <= 1100; ++i) plot.add(0, {0.1 * i, 0.1, 8, 100});
    plot.refresh();
    QVERIFY(std::abs(plot.xAxis->range().upper - 100) < 1e-6);      // the picture
    QVERIFY(std::abs(plot.series(0).times().last() - 110) < 1e-6);  // not the data
    plot.setFrozen(false);
    QVERIFY(std::abs(plot.xAxis->range().upper - 110) < 1e-6);
    plot.setFollowing(false);
    plot.add(0, {200, 0.1, 8, 100});
    plot.refresh();
    QVERIFY(std::abs(plot.xAxis->range().upper - 110) < 1e-6);
  }
};

QTEST_MAIN(TestThroughputPlots)
#include "tst_throughput_plots.moc"
