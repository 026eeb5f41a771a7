// AdamW against the formulas in double, clipping, freezing, its checkpoints; and learning-rate schedules.
#include <cmath>

#include <QTemporaryDir>
#include <QTest>

#include "core/base/random_stream.h"
#include "core/training/adamw.h"
#include "core/training/schedule.h"

using namespace tandem;
using namespace tandem::training;

namespace {

constexpr std::int64_t kRows = 37;
constexpr std::int64_t kCols = 131;  // not a whole number of vectors, more than one span

void fill(ParameterSet& set) {
  set.add({{"matrix", {kRows, kCols}}}, true);
  set.add({{"q", {3, 5}}, {"k", {2, 5}}}, true);
  set.add({{"norm", {kCols}}}, false);
  RandomStream random(1, 1);
  for (Parameter& p : set.all())
    for (std::int64_t i = 0; i < p.value.elements(); ++i)
      p.value.f32()[i] = static_cast<float>(random.normal());
}

void draw_gradients(ParameterSet& set, std::uint64_t step) {
  RandomStream random(2, step);
  for (Parameter& p : set.all())
    for (std::int64_t i = 0; i < p.gradient.elements(); ++i)
      p.gradient.f32()[i] = static_cast<float>(random.normal());
}

std::vector<double> values(const ParameterSet& set) {
  std::vector<double> list;
  for (const Parameter& p : set.all())
    for (std::int64_t i = 0; i < p.value.elements(); ++i)
      list.push_back(static_cast<double>(p.value.f32()[i]));
  return list;
}

}  // namespace

class TestOptimizer : public QObject {
  Q_OBJECT
 private slots:
  void follows_the_formulas() {
    ParameterSet set;
    fill(set);
    AdamWSettings settings;
    settings.weight_decay = 0.1;
    settings.clip = 5;
    AdamW optimizer(set, settings);
    Context context(2);
    std::vector<double> want = values(set);
    std::vector<double> m(want.size(), 0.0);
    std::vector<double> v(want.size(), 0.0);
    for (int step = 1; step <= 4; ++step) {
      draw_gradients(set, static_cast<std::uint64_t>(step));
      const double rate = 0.01 * step;
      std::vector<double> g;
      std::vector<bool> decays;
      double square = 0;
      for (const Parameter& p : set.all())
        for (std::int64_t i = 0; i < p.gradient.elements(); ++i) {
          g.push_back(static_cast<double>(p.gradient.f32()[i]));
          square += g.back() * g.back();
          decays.push_back(p.decays);
        }
      const double norm = optimizer.update(context, rate);
      QVERIFY(std::abs(norm - std::sqrt(square)) < 1e-5 * norm);
      for (std::size_t i = 0; i < want.size(); ++i) {
        const double clipped = g[i] * settings.clip / std::sqrt(square);
        m[i] = 0.9 * m[i] + 0.1 * clipped;
        v[i] = 0.95 * v[i] + 0.05 * clipped * clipped;
        const double mean = m[i] / (1 - std::pow(0.9, step));
        const double spread = std::sqrt(v[i] / (1 - std::pow(0.95, step))) + 1e-8;
        want[i] -= rate * ((decays[i] ? 0.1 * want[i] : 0) + mean / spread);
      }
      const std::vector<double> got = values(set);
      for (std::size_t i = 0; i < want.size(); ++i) QVERIFY(std::abs(got[i] - want[i]) < 1e-5);
    }
  }

  void does_not_clip_small_gradients_and_skips_bad_ones() {
    ParameterSet set;
    fill(set);
    AdamW optimizer(set, {});
    Context context;
    const std::vector<double> before = values(set);
    draw_gradients(set, 1);
    set.all()[0].gradient.f32()[7] = std::nanf("");
    QVERIFY(std::isnan(optimizer.update(context, 0.1)));
    QCOMPARE(values(set), before);
    QCOMPARE(optimizer.updates(), std::int64_t{0});
  }

  void frozen_parameters_stay() {
    ParameterSet set;
    fill(set);
    AdamW optimizer(set, {});
    Context context;
    draw_gradients(set, 1);
    set.all()[0].trainable = false;
    const Tensor frozen = set.all()[0].value.clone();
    const Tensor other = set.all()[2].value.clone();
    optimizer.update(context, 0.1);
    for (std::int64_t i = 0; i < frozen.elements(); ++i)
      QCOMPARE(set.all()[0].value.f32()[i], frozen.f32()[i]);
    QVERIFY(set.all()[2].value.f32()[0] != other.f32()[0]);
  }

  void resumes_bit_for_bit() {
    const QTemporaryDir folder;
    const std::string path = folder.filePath("state.safetensors").toStdString();
    Context context(2);
    ParameterSet straight;
    fill(straight);
    AdamW whole(straight, {});
    for (std::uint64_t step = 0; step < 3; ++step) {
      draw_gradients(straight, step);
      whole.update(context, 0.01);
    }
    std::vector<NamedTensor> tensors = straight.tensors();
    for (const NamedTensor& tensor : whole.tensors()) tensors.push_back(tensor);
    QVERIFY(write_safetensors(path, tensors).ok());

    ParameterSet resumed;
    fill(resumed);
    AdamW rest(resumed, {});
    const auto checkpoint = Checkpoint::open(path);
    QVERIFY(checkpoint.ok());
    QVERIFY((*checkpoint)->contains("k") && (*checkpoint)->contains("adam_v.k"));
    QVERIFY(read_tensors(**checkpoint, resumed.tensors()).ok());
    QVERIFY(rest.read(**checkpoint, 3).ok());
    draw_gradients(straight, 3);
    draw_gradients(resumed, 3);
    whole.update(context, 0.01);
    rest.update(context, 0.01);
    QCOMPARE(values(resumed), values(straight));
  }

  void cosine_schedule() {
    Schedule schedule;
    schedule.peak = 2;
    schedule.warmup = 10;
    schedule.steps = 110;
    schedule.final_share = 0.1;
    QCOMPARE(learning_rate(schedule, 0), 0.2);
    QCOMPARE(learning_rate(schedule, 9), 2.0);
    QCOMPARE(learning_rate(schedule, 10), 2.0);
    QVERIFY(std::abs(learning_rate(schedule, 60) - 1.1) < 1e-12);  // half way: the mean of 2 and 0.2
    QVERIFY(std::abs(learning_rate(schedule, 110) - 0.2) < 1e-12);
  }

  void warm_up_stable_decay_schedule() {
    Schedule schedule;
    schedule.kind = ScheduleKind::Wsd;
    schedule.peak = 2;
    schedule.warmup = 10;
    schedule.steps = 100;
    schedule.final_share = 0;
    schedule.decay_share = 0.2;
    QCOMPARE(learning_rate(schedule, 4), 1.0);
    QCOMPARE(learning_rate(schedule, 10), 2.0);
    QCOMPARE(learning_rate(schedule, 80), 2.0);
    QVERIFY(std::abs(learning_rate(schedule, 90) - 1.0) < 1e-12);
    QVERIFY(std::abs(learning_rate(schedule, 100)) < 1e-12);
  }
};

QTEST_GUILESS_MAIN(TestOptimizer)
#include "tst_optimizer.moc"
