// Colour maps, scale modes and what a frame holds: right colours, right ranges, masked cells that no colour
// reaches.
#include <cmath>
#include <limits>

#include <QTest>

#include "tests/ui/matrices/matrix_fixture.h"
#include "ui/widgets/color_map.h"
#include "ui/widgets/matrix_frame.h"

using namespace tandem::ui;
using tandem::Shape;
using tandem::Tensor;

namespace {

ValueSpread spread(double low, double high) {
  ValueSpread s;
  s.lowest = s.lowCap = low;
  s.highest = s.highCap = high;
  s.magnitude = s.magnitudeCap = std::max(std::abs(low), std::abs(high));
  return s;
}

double lightness(const QColor& c) {
  return 0.2126 * c.redF() + 0.7152 * c.greenF() + 0.0722 * c.blueF();
}

}  // namespace

class TestMatrixFrame : public QObject {
  Q_OBJECT
 private slots:
  void sequential_maps_grow_evenly() {
    QCOMPARE(sequentialColorMaps().size(), 4);
    for (const ColorMap& map : sequentialColorMaps()) {
      const bool falling = lightness(map.colorAt(1)) < lightness(map.colorAt(0));
      for (double t = 0.05; t <= 1; t += 0.05)
        QVERIFY2((lightness(map.colorAt(t)) > lightness(map.colorAt(t - 0.05))) != falling,
                 qPrintable(map.id));
    }
    QCOMPARE(sequentialColorMap(QStringLiteral("no such map")).id, QStringLiteral("viridis"));
    QCOMPARE(sequentialColorMap(QStringLiteral("viridis")).colorAt(-1), QColor(0x440154));
    QCOMPARE(sequentialColorMap(QStringLiteral("viridis")).colorAt(2), QColor(0xFDE725));
  }

  void diverging_maps_are_symmetric_about_the_background() {
    for (const bool dark : {false, true}) {
      const ColorMap& map = divergingColorMap(dark);
      for (const double t : {0.0, 0.2, 0.4})
        QVERIFY(std::abs(lightness(map.colorAt(t)) - lightness(map.colorAt(1 - t))) < 0.08);
      QVERIFY(map.colorAt(0.2).blue() > map.colorAt(0.2).red());  // negative: the teacher's blue
      QVERIFY(map.colorAt(0.8).red() > map.colorAt(0.8).blue());
    }
  }

  void gamma_moves_colours_not_numbers() {
    const ColorMap& map = sequentialColorMap(QStringLiteral("viridis"));
    QCPColorGradient gradient = map.gradient(0.45);
    const QColor seen = QColor::fromRgb(gradient.color(0.1, QCPRange(0, 1)));
    const QColor wanted = map.colorAt(std::pow(0.1, 0.45));
    QVERIFY(std::abs(seen.green() - wanted.green()) <= 2 && std::abs(seen.red() - wanted.red()) <= 2);
  }

  void deuteranopia_cannot_tell_red_from_green() {
    QCOMPARE(seenWithDeuteranopia(Qt::white).lightness(), 255);
    const QColor seen = seenWithDeuteranopia(QColor(200, 60, 60));
    QCOMPARE(seen.red(), seen.green());
  }

  void value_scale_is_capped_and_says_so() {
    ValueSpread s = spread(-0.1, 0.4);
    s.highest = 0.9;
    const MatrixScale scale = makeScale(ScaleMode::Value, 1, s);
    QCOMPARE(scale.lower, -0.1);
    QCOMPARE(scale.upper, 0.4);
    QVERIFY(scale.cappedAbove && !scale.cappedBelow);
    QVERIFY(scale.caption().contains(QStringLiteral("99.5")));
    QCOMPARE(scale.transform(0.3, 0), 0.3);
  }

  void log_scale_has_a_floor() {
    const MatrixScale scale = makeScale(ScaleMode::Log, 1, spread(-1, 1));
    QCOMPARE(scale.lower, -6.0);
    QCOMPARE(scale.upper, 0.0);
    QCOMPARE(scale.transform(-0.01, 0), -2.0);
    QCOMPARE(scale.transform(0, 0), -6.0);
  }

  void signed_scale_is_symmetric() {
    const MatrixScale scale = makeScale(ScaleMode::Signed, 1, spread(-0.1, 0.4));
    QCOMPARE(scale.lower, -0.4);
    QCOMPARE(scale.upper, 0.4);
    QVERIFY(scale.diverging());
  }

  void row_rescaled_divides_by_the_row() {
    const MatrixScale scale = makeScale(ScaleMode::RowRescaled, 1, spread(0, 0.2));
    QCOMPARE(scale.transform(-0.1, 0.2), 0.5);
    QCOMPARE(scale.transform(0.1, 0), 0.0);
    QCOMPARE(scale.upper, 1.0);
  }

  void a_matrix_of_zeros_still_has_a_bar() {
    for (const ScaleMode mode : kScaleModes) {
      const MatrixScale scale = makeScale(mode, 0.5, spread(0, 0));
      QVERIFY(scale.upper > scale.lower);
    }
  }

  void spread_counts_what_is_not_finite() {
    Tensor m(Shape{2, 2});
    m.f32()[0] = std::numeric_limits<float>::quiet_NaN();
    m.f32()[1] = 99;  // masked
    m.f32()[2] = -3;
    m.f32()[3] = 2;
    const ValueSpread s = valueSpread(m);
    QCOMPARE(s.nonFinite, 1);
    QCOMPARE(s.lowest, -3.0);
    QCOMPARE(s.highest, 2.0);
    QCOMPARE(s.magnitude, 3.0);
  }

