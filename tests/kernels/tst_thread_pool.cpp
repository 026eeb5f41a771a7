// The pool covers every index once, on any number of threads, and survives more threads than cores.
#include <atomic>
#include <chrono>
#include <thread>
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

  // Two chunks that wait for each other need both threads: a worker that went to sleep must come.
  void wakes_sleeping_workers() {
    tandem::ThreadPool pool(2);
    for (int repeat = 0; repeat < 20; ++repeat) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));  // longer than a worker spins
      std::atomic<int> started{0};
      pool.parallel_for(2, 1, [&](std::int64_t, std::int64_t) {
        ++started;
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        while (started < 2 && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
      });
      QCOMPARE(started.load(), 2);
    }
  }

  // Pools are independent: loops of several at once, each on its own calling thread.
  void several_pools_at_once() {
    std::atomic<std::int64_t> total{0};
    std::vector<std::thread> callers;
    for (int caller = 0; caller < 4; ++caller) {
      callers.emplace_back([&] {
        tandem::ThreadPool pool(3);
        for (int repeat = 0; repeat < 50; ++repeat) {
          pool.parallel_for(100, 7, [&](std::int64_t begin, std::int64_t end) { total += end - begin; });
        }
      });
    }
    for (auto& caller : callers) caller.join();
    QCOMPARE(total.load(), 4 * 50 * 100);
  }
};

QTEST_GUILESS_MAIN(TestThreadPool)
#include "tst_thread_pool.moc"
