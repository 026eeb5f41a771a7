#include "ui/views/throughput_bench_runner.h"

#include <exception>

#include <QMetaObject>

namespace tandem::ui {

void BenchRunner::start(std::vector<std::shared_ptr<const tandem::Model>> models,
                        const tandem::BenchOptions& options) {
  if (m_running) return;
  m_running = true;
  // The thread is joined before this object goes, so queued calls either arrive or are dropped with it.
  m_thread = std::jthread([this, models = std::move(models), options](std::stop_token stopToken) {
    const auto tell = [this](int done, int total, const std::string& what) {
      QMetaObject::invokeMethod(
          this,
          [this, done, total, text = QString::fromStdString(what)] { emit progress(done, total, text); },
          Qt::QueuedConnection);
    };
    const auto measure = [&]() -> tandem::Result<tandem::BenchReport> {
      try {
        return tandem::bench(models, options, tell, stopToken);
      } catch (const std::exception& e) {  // a device that failed, or out of memory
        return tandem::Error{tandem::ErrorCode::OutOfRange,
                             std::string("The measurement ended early: ") + e.what()};
      }
    };
    auto result = measure();
    QMetaObject::invokeMethod(
        this,
        [this, result = std::move(result)] {
          m_running = false;
          if (result) {
            emit finished(std::make_shared<const tandem::BenchReport>(*result));
          } else {
            emit failed(QString::fromStdString(result.error().message));
          }
        },
        Qt::QueuedConnection);
  });
}

void BenchRunner::stop() {
  m_thread.request_stop();
}

}  // namespace tandem::ui