  void masked_cells_are_nan_in_every_mode_data() {
    QTest::addColumn<int>("mode");
    for (const ScaleMode mode : kScaleModes) QTest::addRow("mode %d", int(mode)) << static_cast<int>(mode);
  }
  void masked_cells_are_nan_in_every_mode() {
    QFETCH(int, mode);
    FrameRequest request;
    request.set = fixture::makeSet();
    request.scale.mode = static_cast<ScaleMode>(mode);
    const auto frame = makeHeadFrame(request);
    for (const MapKind kind : kMapKinds) {
      QCPColorMapData& cells = *frame->map(kind).cells;
      QCOMPARE(cells.keySize(), 12);
      for (int i = 0; i < 12; ++i)
        for (int j = 0; j < 12; ++j) QCOMPARE(std::isnan(cells.cell(j, i)), j > i);
    }
  }

  void cells_are_transformed_numbers() {
    FrameRequest request;
    request.set = fixture::makeSet();
    request.scale.mode = ScaleMode::Log;
    const auto frame = makeHeadFrame(request);
    const float raw = request.set->student().matrix(0, 0).row(8)[3];
    QCOMPARE(frame->map(MapKind::Student).cells->cell(3, 8), std::log10(std::abs(static_cast<double>(raw))));
    QCOMPARE(frame->map(MapKind::Difference).cells->cell(3, 8),
             static_cast<double>(raw - request.set->teacher().matrix(0, 0).row(8)[3]));
  }

  void row_rescaled_rows_reach_one() {
    FrameRequest request;
    request.set = fixture::makeSet();
    request.scale.mode = ScaleMode::RowRescaled;
    const auto frame = makeHeadFrame(request);
    for (int i = 0; i < 12; ++i) {
      double largest = 0;
      for (int j = 0; j <= i; ++j)
        largest = std::max(largest, frame->map(MapKind::Student).cells->cell(j, i));
      QCOMPARE(largest, 1.0);
    }
  }

  void locked_ranges_are_shared() {
    FrameRequest request;
    request.set = fixture::makeSet();
    auto frame = makeHeadFrame(request);
    QCOMPARE(frame->map(MapKind::Teacher).scale.upper, frame->map(MapKind::Student).scale.upper);
    QCOMPARE(frame->map(MapKind::Teacher).scale.lower, frame->map(MapKind::Student).scale.lower);
    request.scale.locked = false;
    frame = makeHeadFrame(request);
    QVERIFY(frame->map(MapKind::Teacher).scale.upper != frame->map(MapKind::Student).scale.upper);
  }

  void kept_attention_says_why_it_has_no_factors() {
    FrameRequest request;
    request.set = fixture::makeSet();
    request.pair = {fixture::kKeptLayer, 0, 0};
    const auto frame = makeHeadFrame(request);
    QVERIFY(frame->map(MapKind::Student).cells);
    QVERIFY(!frame->map(MapKind::Decay).cells);
    QVERIFY(frame->map(MapKind::Decay).reason.contains(QStringLiteral("Attention kept")));
  }

  void a_missing_head_has_a_reason() {
    FrameRequest request;
    request.set = fixture::makeSet(8, 2, 3);
    request.pair = {0, 2, 5};
    const auto frame = makeHeadFrame(request);
    QVERIFY(frame->map(MapKind::Teacher).reason.contains(QStringLiteral("no head 5")));
    QVERIFY(frame->map(MapKind::Student).cells);
    QVERIFY(!frame->distance);
  }

  void distance_and_profiles_are_those_of_core() {
    FrameRequest request;
    request.set = fixture::makeSet();
    const auto frame = makeHeadFrame(request);
    const auto a = request.set->teacher().matrix(0, 0), m = request.set->student().matrix(0, 0);
    QCOMPARE(frame->distance->frobenius, tandem::matrix_distance(m, a).frobenius);
    QCOMPARE(frame->teacherLags, tandem::lag_profile(a));
    QCOMPARE(frame->studentLags, tandem::lag_profile(m));
  }

  void long_texts_are_pooled_and_zoom_is_exact() {
    const int seqlen = kMaxMapCells + 76;
    auto set = std::make_shared<MatrixSet>();
    set->ids.resize(static_cast<std::size_t>(seqlen));
    tandem::Capture teacher, student;
    teacher.layers.push_back(fixture::attentionLayer(0, 1, seqlen, 3));
    student.layers.push_back(fixture::attentionLayer(0, 1, seqlen, 4));
    set->sides = {MatrixSide(QStringLiteral("t"), 1, std::move(teacher)),
                  MatrixSide(QStringLiteral("s"), 1, std::move(student))};
    FrameRequest request;
    request.set = set;
    auto frame = makeHeadFrame(request);
    QCOMPARE(frame->map(MapKind::Teacher).cells->keySize(), kMaxMapCells);
    QVERIFY(frame->map(MapKind::Teacher).pooling > 1);
    request.window = {900, 999, 800, 899};
    frame = makeHeadFrame(request);
    QCPColorMapData& cells = *frame->map(MapKind::Teacher).cells;
    QCOMPARE(frame->map(MapKind::Teacher).pooling, 1);
    QCOMPARE(cells.keySize(), 100);
    QCOMPARE(cells.data(850, 950), static_cast<double>(set->teacher().matrix(0, 0).row(950)[850]));
  }

  void telltale_looks_back() {
    FrameRequest request;
    request.set = fixture::makeSet();
    const auto frame = makeHeadFrame(request);
    QVERIFY(frame->telltaleKey >= 1 && frame->telltaleKey <= frame->telltaleQuery - 2);
  }
};

QTEST_MAIN(TestMatrixFrame)
#include "tst_matrix_frame.moc"
