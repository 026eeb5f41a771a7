// Runs functions off the GUI thread and hands over only the result of the newest call: what the user has
// moved on from is asked to stop and dropped.
#pragma once

#include <functional>
#include <stop_token>
#include <utility>

#include <QFutureWatcher>
#include <QtConcurrentRun>

namespace tandem::ui {

/// Confined to the GUI thread. T is copied once; use a shared_ptr for anything large.
template <typename T>
class LatestTask {
 public:
  /// `done` is called on the GUI thread, never after the task was cancelled or destroyed.
  explicit LatestTask(std::function<void(const T&)> done) : m_done(std::move(done)) {
    QObject::connect(&m_watcher, &QFutureWatcherBase::finished, &m_watcher, [this] {
      if (std::exchange(m_running, false)) m_done(m_watcher.result());
    });
  }
  ~LatestTask() {
    cancel();
    m_watcher.waitForFinished();
  }
  LatestTask(const LatestTask&) = delete;
  LatestTask& operator=(const LatestTask&) = delete;

  void start(std::function<T(std::stop_token)> work) {
    m_stop.request_stop();
    m_stop = std::stop_source();
    m_running = true;
    m_watcher.setFuture(
        QtConcurrent::run([work = std::move(work), stop = m_stop.get_token()] { return work(stop); }));
  }
  void cancel() {
    m_stop.request_stop();
    m_running = false;
  }
  bool running() const { return m_running; }

 private:
  std::function<void(const T&)> m_done;
  QFutureWatcher<T> m_watcher;
  std::stop_source m_stop;
  bool m_running = false;
};

}  // namespace tandem::ui
