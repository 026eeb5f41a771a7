// The pool covers every index once, on any number of threads, and survives more threads than cores.
#include <atomic>
#include <vector>

#include <QTest>

#include "kernels/base/thread_pool.h"

class TestThreadPool : public QObject {
  Q_OBJECT
 private slots:
  void covers_every_index_once_data() {
    QTest::addColumn<int>("threads");
    QTest::addColumn<int>("count");
    QTest::addColumn<int>("grain");
    for (int threads : {1, 2, 3, 8})
      for (int count : {0, 1, 7, 1000})
        QTest::addRow("%d threads, %d items", threads, count) << threads << count << (count > 100 ? 16 : 1);
  }
  void covers_every_index_once() {
    QFETCH(int, threads);
    QFETCH(int, count);
    QFETCH(int, grain);
    tandem::ThreadPool pool(threads);
    for (int repeat = 0; repeat < 200; ++repeat) {
      std::vector<std::atomic<int>> hits(static_cast<std::size_t>(count));
      pool.parallel_for(count, grain, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin; i < end; ++i) hits[static_cast<std::size_t>(i)]++;
      });
      for (int i = 0; i < count; ++i) QCOMPARE(hits[static_cast<std::size_t>(i)].load(), 1);
    }
  }
};

QTEST_GUILESS_MAIN(TestThreadPool)
#include "tst_thread_pool.moc"
