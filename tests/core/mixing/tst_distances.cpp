// Distances of whole layers are those of the captured matrices, on every device.
#include <QTest>

#include "core/mixing/distances.h"
#include "tests/support/models.h"

using namespace tandem;
using namespace tandem::test;

namespace {

/// Head h of a captured layer, its skip on the diagonal.
Tensor with_skip(const LayerMatrices& layer, std::int64_t head) {
  const std::int64_t seqlen = layer.matrix.shape()[1];
  Tensor m({seqlen, seqlen});
  std::copy_n(layer.matrix.f32() + head * seqlen * seqlen, seqlen * seqlen, m.f32());
  for (std::int64_t i = 0; i < seqlen && !layer.skip.empty(); ++i)
    m.view().row(i)[i] += layer.skip.f32()[head];
  return m;
}

}  // namespace

class TestDistances : public QObject {
  Q_OBJECT
 private slots:
  void whole_layers_data() {
    QTest::addColumn<QString>("student");
    QTest::addColumn<QString>("device");
    for (const char* student : {"pocket-small-llamba", "pocket-small-hybrid"})
      for (const auto& [device, unused] : devices())
        QTest::addRow("%s, %s", student, device) << student << device;
  }
  void whole_layers() {
    QFETCH(QString, student);
    QFETCH(QString, device);
    constexpr double kClose = 1e-4;  // squares of thousands of entries are summed in f32 on a GPU
    const auto a = bundled("pocket-small-teacher");
    const auto m = bundled(student.toStdString());
    const std::vector<std::int32_t> ids =
        a->tokenizer().encode("Ava has 2 pens and buys 3 more. How many pens?");
    Context cpu;
    const auto wanted = capture(*a, ids, {}, cpu);
    const auto made = capture(*m, ids, {}, cpu);
    QVERIFY(wanted.ok() && made.ok());

    Device* on = device_of(device);
    Context context(1, on);
    const auto layers = matrix_distances(*bundled("pocket-small-teacher", on),
                                         *bundled(student.toStdString(), on), ids, context);
    QVERIFY2(layers.ok(), layers.ok() ? "" : layers.error().message.c_str());
    QVERIFY(!layers->empty());
    for (const LayerDistances& layer : *layers) {
      const auto at = static_cast<std::size_t>(layer.layer);
      QCOMPARE(std::ssize(layer.heads), made->layers[at].matrix.shape()[0]);
      for (std::int64_t h = 0; h < std::ssize(layer.heads); ++h) {
        const MatrixDistance want =
            matrix_distance(with_skip(made->layers[at], h), with_skip(wanted->layers[at], h));
        const MatrixDistance& got = layer.heads[static_cast<std::size_t>(h)];
        QCOMPARE_LE(std::abs(got.frobenius - want.frobenius), kClose * (1 + want.frobenius));
        QCOMPARE_LE(std::abs(got.relative - want.relative), kClose * (1 + want.relative));
        QCOMPARE_LE(std::abs(got.cosine - want.cosine), kClose);
      }
    }
  }

  void what_cannot_be_compared_is_refused() {
    const auto teacher = bundled("pocket-small-teacher");
    const auto other = bundled("pocket-teacher");
    Context context;
    const std::vector<std::int32_t> ids = {1, 2, 3};
    if (other->info().layers.size() != teacher->info().layers.size())
      QCOMPARE(matrix_distances(*teacher, *other, ids, context).error().code, ErrorCode::Mismatch);
    QCOMPARE(matrix_distances(*teacher, *teacher, {}, context).error().code, ErrorCode::InvalidArgument);
  }
};

QTEST_GUILESS_MAIN(TestDistances)
#include "tst_distances.moc"
